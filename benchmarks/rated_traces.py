"""An MLflow store in SQLite with many traces, of which some are rated, for `benchmarks.report`."""

import json
import random
from collections.abc import Iterator

import mlflow
import sqlalchemy
from mlflow.store.tracking.dbmodels.models import SqlSpan

from agent_feedback.assessment_format import LEDGER_KEY, REASONS_KEY
from agent_feedback.insight.definitions.window import Window
from tests.insight.mlflow_rows import store_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

WINDOW = Window(1_800_000_000_000, 1_800_000_000_000 + 7 * 86_400_000)
EXPERIMENT = "rated"
RATED = 0.03
_REASONS = ("incorrect", "incomplete", "out of date", "too long")
_WORDS = ("the answer", "a dead link", "travel policy", "expenses", "is wrong", "is missing", "old")


def build_store(uri: str, traces: int, *, with_spans: bool) -> str:
    """Fill a new store; with spans, MLflow can fetch each trace by itself.

    Returns:
        The experiment's id.
    """
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment(EXPERIMENT)
    store_traces(uri, experiment, specs(traces))
    if with_spans:
        _copy_a_span_to_every_trace(uri)
    return str(experiment)


def specs(traces: int) -> Iterator[TraceSpec]:
    """Make traces of a week, the oldest first."""
    chance = random.Random(13)
    length = WINDOW.until - WINDOW.since
    for number in range(traces):
        started_at = WINDOW.since + number * length // traces
        duration = int(chance.lognormvariate(1, 0.6) * 1000)
        yield TraceSpec(
            f"tr-{number:032x}",
            started_at,
            duration_ms=duration,
            state="ERROR" if chance.random() < RATED else "OK",
            metadata={
                "mlflow.trace.session": f"session-{number // 4}",
                "mlflow.trace.user": f"person{number % 500}@example.com",
                "mlflow.modelId": f"m-{number * 3 // traces}",
                "mlflow.source.type": "LOCAL",
                "mlflow.trace_schema.version": "3",
                "mlflow.traceInputs": '{"input": "How do I claim a train ticket?"}',
                "mlflow.traceOutputs": '{"output": "With the form that the policy names."}',
            },
            tags={"mlflow.traceName": "answer", "mlflow.trace.spansLocation": "TRACKING_STORE"},
            assessments=tuple(_assessments(chance, number, started_at + duration)),
        )


def _assessments(chance: random.Random, number: int, ended_at: int) -> Iterator[AssessmentSpec]:
    good = chance.random() < 0.8
    if number % 10 == 0:
        judged = good if chance.random() < 0.85 else not good
        yield _spec(f"a-{number}-judge", "correctness", "judge", judged, ended_at, "LLM_JUDGE")
    if chance.random() >= RATED:
        return
    # A few people rate very much.
    person = f"person{int(chance.paretovariate(0.9))}@example.com"
    rated_at = ended_at + int(chance.expovariate(1 / 60_000))
    words = " ".join(chance.sample(_WORDS, 3)) if chance.random() < 0.3 else None
    reasons = [chance.choice(_REASONS)] if not good else []
    yield _spec(
        f"a-{number}-thumb", "user_feedback", person, good, rated_at, words=words, reasons=reasons
    )
    for name in ("accuracy", "helpfulness"):
        if chance.random() < 0.2:
            stars = chance.randint(1, 5) / 5
            yield _spec(f"a-{number}-{name}", f"user_{name}", person, stars, rated_at)


def _spec(
    assessment_id: str,
    name: str,
    source_id: str,
    value: object,
    at: int,
    source_type: str = "HUMAN",
    *,
    words: str | None = None,
    reasons: list[str] | None = None,
) -> AssessmentSpec:
    mark = {LEDGER_KEY: "ledger", REASONS_KEY: json.dumps(reasons or [])}
    return AssessmentSpec(
        *(assessment_id, name, source_type, source_id, value, at, at),  # type: ignore[arg-type]
        rationale=words,
        metadata=mark if source_type == "HUMAN" else {},
    )


def _copy_a_span_to_every_trace(uri: str) -> None:
    """Give each trace one span: a copy of one that MLflow wrote."""
    mlflow.set_experiment("spans")
    with mlflow.start_span("answer") as span:
        span.set_inputs({"input": "How do I claim a train ticket?"})
    mlflow.flush_trace_async_logging()
    engine = sqlalchemy.create_engine(uri)
    table = SqlSpan.__table__
    generated = {column.name for column in table.columns if column.computed is not None}
    with engine.begin() as connection:
        query = sqlalchemy.select(table).where(table.c.trace_id == span.trace_id)
        row = {
            name: value
            for name, value in connection.execute(query).mappings().one().items()
            if name not in generated
        }
        ids = connection.exec_driver_sql("SELECT request_id FROM trace_info")
        others = [one for (one,) in ids if one != span.trace_id]
        copies = [row | {"trace_id": trace_id} for trace_id in others]
        connection.execute(sqlalchemy.insert(table), copies)
    engine.dispose()
