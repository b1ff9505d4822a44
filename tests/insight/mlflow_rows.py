"""Puts traces into MLflow's own tables, in bulk and with exact times.

MLflow's API sets the times of assessments itself, and takes milliseconds for each row.
``tests/insight/test_mlflow_rows.py`` holds what is read back to what MLflow writes itself.
"""

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import sqlalchemy
from mlflow.store.tracking.dbmodels import models

from tests.insight.trace_specs import AssessmentSpec, TraceSpec

Row = dict[str, Any]
_BATCH = 5_000
_TRACE_NAME = "mlflow.traceName"
_SESSION = "mlflow.trace.session"


def store_traces(store_uri: str, experiment_id: str, specs: Iterable[TraceSpec]) -> None:
    """Store traces in an experiment of a store that has MLflow's tables: SQLite or PostgreSQL.

    Ids of traces and assessments are unique in a store, not in an experiment.
    """
    engine = sqlalchemy.create_engine(store_uri)
    remaining = iter(specs)
    try:
        with engine.begin() as connection:
            while batch := list(islice(remaining, _BATCH)):
                _insert(connection, models.SqlTraceInfo, _traces(batch, experiment_id))
                _insert(connection, models.SqlTraceTag, _pairs(batch, lambda spec: spec.tags))
                _insert(
                    connection, models.SqlTraceMetadata, _pairs(batch, lambda spec: spec.metadata)
                )
                _insert(connection, models.SqlAssessments, _assessments(batch, experiment_id))
    finally:
        engine.dispose()


def _insert(connection: sqlalchemy.Connection, model: Any, rows: list[Row]) -> None:
    """Insert rows; values for columns that this release of MLflow lacks are left out."""
    known = {column.name for column in model.__table__.columns}
    kept = [{name: row[name] for name in row.keys() & known} for row in rows]
    if kept:
        connection.execute(sqlalchemy.insert(model.__table__), kept)


def _has_column(model: Any, name: str) -> bool:
    return name in model.__table__.columns


def _traces(specs: list[TraceSpec], experiment_id: str) -> list[Row]:
    return [
        {
            "request_id": spec.trace_id,
            "experiment_id": int(experiment_id),
            "timestamp_ms": spec.started_at,
            "execution_time_ms": spec.duration_ms,
            "status": spec.state,
            # MLflow 3.17 keeps these in columns, where its older releases have tags and metadata.
            "trace_name": spec.tags.get(_TRACE_NAME),
            "session_id": spec.metadata.get(_SESSION),
        }
        for spec in specs
    ]


def _pairs(specs: list[TraceSpec], pairs_of: Callable[[TraceSpec], Any]) -> list[Row]:
    in_columns = set()
    if _has_column(models.SqlTraceInfo, "trace_name"):
        in_columns.add(_TRACE_NAME)
    if _has_column(models.SqlTraceInfo, "session_id"):
        in_columns.add(_SESSION)
    return [
        {"request_id": spec.trace_id, "key": key, "value": value}
        for spec in specs
        for key, value in pairs_of(spec).items()
        if key not in in_columns
    ]


def _assessments(specs: list[TraceSpec], experiment_id: str) -> list[Row]:
    return [
        _assessment(one, spec) | {"experiment_id": int(experiment_id)}
        for spec in specs
        for one in spec.assessments
    ]


def _assessment(spec: AssessmentSpec, trace: TraceSpec) -> Row:
    aggregate, is_numeric = _aggregate(spec.value)
    return {
        "assessment_id": spec.assessment_id,
        "trace_id": trace.trace_id,
        "name": spec.name,
        "assessment_type": spec.kind,
        "value": json.dumps(spec.value),
        "error": None,
        "created_timestamp": spec.created_at,
        "last_updated_timestamp": spec.updated_at,
        "source_type": spec.source_type,
        "source_id": spec.source_id,
        "run_id": spec.run_id,
        "span_id": spec.span_id,
        "rationale": spec.rationale,
        "overrides": spec.overrides,
        # MLflow's column is never null: it stores true where nothing was said.
        "valid": spec.valid is not False,
        "assessment_metadata": json.dumps(dict(spec.metadata)) if spec.metadata else None,
        # What MLflow 3.17 copies here for its own counting.
        "trace_timestamp_ms": trace.started_at,
        "aggregate_value": aggregate,
        "is_numeric_value": is_numeric,
    }


def _aggregate(value: Any) -> tuple[float | None, bool]:
    try:
        from mlflow.store.tracking.utils.trace_analytics import assessment_aggregate
    except ImportError:  # an older release, which has no such column
        return None, False
    aggregate, is_numeric = assessment_aggregate(value)
    return aggregate, is_numeric
