"""How the feedback routes stand in the app's OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from agent_feedback.web.schemas import ErrorBody

Responses = dict[int | str, dict[str, Any]]

_GOOD = {
    200: "There was one, and it is as you say now.",
    202: "Durable, and not yet in MLflow.",
}
_ERRORS = {
    400: "The body is not JSON, or a header that says who you are is malformed.",
    401: "Nobody is signed in, or the workspace refuses the access token.",
    403: "Someone else asked, or another site's page sent this.",
    404: "No such answer, or no such rating of yours.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "The feedback is not valid.",
    429: "Too many ratings in a minute.",
    503: "It cannot be stored right now.",
}
READ_ERRORS = (400, 401, 422, 503)
SETTINGS_ERRORS = (400, 401, 503)
WITHDRAW_ERRORS = (400, 401, 403, 404, 422, 429, 503)
WRITE_ERRORS = tuple(_ERRORS)


def responses(*statuses: int, model: Any = None) -> Responses:
    """Describe ``statuses``: good ones answer with ``model``, errors with one sentence."""
    return {
        status: {"model": model, "description": _GOOD[status]}
        if status in _GOOD
        else {"model": ErrorBody, "description": _ERRORS[status]}
        for status in statuses
    }


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a body that we read ourselves, with a limit to its size."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }
