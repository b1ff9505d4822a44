"""What is read from a request: one table for each field."""

from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.types.responses import ResponsesAgentRequest

from agent_feedback.agent import request_fields

MAX_ID = "a" * 50


def _typed(**fields: Any) -> ResponsesAgentRequest:
    return ResponsesAgentRequest.model_validate({"input": [], **fields})


def _inputs(**inputs: Any) -> dict[str, Any]:
    return {"custom_inputs": inputs}


@pytest.mark.parametrize(
    ("request_", "headers", "expected"),
    [
        (_inputs(client_request_id="r-1"), {}, "r-1"),
        (_typed(**_inputs(client_request_id="r-1")), {}, "r-1"),
        ({"client_request_id": "r-1"}, {}, "r-1"),
        ({}, {"x-client-request-id": "r-1"}, "r-1"),
        (_typed(), {"x-client-request-id": "r-1"}, "r-1"),
        (_inputs(client_request_id="r-1"), {"x-client-request-id": "r-2"}, "r-1"),
        ({"client_request_id": "r-2", **_inputs(client_request_id="r-1")}, {}, "r-1"),
        ({"client_request_id": "r-1"}, {"x-client-request-id": "r-2"}, "r-1"),
        ({"client_request_id": ""}, {"x-client-request-id": "r-1"}, "r-1"),
        ({"client_request_id": MAX_ID}, {}, MAX_ID),
        ({"client_request_id": "A.z_0:9-"}, {}, "A.z_0:9-"),
        (SimpleNamespace(custom_inputs={"client_request_id": "r-1"}), {}, "r-1"),
    ],
)
def test_the_callers_id_is_found(request_: Any, headers: dict[str, str], expected: str) -> None:
    """An id is taken from the custom inputs, else a dict's own key, else the header."""
    assert request_fields.client_request_id(request_, headers) == expected


@pytest.mark.parametrize(
    "given", ["a" * 51, "two words", "r/1", "ä", "r-1\n", "r'1", 7, True, ["r-1"], {"r": 1}, None]
)
def test_an_id_that_cannot_be_kept_is_none(given: Any) -> None:
    """Whatever MLflow's column or a filter cannot take is as good as no id."""
    assert request_fields.client_request_id({"client_request_id": given}, {}) is None


@pytest.mark.parametrize("request_", [{}, None, [], "text", 5, {"custom_inputs": "text"}, _typed()])
def test_any_request_can_be_read(request_: Any) -> None:
    """A request of any shape may lack every field."""
    assert request_fields.client_request_id(request_, {}) is None
    assert request_fields.session_id(request_, {}) is None
    assert request_fields.claimed_user(request_) is None


@pytest.mark.parametrize(
    ("request_", "headers", "expected"),
    [
        (_typed(context={"conversation_id": "s-1"}), {}, "s-1"),
        ({"context": {"conversation_id": "s-1"}}, {}, "s-1"),
        (_typed(**_inputs(session_id="s-1")), {}, "s-1"),
        (_inputs(thread_id="s-1"), {}, "s-1"),
        ({"session_id": "s-1"}, {}, "s-1"),
        (_typed(), {"x-session-id": "s-1"}, "s-1"),
        (_typed(context={"conversation_id": "s-1"}, **_inputs(session_id="s-2")), {}, "s-1"),
        (_inputs(session_id="s-1", thread_id="s-2"), {}, "s-1"),
        ({"session_id": "s-2", **_inputs(thread_id="s-1")}, {}, "s-1"),
        ({"session_id": "s-1"}, {"x-session-id": "s-2"}, "s-1"),
        ({"session_id": 7}, {}, None),
        ({"session_id": "s" * 250}, {}, "s" * 250),
        ({"session_id": "s" * 251}, {}, None),
        ({"session_id": "s\x00"}, {}, None),
        ({"session_id": "s\ud800"}, {}, None),
        ({"session_id": "Zoë's \N{FAMILY}\u200d chat"}, {}, "Zoë's \N{FAMILY}\u200d chat"),
    ],
)
def test_the_session_is_found(request_: Any, headers: dict[str, str], expected: str) -> None:
    """The conversation comes from the context, the custom inputs, a dict's own key, the header."""
    assert request_fields.session_id(request_, headers) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (_typed(context={"user_id": "ann"}), "ann"),
        ({"context": {"user_id": "ann"}}, "ann"),
        ({"user_id": "ann"}, None),
        ({"context": {"user_id": 5}}, None),
        ({"context": {"user_id": "a" * 251}}, None),
        ({"context": {"user_id": "ann\x00"}}, None),
        ({"context": "text"}, None),
    ],
)
def test_the_claimed_user_is_found(request_: Any, expected: str | None) -> None:
    """A body names its user in the context and nowhere else."""
    assert request_fields.claimed_user(request_) == expected
