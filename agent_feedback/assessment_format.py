"""How ratings and turns are written on an MLflow trace, and how they are read from it.

The only module that knows the metadata keys and MLflow's own entities. What decisions work with are
the values of :mod:`agent_feedback.model`.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from mlflow.entities import Assessment as MlflowAssessment
from mlflow.entities import AssessmentSource, Expectation, Feedback
from mlflow.entities.assessment import ExpectationValue, FeedbackValue

from agent_feedback.model import Assessment, Content, Kind, Rating, StoredTrace, TraceRecord
from agent_feedback.trace_id import to_assessments_id

# -- keys of a trace's metadata ---------------------------------------------------------------

ASKER_KEY: Final = "agent_feedback.asker"
"""The verified person who asked: who may rate the trace."""
STATE_KEY: Final = "agent_feedback.state"
"""How the turn ended: ``ok``, ``error`` or ``interrupted``."""
USER_VERIFIED_KEY: Final = "agent_feedback.user_verified"
"""``false`` where ``mlflow.trace.user`` is only what the request's body claims."""

# -- keys of an assessment's metadata: the mark of what agent_feedback wrote -------------------

LEDGER_KEY: Final = "agent_feedback.ledger"
"""The ledger that wrote it, by its id: replicas may have a ledger each."""
CHANGED_AT_KEY: Final = "agent_feedback.changed_at"
"""When the person last changed the rating, in milliseconds since the epoch."""
REASONS_KEY: Final = "agent_feedback.reasons"
"""The chosen reasons, as a JSON list."""

# MLflow writes this key with a trace's info, after the spans: without it, half of it is missing.
_INFO_WRITTEN_KEY = "mlflow.trace_schema.version"
SOURCE_RUN_KEY: Final = "mlflow.assessment.sourceRunId"
# After this long, a trace without the key was written by something else than MLflow's own client.
_MAX_STORING_MS = 60_000


def metadata_of(rating: Rating, ledger_id: str) -> dict[str, str]:
    """The mark that an assessment carries.

    MLflow merges metadata: a key can be overwritten and not removed. So all of them are always set.
    """
    return {
        LEDGER_KEY: ledger_id,
        CHANGED_AT_KEY: str(rating.changed_at),
        REASONS_KEY: json.dumps(rating.content.reasons),
    }


def new_assessment(rating: Rating, ledger_id: str) -> MlflowAssessment:
    """The rating as a new MLflow assessment, under the id that the ledger chose."""
    common: dict[str, Any] = {
        "name": rating.key.name,
        "value": rating.content.value,
        "source": AssessmentSource(source_type="HUMAN", source_id=rating.key.person),
        "trace_id": to_assessments_id(rating.key.trace_id),
        "metadata": metadata_of(rating, ledger_id),
    }
    assessment: MlflowAssessment = (
        Expectation(**common)
        if rating.key.kind == "expectation"
        else Feedback(rationale=rating.content.rationale, **common)
    )
    assessment.assessment_id = rating.assessment_id
    return assessment


def changed_fields(rating: Rating, ledger_id: str) -> dict[str, Any]:
    """The arguments of MLflow's ``update_assessment`` that leave nothing of what it said before."""
    value: Any = rating.content.value
    fields: dict[str, Any] = {
        "name": rating.key.name,
        "metadata": metadata_of(rating, ledger_id),
        "feedback": None,
        "expectation": None,
        "rationale": None,
    }
    if rating.key.kind == "expectation":
        return fields | {"expectation": ExpectationValue(value)}
    # An empty rationale clears the old one; None would keep it.
    rationale = rating.content.rationale or ""
    return fields | {"feedback": FeedbackValue(value), "rationale": rationale}


def stored_trace(trace_id: str, info: Any) -> StoredTrace:
    """An MLflow ``TraceInfo`` as a value, under the id that the caller knows the trace by."""
    return StoredTrace(
        trace_id=trace_id,
        client_request_id=info.client_request_id,
        asker=info.trace_metadata.get(ASKER_KEY),
        assessments=tuple(map(_to_assessment, info.assessments or ())),
        is_whole=_INFO_WRITTEN_KEY in info.trace_metadata or _age_ms(info) > _MAX_STORING_MS,
        experiment_id=info.experiment_id,
    )


def trace_record(info: Any) -> TraceRecord:
    """An MLflow ``TraceInfo`` as a report reads it."""
    return TraceRecord(
        trace_id=info.trace_id,
        experiment_id=info.experiment_id,
        started_at=int(info.request_time),
        duration_ms=info.execution_duration,
        failed=str(info.state) == "ERROR",
        metadata=info.trace_metadata,
        tags=info.tags,
        assessments=tuple(map(_to_assessment, info.assessments or ())),
    )


def changed_at(found: Assessment) -> int | None:
    """When its person last changed a rating of ours; ``None`` where we did not write it."""
    try:
        return int(found.metadata[CHANGED_AT_KEY])
    except (KeyError, ValueError):
        return None


def is_marked(found: Assessment) -> bool:
    """Whether agent_feedback wrote this assessment."""
    return LEDGER_KEY in found.metadata


def _age_ms(info: Any) -> float:
    ended_at = int(info.request_time) + int(info.execution_duration or 0)
    return time.time() * 1000 - ended_at


def _to_assessment(found: MlflowAssessment) -> Assessment:
    kind: Kind = "expectation" if found.expectation is not None else "feedback"
    metadata = dict(found.metadata or {})
    holder = found.expectation or found.feedback
    return Assessment(
        assessment_id=found.assessment_id or "",
        name=found.name,
        kind=kind,
        source_type=str(found.source.source_type),
        source_id=found.source.source_id or "",
        content=Content(
            getattr(holder, "value", None),
            found.rationale or None,
            read_reasons(metadata.get(REASONS_KEY)),
        ),
        metadata=metadata,
        valid=found.valid is not False,
        # An evaluation run copies its judgements onto the trace, and names itself in them.
        on_trace=not found.span_id and not found.run_id and not metadata.get(SOURCE_RUN_KEY),
        created_at=found.create_time_ms or 0,
        updated_at=found.last_update_time_ms or 0,
    )


def read_reasons(text: str | None) -> tuple[str, ...]:
    """The chosen reasons, as :data:`REASONS_KEY` has them; none where it holds anything else."""
    try:
        reasons = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, reasons)) if isinstance(reasons, list) else ()
