"""Ids that requests name things by: of traces, of requests, of sessions."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mlflow.types.responses import ResponsesAgentRequest

from agent_feedback import trace_id
from agent_feedback.agent import request_fields
from agent_feedback.errors import InvalidFeedback
from agent_feedback.web.schemas import REQUEST_ID_FORM, TRACE_ID_FORM
from tests.fuzz.texts import ANY_CHARACTER, any_text, attempt, json_of, long_text

hexes = st.text("0123456789abcdef", min_size=32, max_size=32)
catalog_names = st.from_regex(r"[A-Za-z0-9_-]{1,255}", fullmatch=True)
places = st.lists(catalog_names, min_size=2, max_size=3).map(".".join)
known = st.one_of(
    hexes.map("tr-{}".format),
    hexes,
    st.builds("trace:/{}/{}".format, places, hexes),
)
almost = st.builds(
    lambda text, place, extra: text[: place % len(text)] + extra + text[place % len(text) :],
    known,
    st.integers(min_value=0),
    st.one_of(ANY_CHARACTER, st.sampled_from(["/", "..", "%2F", "?", "#", " ", "\n", "\x00", "'"])),
)

CONTAINERS = ("custom_inputs", "context")
NAMES = ("client_request_id", "session_id", "thread_id", "conversation_id", "user_id")
names = st.sampled_from([*CONTAINERS, *NAMES])
requests = st.one_of(
    json_of(names),
    st.dictionaries(names, json_of(names)),
    st.fixed_dictionaries(
        {each: st.dictionaries(st.sampled_from(NAMES), json_of(names)) for each in CONTAINERS}
    ),
    st.dictionaries(st.sampled_from(NAMES), any_text).map(
        lambda value: ResponsesAgentRequest(input=[], custom_inputs=value)
    ),
)
header_values = st.dictionaries(
    st.sampled_from(["x-client-request-id", "x-session-id"]), st.one_of(any_text, long_text)
)


@given(known)
def test_every_trace_id_is_taken_as_it_is(text: str) -> None:
    """Ids of both forms pass, and the document's form describes them."""
    assert trace_id.parse(text) == trace_id.to_assessments_id(text) == text
    assert re.search(TRACE_ID_FORM, text)


@given(st.one_of(almost, any_text, long_text))
def test_what_is_almost_a_trace_id_is_refused_without_repeating_it(text: str) -> None:
    """Any text is an id that can leave its place nowhere, or refused in always the same words."""
    accepted = attempt(lambda: trace_id.parse(text))
    if isinstance(accepted, InvalidFeedback):
        assert str(accepted) == str(attempt(lambda: trace_id.parse("")))
        return
    assert accepted == text
    assert re.search(TRACE_ID_FORM, text)
    assert re.fullmatch(r"[\w.:/-]{32,807}", text)
    assert ".." not in text
    assert "//" not in text


@given(hexes, st.one_of(st.none(), places))
def test_a_bare_id_becomes_a_whole_one(bare: str, place: str | None) -> None:
    """A bare id is completed to one of the known forms, which is not bare any more."""
    assert trace_id.is_bare(bare)
    whole = trace_id.complete(bare, place)
    assert trace_id.parse(whole) == whole
    assert whole.endswith(bare)
    assert not trace_id.is_bare(whole)


@given(requests, header_values)
def test_an_agents_request_gives_ids_that_can_be_kept(
    request: Any, headers: dict[str, str]
) -> None:
    """A request of any shape gives ids within MLflow's columns, or none; it never fails."""
    request_id = request_fields.client_request_id(request, headers)
    assert request_id is None or re.fullmatch(REQUEST_ID_FORM, request_id)
    for name in (
        request_fields.session_id(request, headers),
        request_fields.claimed_user(request),
    ):
        assert name is None or (isinstance(name, str) and 0 < len(name) <= 250)


@given(st.from_regex(REQUEST_ID_FORM, fullmatch=True), header_values)
def test_a_good_request_id_is_kept(request_id: str, headers: dict[str, str]) -> None:
    """What a client calls its request is what the trace and the answer call it."""
    for request in (
        {"client_request_id": request_id.strip()},
        ResponsesAgentRequest(input=[], custom_inputs={"client_request_id": request_id.strip()}),
    ):
        assert request_fields.client_request_id(request, headers) == request_id.strip()


@given(any_text)
def test_a_request_id_fits_into_a_filter(text: str) -> None:
    """What may stand in MLflow's filter in quotes cannot end them."""
    if request_fields.is_client_request_id(text):
        assert re.fullmatch(r"[A-Za-z0-9._:-]{1,50}", text)
        assert re.search(REQUEST_ID_FORM, text)
