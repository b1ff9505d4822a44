"""Traces as plain data, to be stored in every place that a report can be made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class AssessmentSpec:
    """One assessment, with everything that MLflow keeps of it. Times are epoch milliseconds."""

    assessment_id: str
    name: str
    source_type: Literal["HUMAN", "LLM_JUDGE", "CODE"]
    source_id: str
    value: Any
    """Whatever JSON can hold."""
    created_at: int
    updated_at: int
    kind: Literal["feedback", "expectation"] = "feedback"
    rationale: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    valid: bool | None = None
    """``None`` as MLflow stores it where nothing was said."""
    span_id: str | None = None
    run_id: str | None = None
    overrides: str | None = None


@dataclass(frozen=True)
class TraceSpec:
    """One trace."""

    trace_id: str
    started_at: int
    duration_ms: int | None = 1000
    state: Literal["OK", "ERROR", "IN_PROGRESS"] = "OK"
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    assessments: tuple[AssessmentSpec, ...] = ()
