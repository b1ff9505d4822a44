"""The feedback routes' bodies, for validation and for the app's OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from agent_feedback import trace_id
from agent_feedback.agent.request_fields import MAX_REQUEST_ID
from agent_feedback.service.forms import MAX_CORRECTION, MAX_RATIONALE
from agent_feedback.settings import MAX_REASON

# For readers and generators of clients: who decides is `trace_id.parse` and `is_client_request_id`,
# which know more of the catalog's names.
TRACE_ID_FORM = r"^(tr-|trace:/[^/]{3,767}/)?[0-9a-f]{32}$"
REQUEST_ID_FORM = r"^[A-Za-z0-9._:-]{1,50}$"

_MAX_REASONS = 20
# The longest way to write one character in JSON: two escapes, as in "\\ud83d\\ude00".
_BYTES_OF_A_CHARACTER = 12
# Members' names, a dimension or a signal, numbers, punctuation, and the spaces of a pretty print.
_BYTES_OF_THE_REST = 8 * 1024
_CHARACTERS = (
    MAX_RATIONALE
    + MAX_CORRECTION
    + _MAX_REASONS * MAX_REASON
    + trace_id.MAX_LENGTH
    + MAX_REQUEST_ID
)
MAX_BODY = _BYTES_OF_A_CHARACTER * _CHARACTERS + _BYTES_OF_THE_REST
"""Bytes that hold whatever the limits of a body's members allow, in any script and encoding."""

_TRACE = "tr-0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_RATING: dict[str, Any] = {
    "status": "ok",
    "trace_id": _TRACE,
    "client_request_id": "5f0c…",
    "name": "user_feedback",
    "value": True,
    "rationale": "Short and right.",
    "reasons": ["correct"],
    "assessment_id": "a-7d3f…",
    "revision": 1,
    "updated_at": "2026-11-23T12:00:00+00:00",
}
_RATIONALE: dict[str, Any] = {"maxLength": MAX_RATIONALE}
_CORRECTION: dict[str, Any] = {"maxLength": MAX_CORRECTION}
Status = Literal["ok", "pending"]
Stars = StrictInt | StrictFloat
Reason = Annotated[StrictStr, Field(max_length=MAX_REASON)]
Reasons = Annotated[list[Reason], Field(max_length=_MAX_REASONS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Targeted(_Strict):
    trace_id: StrictStr | None = Field(
        None,
        description="The answer's trace, as the answer gave it.",
        examples=[_TRACE],
        json_schema_extra={"pattern": TRACE_ID_FORM},
    )
    client_request_id: StrictStr | None = Field(
        None,
        description="Or the id of the request; the newest answer of yours with it is meant.",
        json_schema_extra={"pattern": REQUEST_ID_FORM},
    )


class FeedbackBody(_Targeted):
    """A rating: a thumb, a dimension's stars, a comment, a correction, or a signal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"trace_id": _TRACE, "value": True},
                {
                    "trace_id": _TRACE,
                    "value": False,
                    "reasons": ["incorrect"],
                    "rationale": "The office opens at nine.",
                    "correction": "The office opens at nine, on Fridays at ten.",
                },
                {"trace_id": _TRACE, "dimension": "accuracy", "value": 4},
            ]
        }
    )

    value: StrictBool | Stars | None = Field(
        None, description="A thumb's true or false; with a dimension, its stars."
    )
    is_positive: StrictBool | None = Field(None, description="Another name for a thumb's value.")
    dimension: StrictStr | None = Field(None, description="What the stars are for.")
    rationale: StrictStr | None = Field(
        None, description="Why; alone it is a comment.", json_schema_extra=_RATIONALE
    )
    reasons: Reasons | None = Field(None, description="Some of those that the settings name.")
    correction: StrictStr | None = Field(
        None, description="What the answer should have been.", json_schema_extra=_CORRECTION
    )
    signal: StrictStr | None = Field(None, description="copy, regenerate or stop, if taken here.")

    @model_validator(mode="after")
    def _one_value(self) -> FeedbackBody:
        if self.is_positive is not None:
            if self.value not in (None, self.is_positive):
                raise ValueError("value and is_positive disagree")
            self.value = self.is_positive
        return self


class DetailedBody(_Targeted):
    """Stars for several dimensions at once.

    The flat form's members are the settings' dimensions, which no class can name: whoever reads a
    body refuses others before.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"trace_id": _TRACE, "ratings": {"accuracy": 5, "relevance": 3}},
                {"trace_id": _TRACE, "accuracy": 5, "helpfulness": 4, "relevance": 3},
            ]
        },
    )

    ratings: dict[StrictStr, Stars] | None = Field(
        None, description="Stars by dimension; the flat form names the dimensions as members."
    )
    rationale: StrictStr | None = Field(
        None, description="Goes to the first dimension.", json_schema_extra=_RATIONALE
    )
    reasons: Reasons | None = Field(None, description="Go to the first dimension.")


class AmendBody(_Strict):
    """A partial change: what is absent is kept, ``null`` clears."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"value": False, "rationale": "Out of date by now."}]},
    )

    value: StrictBool | Stars | None = None
    rationale: StrictStr | None = Field(None, json_schema_extra=_RATIONALE)
    reasons: Reasons | None = None
    correction: StrictStr | None = Field(None, json_schema_extra=_CORRECTION)


class RatingBody(BaseModel):
    """A rating that is durable: ``ok`` once MLflow has it, ``pending`` before."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RATING]})

    status: Status
    trace_id: str
    client_request_id: str | None
    name: str = Field(description="user_feedback, user_<dimension>, user_comment, …")
    value: bool | float | str | None = Field(
        description="A thumb's bool, a dimension's stars, a correction's text."
    )
    rationale: str | None
    reasons: list[str]
    assessment_id: str = Field(min_length=1)
    revision: int = Field(ge=1, description="Raised by every change and withdrawal.")
    updated_at: str = Field(
        description="ISO 8601, in UTC.", json_schema_extra={"format": "date-time"}
    )


class FeedbackAnswer(RatingBody):
    """As :class:`RatingBody`, with the correction that came along."""

    correction: RatingBody | None = None


class WithdrawalAnswer(RatingBody):
    """As :class:`RatingBody`, with the correction that stays when its thumb is withdrawn."""

    correction: RatingBody | None = Field(
        None,
        description="Of a thumb: the correction that stays, null where there is none, absent where"
        " only MLflow could tell and is away. dimension=expected_response withdraws it.",
    )


class DetailedAnswer(BaseModel):
    """The ratings of several dimensions; pending where any of them is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "trace_id": _TRACE,
                    "ratings": [{**_RATING, "name": "user_accuracy", "value": 4}],
                }
            ]
        }
    )

    status: Status
    trace_id: str
    ratings: list[RatingBody] = Field(min_length=1)


class SettingsBody(BaseModel):
    """What a widget needs to know."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dimensions": ["accuracy", "helpfulness", "relevance"],
                    "scale": 5,
                    "reasons": ["correct", "incorrect"],
                    "implicit_signals": ["copy"],
                    "limits": {"rationale": 4000, "correction": 8000},
                    "person": "6f1d…",
                }
            ]
        }
    )

    dimensions: list[str]
    scale: int
    reasons: list[str]
    implicit_signals: list[str]
    limits: dict[str, int]
    person: str | None = Field(
        description="An opaque key of who asks, the same on every replica; null for nobody."
    )


class StatusBody(BaseModel):
    """How delivery is doing; no user's data."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "pending": 2,
                    "oldest_pending_seconds": 3.5,
                    "undeliverable": 0,
                    "deliveries_per_minute": 12,
                    "last_error": "RESOURCE_DOES_NOT_EXIST",
                    "mlflow": "ok",
                    "durability": "durable",
                }
            ]
        }
    )

    pending: int
    oldest_pending_seconds: float
    undeliverable: int = Field(description="MLflow will never take these; they are kept.")
    deliveries_per_minute: int = Field(description="In the last 60 seconds, by every process.")
    last_error: str | None = Field(description="The class of the newest failure still waiting.")
    mlflow: str = Field(description='"ok", or "away" while it does not answer.')
    durability: str = Field(description='"durable", or "until_redeploy" on an ephemeral disk.')


class ErrorBody(BaseModel):
    """What went wrong, in one sentence."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"detail": "There is no such answer to rate."}]}
    )

    detail: str
