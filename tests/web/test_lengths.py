"""The lengths that the settings advertise, in every script and every way to write JSON."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from agent_feedback import InvalidFeedback, Settings
from agent_feedback.errors import FeedbackError
from agent_feedback.model import CORRECTION, THUMB
from agent_feedback.service.forms import Forms, RatingForm
from agent_feedback.settings import MAX_REASON
from agent_feedback.trace_id import MAX_LENGTH, parse
from agent_feedback.web.request_guard import BodyTooLarge, RequestGuard
from agent_feedback.web.schemas import MAX_BODY, AmendBody, DetailedBody, FeedbackBody
from tests.support.rating import OpenSite, Site, assessments_of, stored_trace, value_of

REASONS = tuple(f"{number:02}" + "\U0001f600" * (MAX_REASON - 2) for number in range(20))
SETTINGS = Settings(reasons=REASONS)
FORMS = Forms(SETTINGS)
PIECES = (
    "a",
    "字",
    "ж",
    "ع",
    "ไ",
    "\U0001f600",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U00020000",
    # Shorter in its normal form.
    "e\u0301",
    "\u1112\u1161\u11ab",
    "\u03c9\u0314\u0342\u0345",
    # Longer in its normal form.
    "\u0958",
    "\u09dc",
    "\ufb2c",
    "\U0001d160",
    # Only marks.
    "\u0301",
)


def escaped(text: str) -> str:
    """Write a text as JSON does at its longest: every character as an escape."""
    units = text.encode("utf-16-be")
    codes = (units[place : place + 2].hex() for place in range(0, len(units), 2))
    return f'"{"".join(map("".join, ((chr(92), "u", code) for code in codes)))}"'


def raw(text: str) -> str:
    """Write a text as JSON does at its shortest."""
    return json.dumps(text, ensure_ascii=False)


ways = st.sampled_from((escaped, raw, json.dumps))
lengths = st.sampled_from((-1, 0, 1))


def outcome(body: bytes, model: type[Any] = FeedbackBody) -> Any:
    """Read a body as the routes do: the model, or the error."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/json")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    more = SETTINGS.dimensions if model is DetailedBody else ()
    try:
        return asyncio.run(RequestGuard(SETTINGS).read(request, model, more))
    except FeedbackError as error:
        return error


def kept(body: bytes) -> Any:
    """Read a rating as the routes do: what is to be stored, or the error."""
    form = outcome(body)
    if isinstance(form, FeedbackError):
        return form
    try:
        return FORMS.contents(
            RatingForm(form.value, rationale=form.rationale, correction=form.correction)
        )
    except InvalidFeedback as error:
        return error


def limits() -> dict[str, int]:
    """Say what the settings advertise, as the document has it."""
    properties = FeedbackBody.model_json_schema()["properties"]
    return {name: properties[name]["maxLength"] for name in ("rationale", "correction")}


def test_the_settings_advertise_what_the_document_says(open_site: OpenSite) -> None:
    """Two places say how long a text may be, and they say the same."""
    assert open_site().ask("GET", "/settings").json()["limits"] == limits()


@pytest.mark.parametrize("member", ["rationale", "correction"])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), ways, lengths)
def test_a_limit_is_exactly_what_is_taken(
    member: str, pieces: list[str], write: Callable[[str], str], over: int
) -> None:
    """Characters are counted as they were sent: as many as advertised fit, and not one more."""
    limit = limits()[member]
    text = ("".join(pieces) * (limit + 1))[: limit + over]
    found = kept(f'{{"value": true, "{member}": {write(text)}}}'.encode())
    if over > 0:
        assert isinstance(found, InvalidFeedback)
        assert f"{limit:,} characters" in str(found)
        return
    assert isinstance(found, dict), found
    stored = [each.value if member == "correction" else each.rationale for each in found.values()]
    assert 0 < len(stored[-1]) <= limit
    # What was stored and read back can be sent again.
    again = kept(json.dumps({"value": True, member: stored[-1]}).encode())
    assert again == found


def _largest() -> dict[type[Any], str]:
    place = "trace:/" + ".".join(["\U00010400" * 255] * 3)
    members: dict[str, Any] = {
        "trace_id": parse(f"{place}/{'0' * 32}"),
        "client_request_id": "x" * 50,
        "rationale": "\U0001f600" * limits()["rationale"],
        "reasons": list(REASONS),
    }
    correction = {"correction": "\U0001f600" * limits()["correction"]}
    assert len(members["trace_id"]) <= MAX_LENGTH
    stars = dict.fromkeys(SETTINGS.dimensions, 1.234567890123456)
    bodies = {
        FeedbackBody: members | correction | {"value": True, "dimension": "d" * 40},
        DetailedBody: members | stars,
        AmendBody: {"rationale": members["rationale"], "reasons": members["reasons"], "value": 1}
        | correction,
    }
    return {model: _pretty(body) for model, body in bodies.items()}


def _pretty(body: dict[str, Any]) -> str:
    def written(value: Any) -> str:
        if isinstance(value, str):
            return escaped(value)
        if isinstance(value, list):
            return "[\n" + ",\n".join(" " * 16 + written(each) for each in value) + "\n]"
        return json.dumps(value)

    lines = (f"{' ' * 8}{escaped(name)}: {written(value)}" for name, value in body.items())
    return "{\n" + ",\n".join(lines) + "\n}"


@pytest.mark.parametrize("model", [FeedbackBody, DetailedBody, AmendBody])
def test_a_body_with_everything_at_its_longest_fits(model: type[Any]) -> None:
    """The limit in bytes holds all members at their limits, escaped and pretty printed."""
    body = _largest()[model]
    assert isinstance(outcome(body.encode(), model), model)


def test_the_limit_in_bytes_is_not_far_above_what_is_needed() -> None:
    """Nobody can send twice what feedback needs."""
    assert 1.1 * len(_largest()[FeedbackBody]) > MAX_BODY


@given(st.integers(100, 50_000))
@example(MAX_BODY)
def test_a_longer_body_is_refused_while_it_is_read(piece: int) -> None:
    """No more is taken in than one piece beyond the limit, and the sentence says the limit."""
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += piece
        return {"type": "http.request", "body": b" " * piece, "more_body": True}

    headers = [(b"content-type", b"application/json")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    with pytest.raises(BodyTooLarge, match=f"{MAX_BODY:,} bytes"):
        asyncio.run(RequestGuard(SETTINGS).read(request, FeedbackBody))
    assert MAX_BODY < taken <= MAX_BODY + piece


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize("write", [escaped, raw])
@pytest.mark.parametrize("piece", ["字", "\U0001f600", "\u0958"], ids=["Han", "emoji", "Hindi"])
def test_the_longest_texts_are_stored_and_read_back(
    site: Site, piece: str, write: Callable[[str], str]
) -> None:
    """A comment and a correction of the advertised lengths arrive in MLflow as they were typed."""
    trace_id = stored_trace()
    rationale, correction = piece * limits()["rationale"], piece * limits()["correction"]
    body = (
        f'{{"trace_id": "{trace_id}", "value": true, "rationale": {write(rationale)},'
        f' "correction": {write(correction)}}}'
    )
    answer = site.ask("POST", content=body.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 201, answer.text
    stored = {each.name: each for each in assessments_of(trace_id)}
    assert stored[THUMB].rationale == rationale
    assert value_of(stored[CORRECTION]) == correction
