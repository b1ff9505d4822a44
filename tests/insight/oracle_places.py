"""Every place that a report can be made of, each of which takes the same traces."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import mlflow
import sqlalchemy
from databricks.sdk import WorkspaceClient

from agent_feedback.insight.sources.mlflow_source import MlflowSource
from agent_feedback.insight.sources.source import Source
from agent_feedback.insight.warehouse.client import Warehouse
from agent_feedback.insight.warehouse.source import WarehouseSource
from tests.insight.mlflow_rows import store_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.fake_warehouse import FakeWarehouse
from tests.support.mlflow_store import tracking_at
from tests.support.warehouse_tables import Shape, create_trace_tables

Traces = Sequence[TraceSpec]
_WORDS = ("user_comment", "expected_response")
_JSON = re.compile(
    r'true|false|null|-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?|".*"|[{].*[}]|\[.*\]', re.DOTALL
)


@dataclass(frozen=True)
class Place:
    """A place.

    Attributes:
        store: Stores traces, apart from all others, and gives a source of them.
        as_read: The traces as the place can tell them, where it cannot tell everything.
    """

    store: Callable[[Traces], Source]
    as_read: Callable[[Traces], Traces] = tuple


@contextmanager
def mlflow_place(tracking_uri: str, database: str | None = None) -> Iterator[Place]:
    """Give MLflow's tracking store, each time with a new experiment.

    Args:
        tracking_uri: What MLflow is set to.
        database: The database behind it, where that is a server.
    """
    with tracking_at(tracking_uri) as tracking:
        numbers = itertools.count()

        def store(traces: Traces) -> Source:
            named = mlflow.create_experiment(f"{tracking.experiment_name}-{next(numbers)}")
            stored = _over_http(traces) if database else traces
            store_traces(database or tracking_uri, named, stored)
            if tracking_uri.startswith("postgresql"):
                # What its autovacuum does within a minute: without it, its plans are very slow.
                _execute(tracking_uri, "ANALYZE")
            return MlflowSource([named])

        yield Place(store, _over_http if database else tuple)


def postgres_with_tables(url: str, name: str) -> str:
    """Make a database with MLflow's tables on a PostgreSQL."""
    _execute(url, f"CREATE DATABASE {name}")
    made = url.replace("/postgres?", f"/{name}?")
    mlflow.tracking._tracking_service.utils._get_store(made).search_experiments()
    return made


def warehouse_place(fake: FakeWarehouse, shape: Shape) -> Place:
    """Give the FAKE workspace, each time with new tables of this shape."""
    numbers = itertools.count()
    warehouse = Warehouse(
        fake.warehouse_id,
        "main.reports",
        lambda: WorkspaceClient(host=fake.url, token="a-token"),
        sleep=lambda seconds: None,
    )

    def store(traces: Traces) -> Source:
        prefix = f"{shape.values}{next(numbers)}"
        create_trace_tables(fake, traces, "main", "reports", prefix, shape)
        return WarehouseSource(f"main.reports.{prefix}", warehouse)

    return Place(store, _as_text if shape.values == "text" else tuple)


def _execute(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def _over_http(traces: Traces) -> Traces:
    """Give what MLflow's client can read.

    Of an expectation not whether it is valid (3.17): its server's filter knows that, and what is
    read then says otherwise, so that no such expectation is stored there.
    """
    return tuple(
        replace(trace, assessments=tuple(map(_one_over_http, trace.assessments)))
        for trace in traces
    )


def _one_over_http(one: AssessmentSpec) -> AssessmentSpec:
    if one.kind == "expectation":
        return replace(one, valid=None)
    return replace(one, value=_as_doubles(one.value))


def _as_doubles(value: Any) -> Any:
    """Give all numbers as doubles, as protocol buffers have no others."""
    if isinstance(value, list):
        return [_as_doubles(one) for one in value]
    if isinstance(value, dict):
        return {name: _as_doubles(one) for name, one in value.items()}
    return float(value) if type(value) is int else value


def _as_text(traces: Traces) -> Traces:
    """Give what is left of values in a column of text, which says nothing of their types."""
    return tuple(
        replace(trace, assessments=tuple(map(_value_as_text, trace.assessments)))
        for trace in traces
    )


def _value_as_text(one: AssessmentSpec) -> AssessmentSpec:
    if one.name in _WORDS:
        is_apart = one.kind == "expectation" and isinstance(one.value, (list, dict))
        keeps = one.value is None or isinstance(one.value, str) or is_apart
        return one if keeps else replace(one, value=_text(one.value))
    if isinstance(one.value, str) and _JSON.fullmatch(one.value):
        return replace(one, value=json.loads(one.value))
    return one


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
