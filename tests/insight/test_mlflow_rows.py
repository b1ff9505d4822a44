"""The loader of traces, against what MLflow reads, and against the rows that it writes itself."""

import json
from typing import Any

import mlflow
import sqlalchemy
from mlflow.entities import AssessmentSource, Feedback, TraceInfo, TraceLocation, TraceState
from mlflow.tracing.client import TracingClient

from tests.insight.mlflow_rows import store_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.mlflow_store import Tracking

SPEC = TraceSpec(
    "tr-1",
    started_at=1_700_000_000_123,
    duration_ms=None,
    state="IN_PROGRESS",
    metadata={"mlflow.trace.session": "s-1", "mlflow.modelId": "m-1"},
    tags={"mlflow.traceName": "answer", "team": "red"},
    assessments=(
        AssessmentSpec(
            *("a-1", "user_feedback", "HUMAN", "ann@x", True, 1, 2),
            rationale="good",
            metadata={"agent_feedback.reasons": "[]"},
        ),
        AssessmentSpec("a-2", "user_feedback", "CODE", "default", "no", 3, 4, valid=False),
        AssessmentSpec("a-3", "user_accuracy", "HUMAN", "", 0.4, 5, 6, valid=True, overrides="a-2"),
        AssessmentSpec("a-4", "odd", "LLM_JUDGE", "j", {"a": [1, None]}, 7, 8, span_id="f" * 16),
        AssessmentSpec(
            *("a-5", "expected_response", "HUMAN", "bob", "Paris", 9, 10),
            kind="expectation",
            run_id="r-1",
        ),
    ),
)


def read_back(info: TraceInfo) -> TraceSpec:
    """Make the specification that MLflow's view of a trace has."""
    return TraceSpec(
        info.trace_id,
        started_at=info.request_time,
        duration_ms=info.execution_duration,
        state=info.state.value,  # type: ignore[arg-type]
        metadata=info.trace_metadata,
        tags=info.tags,
        assessments=tuple(
            sorted(map(_assessment, info.assessments), key=lambda one: one.assessment_id)
        ),
    )


def _assessment(one: Any) -> AssessmentSpec:
    return AssessmentSpec(
        *(one.assessment_id, one.name, one.source.source_type, one.source.source_id),
        *((one.feedback or one.expectation).value, one.create_time_ms, one.last_update_time_ms),
        kind="expectation" if one.expectation else "feedback",
        rationale=one.rationale,
        metadata=one.metadata or {},
        valid=None if one.valid and one.assessment_id != "a-3" else one.valid,
        span_id=one.span_id,
        run_id=one.run_id,
        overrides=one.overrides,
    )


def test_mlflow_reads_back_what_was_stored(tracking: Tracking) -> None:
    """Nothing of a trace or its assessments is lost or changed on its way through the tables."""
    store_traces(tracking.uri, tracking.experiment_id, [SPEC])
    found, _ = TracingClient().store.search_traces(locations=[tracking.experiment_id])
    assert [read_back(info) for info in found] == [SPEC]


def test_the_rows_are_those_that_mlflow_writes(tracking: Tracking) -> None:
    """A trace that MLflow stored itself differs in its ids, and in what only MLflow marks."""
    metadata, tags = {"mlflow.trace.session": "s-1"}, {"mlflow.traceName": "answer"}
    given = TraceInfo(
        trace_id="tr-mlflow",
        trace_location=TraceLocation.from_experiment_id(tracking.experiment_id),
        request_time=5,
        execution_duration=1000,
        state=TraceState.OK,
        trace_metadata=metadata,
        tags=tags,
    )
    TracingClient().store.start_trace(given)
    source = AssessmentSource("HUMAN", "ann@x")
    mlflow.log_assessment("tr-mlflow", Feedback(name="user_accuracy", value=0.4, source=source))
    rating = AssessmentSpec("a-ours", "user_accuracy", "HUMAN", "ann@x", 0.4, 1, 2)
    spec = TraceSpec("tr-ours", 5, metadata=metadata, tags=tags, assessments=(rating,))
    store_traces(tracking.uri, tracking.experiment_id, [spec])
    theirs, ours = rows(tracking, "tr-mlflow"), rows(tracking, "tr-ours")
    assert ours == theirs


def rows(tracking: Tracking, trace_id: str) -> dict[str, Any]:
    """Read a trace's own row, and its assessment's, without what differs by itself."""
    engine = sqlalchemy.create_engine(tracking.uri)
    own = {"request_id", "trace_id", "assessment_id", "created_timestamp", "last_updated_timestamp"}
    with engine.connect() as connection:
        found = [
            connection.execute(sqlalchemy.text(statement), {"id": trace_id}).mappings().one()
            for statement in (
                "SELECT * FROM trace_info WHERE request_id = :id",
                "SELECT * FROM assessments WHERE trace_id = :id",
            )
        ]
    engine.dispose()
    joined = {name: value for row in found for name, value in row.items() if name not in own}
    return joined | {"value": json.loads(joined["value"])}
