"""What a rating's request must be before its content is read.

From this site, small, JSON, not too many: each check answers on its own, with the status that the
contract gives it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from agent_feedback.errors import FeedbackError, InvalidFeedback, NotAllowed, RateLimited
from agent_feedback.settings import Settings
from agent_feedback.web.schemas import MAX_BODY

M = TypeVar("M", bound=BaseModel)

_DEEPEST = 8
_TOO_DEEP = "The body is nested too deeply."
_HARMLESS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,29}")


class MalformedBody(FeedbackError):
    """The body is not JSON."""

    status_code = 400


class BodyTooLarge(FeedbackError):
    """The body is larger than the largest feedback can be."""

    status_code = 413

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {MAX_BODY:,} bytes.")


class NotJson(FeedbackError):
    """Send the body as application/json."""

    status_code = 415


class RequestGuard:
    """The checks of one application's feedback routes."""

    def __init__(self, settings: Settings) -> None:
        self._allowed_origins = {origin.rstrip("/").lower() for origin in settings.allowed_origins}
        self._writes = RateLimitItemPerMinute(settings.writes_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check_site(self, request: Request) -> None:
        """A browser writes for this site only, or for one that the settings allow.

        Raises:
            NotAllowed: another site's page sent this. ``same-site`` is another site too: other
                apps share the domain.
        """
        origin = request.headers.get("origin")
        if origin is not None and origin.rstrip("/").lower() in self._allowed_origins:
            return
        fetch_site = request.headers.get("sec-fetch-site")
        if fetch_site is not None:
            allowed = fetch_site in ("same-origin", "none")
        else:
            allowed = origin is None or origin.partition("://")[2].lower() == _host(request)
        if not allowed:
            raise NotAllowed("Pages of other sites may not send feedback here.")

    def check_rate(self, counted_as: Sequence[str]) -> None:
        """Count a write of this sender.

        Raises:
            RateLimited: they send too many. Each worker process counts by itself.
        """
        if not self._limiter.hit(self._writes, *counted_as):
            window = self._limiter.get_window_stats(self._writes, *counted_as)
            raise RateLimited(retry_after=max(1.0, window.reset_time - time.time()))

    async def read(self, request: Request, model: type[M], more: Sequence[str] = ()) -> M:
        """The body, no more than ``MAX_BODY`` of it being read.

        Args:
            request: Whose body it is.
            model: What it should be.
            more: Members that it may have beside those of the model.

        Raises:
            NotJson, BodyTooLarge, MalformedBody: it is no body of ours.
            InvalidFeedback: a member is unknown, or has a wrong type or value.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise NotJson()
        data = _parsed(await _limited(request))
        refuse_unknown(data, [*model.model_fields, *more])
        try:
            return model.model_validate(data)
        except ValidationError as error:
            raise InvalidFeedback(_sentence(error)) from None


def refuse_unknown(sent: Collection[str], known: Collection[str]) -> None:
    """Refuse members that nothing reads: what a misspelt one holds would be lost.

    Raises:
        InvalidFeedback: a name is not known. It is repeated where nothing but a name can be meant.
    """
    unknown = next((name for name in sent if name not in known), None)
    if unknown is None:
        return
    shown = unknown if _HARMLESS_NAME.fullmatch(unknown) else "A member"
    raise InvalidFeedback(f"{shown} is unknown here: send {', '.join(known)}.")


async def _limited(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BodyTooLarge()
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        data = json.loads(body, parse_constant=_refuse_constant, parse_int=_whole_number)
    except InvalidFeedback:
        raise
    except RecursionError:
        raise InvalidFeedback(_TOO_DEEP) from None
    except ValueError:
        raise MalformedBody() from None
    if not isinstance(data, dict):
        raise InvalidFeedback("The body is a JSON object.")
    if _depth(data) > _DEEPEST:
        raise InvalidFeedback(_TOO_DEEP)
    return data


def _refuse_constant(_: str) -> None:
    raise InvalidFeedback("A number is finite: NaN and Infinity are not taken.")


def _whole_number(digits: str) -> int | float:
    # Python refuses to read thousands of digits; as a float such a number is merely too large.
    return int(digits) if len(digits) < 100 else float(digits)


def _depth(data: Any) -> int:
    deepest, level = 0, [data]
    while level:
        deepest += 1
        inner = [d.values() if isinstance(d, dict) else d for d in level]
        level = [v for values in inner for v in values if isinstance(v, (dict, list))]
    return deepest


def _sentence(error: ValidationError) -> str:
    """The first error, without anything of what was sent but the member's name, a known one."""
    first = error.errors(include_input=False, include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    member = first["loc"][0] if first["loc"] else None
    return f"{message}." if member is None else f"{member}: {message}."


def _host(request: Request) -> str:
    forwarded = request.headers.get("x-forwarded-host")
    return (forwarded or request.headers.get("host", "")).lower()
