"""How the feedback routes stand in the app's OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from agent_feedback.settings import Settings
from agent_feedback.web.schemas import (
    MAX_BODY,
    REQUEST_ID_FORM,
    TRACE_ID_FORM,
    DetailedAnswer,
    ErrorBody,
    FeedbackAnswer,
    RatingBody,
    StatusBody,
    WithdrawalAnswer,
)

Links = dict[str, dict[str, Any]]

# The forms are for the document only: we refuse in our own words, and repeat nothing of it.
_TRACE_ID: dict[str, Any] = {"pattern": TRACE_ID_FORM}
_REQUEST_ID: dict[str, Any] = {"pattern": REQUEST_ID_FORM}
TraceId = Annotated[
    str | None, Query(description="The answer's trace.", json_schema_extra=_TRACE_ID)
]
TraceIds = Annotated[
    list[str] | None,
    Query(description="Traces; may be repeated.", json_schema_extra={"items": _TRACE_ID}),
]
RequestId = Annotated[
    str | None,
    Query(description="The id of the request that was answered.", json_schema_extra=_REQUEST_ID),
]
RequestIds = Annotated[
    list[str] | None,
    Query(description="Requests' ids; may be repeated.", json_schema_extra={"items": _REQUEST_ID}),
]

_GOOD = {
    200: "There was one, and it is as you say now.",
    201: "It is new, and MLflow has it.",
    202: "Durable, and not yet in MLflow.",
}
_ERRORS = {
    400: "The body is not JSON, or an identity header is malformed.",
    401: "Nobody is signed in, or the workspace refuses the access token.",
    403: "Someone else asked, or another site's page sent this.",
    404: "No such answer, or no such rating of yours.",
    413: f"The body is larger than {MAX_BODY:,} bytes.",
    415: "The body is not sent as JSON.",
    422: "The feedback is not valid.",
    429: "Too many ratings in a minute.",
    503: "It cannot be stored right now.",
}
_RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "description": "Seconds after which another attempt makes sense.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_READ_ERRORS = (400, 401, 422, 503)
_SETTINGS_ERRORS = (400, 401, 503)
_WITHDRAW_ERRORS = (400, 401, 403, 404, 422, 429, 503)
_WRITE_ERRORS = tuple(_ERRORS)


def creating(
    model: type[FeedbackAnswer | DetailedAnswer], settings: Settings, body: type[BaseModel]
) -> dict[str, Any]:
    """A route that takes a ``body`` and answers with what it made of it."""
    first = "" if model is FeedbackAnswer else "/ratings/0"
    return {
        "status_code": 201,
        "response_model": model,
        "responses": {
            **{status: _answer(_GOOD[status], model, _next_steps(first)) for status in _GOOD},
            **_errors(_WRITE_ERRORS),
        },
        "openapi_extra": _request_body(body, settings),
    }


def amending(settings: Settings, body: type[BaseModel]) -> dict[str, Any]:
    """A route that takes a ``body`` and changes one rating."""
    return _changing(RatingBody, _WRITE_ERRORS, _next_steps("")) | {
        "openapi_extra": _request_body(body, settings)
    }


def withdrawing() -> dict[str, Any]:
    """A route that ends a rating."""
    links = {"list": _next_steps("")["list"]}
    return _changing(WithdrawalAnswer, _WITHDRAW_ERRORS, links)


def listing() -> dict[str, Any]:
    """A route that reads ratings."""
    answer = {"description": "Those that are not withdrawn.", "links": _next_steps("/0")}
    return {
        "response_model": list[RatingBody],
        "responses": {200: answer, **_errors(_READ_ERRORS)},
    }


def telling() -> dict[str, Any]:
    """The route for operators."""
    return {"response_model": StatusBody, "responses": _errors((503,))}


def settings_of(model: type[BaseModel]) -> dict[str, Any]:
    """The route that tells a page what it may offer, and to whom."""
    return {"response_model": model, "responses": _errors(_SETTINGS_ERRORS)}


def operation_id(endpoint_name: str) -> str:
    """An operation's name in the document: the same whatever the routes' prefix is."""
    return f"feedback_{endpoint_name}"


def _changing(model: type[RatingBody], errors: Sequence[int], links: Links) -> dict[str, Any]:
    return {
        "response_model": model,
        "responses": {
            **{status: _answer(_GOOD[status], model, links) for status in (200, 202)},
            **_errors(errors),
        },
    }


def _answer(description: str, model: Any, links: Links) -> dict[str, Any]:
    return {"model": model, "description": description, "links": links}


def _errors(statuses: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"model": ErrorBody, "description": _ERRORS[status]}
        | ({"headers": _RETRY_AFTER} if status in (429, 503) else {})
        for status in statuses
    }


def _next_steps(place: str) -> Links:
    """What can be done with the rating at a JSON pointer into an answer's body."""
    answer = {"trace_id": f"$response.body#{place}/trace_id"}
    rating = answer | {"assessment_id": f"$response.body#{place}/assessment_id"}
    return {
        "list": _link("mine", "Read it back.", answer),
        "change": _link("amend", "Change a part of it in place.", rating),
        "withdraw": _link("withdraw_one", "Withdraw it.", rating),
    }


def _link(endpoint_name: str, description: str, parameters: dict[str, str]) -> dict[str, Any]:
    return {
        "operationId": operation_id(endpoint_name),
        "description": description,
        "parameters": parameters,
    }


def _request_body(model: type[BaseModel], settings: Settings) -> dict[str, Any]:
    """The schema of a body that we read ourselves, with a limit to its size.

    It names what these settings take, so that a client can be written or generated from it.
    """
    schema = model.model_json_schema()
    for name, known in _known_here(settings).items():
        if name in schema["properties"]:
            schema["properties"][name] |= known
    if "ratings" in schema["properties"]:
        for dimension in settings.dimensions:
            schema["properties"][dimension] = {"type": "number", **_stars(settings)}
    schema["additionalProperties"] = False
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    }


def _known_here(settings: Settings) -> dict[str, dict[str, Any]]:
    dimensions = list(settings.dimensions)
    return {
        "value": _stars(settings),
        "dimension": {"enum": [*dimensions, None]},
        "signal": {"enum": [*settings.implicit_signals, None]},
        "reasons": {"items": {"enum": list(settings.reasons)}},
        "ratings": {
            "propertyNames": {"enum": dimensions},
            "additionalProperties": {"type": "number", **_stars(settings)},
        },
    }


def _stars(settings: Settings) -> dict[str, int]:
    return {"minimum": 1, "maximum": settings.scale}
