"""What an agent request says about itself: pure functions over a request of either agent type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent_feedback.text import is_name

MAX_REQUEST_ID = 50  # MLflow's column
_CLIENT_REQUEST_ID = re.compile(rf"[A-Za-z0-9._:-]{{1,{MAX_REQUEST_ID}}}")


def is_client_request_id(value: object) -> bool:
    """Whether MLflow's column, and a filter, can take it."""
    return isinstance(value, str) and _CLIENT_REQUEST_ID.fullmatch(value) is not None


def client_request_id(request: Any, headers: Mapping[str, str]) -> str | None:
    """The caller's id of the request, or ``None`` where it has none that can be kept."""
    sent = (
        _get(_get(request, "custom_inputs"), "client_request_id")
        or _own(request, "client_request_id")
        or headers.get("x-client-request-id")
    )
    return str(sent) if is_client_request_id(sent) else None


def session_id(request: Any, headers: Mapping[str, str]) -> str | None:
    """The conversation that the request belongs to."""
    inputs = _get(request, "custom_inputs")
    return usable_name(
        _get(_get(request, "context"), "conversation_id")
        or _get(inputs, "session_id")
        or _get(inputs, "thread_id")
        or _own(request, "session_id")
        or headers.get("x-session-id")
    )


def claimed_user(request: Any) -> str | None:
    """The person that the body names. Proof of nothing."""
    return usable_name(_get(_get(request, "context"), "user_id"))


def usable_name(value: object) -> str | None:
    """A name that MLflow and the ledger can keep, or ``None``.

    A trace whose metadata holds a NUL or a lone surrogate is refused as a whole by the database.
    """
    return value if isinstance(value, str) and is_name(value) else None


def _get(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(name)
    return getattr(holder, name, None)


def _own(request: Any, name: str) -> Any:
    """A key of a plain dict request; a Responses request has no room for it."""
    return request.get(name) if isinstance(request, Mapping) else None
