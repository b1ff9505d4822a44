"""Tables of traces in a FAKE warehouse, in the shape that Databricks documents for its views.

Documented (docs.databricks.com/aws/en/mlflow3/genai/tracing/observe-with-traces/query-dbsql, read
in a public repository's extract of June 2026, not on the page itself): `<prefix>_trace_unified` has
`trace_id STRING, client_request_id STRING, request_time TIMESTAMP, state STRING,
execution_duration_ms DECIMAL(30,9), request STRING, response STRING, trace_metadata MAP<STRING,
STRING>, tags MAP<STRING, STRING>, spans LIST<STRUCT>, assessments LIST<STRUCT>`;
`<prefix>_trace_metadata` has `trace_id, client_request_id, tags, trace_metadata, assessments`: no
time, no state, no duration. The structs of `assessments` hold `assessment_id, assessment_name,
source, create_time, last_update_time, expectation, feedback, rationale, metadata, span_id,
overrides, valid`.

Seen (in a public repository: the text of the older view `mlflow_experiment_trace_unified`, as
DESCRIBE TABLE EXTENDED gave it): `trace_id` inside the struct too; `source` is
`STRUCT<source_id: STRING, source_type: STRING>`; `create_time` and `last_update_time` TIMESTAMP;
`feedback` is `STRUCT<value: STRING, error: STRUCT<…>>`, `expectation` is `STRUCT<value: STRING,
serialized_value: STRUCT<…, value: STRING, …>>`, whose values are what `from_json` makes of JSON:
`true`, `0.8`, text without quotes, JSON text of lists and objects; `valid` is a STRING, NULL where
nothing was said; there is no run id; deleted assessments are not there; `trace_id` is the spans',
so bare hexadecimal; a trace without assessments has an empty array, not NULL.

Assumed: that the views with a prefix kept those types. `Shape` changes them, since the report has
to look them up: `OTHER` is a second, made-up shape.
"""

import datetime
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.fake_warehouse import FakeWarehouse

_SPANS = "STRUCT(span_id VARCHAR, parent_span_id VARCHAR, name VARCHAR)[]"


@dataclass(frozen=True)
class Shape:
    """How the columns look."""

    name_field: str = "assessment_name"
    created_field: str = "create_time"
    updated_field: str = "last_update_time"
    values: Literal["text", "variant"] = "text"
    """What `feedback.value` and `expectation.value` are."""
    times: Literal["timestamp", "milliseconds"] = "timestamp"
    """What an assessment's times are; `request_time` is always a timestamp."""
    valid: Literal["text", "boolean"] = "text"
    metadata: Literal["map", "variant"] = "map"
    """What an assessment's metadata is."""
    flat_source: bool = False
    """Whether `source_id` and `source_type` stand beside the name instead of in `source`."""
    doubles: bool = False
    """Whether whole numbers are written as doubles: 1.0 for 1."""
    trace_ids: Literal["hex", "mlflow", "uri"] = "hex"
    """`<32 hex>`, `tr-<32 hex>`, or `trace:/<catalog>.<schema>.<prefix>/<32 hex>`."""
    left_out: tuple[str, ...] = ()
    """Columns of either view, and fields of `assessments`, that are not there."""


DOCUMENTED = Shape()
OTHER = Shape(
    name_field="name",
    created_field="created_at",
    updated_field="updated_at",
    values="variant",
    times="milliseconds",
    valid="boolean",
    metadata="variant",
    flat_source=True,
)


@dataclass(frozen=True)
class TraceTables:
    """The full names of what was created."""

    catalog: str
    schema: str
    prefix: str

    @property
    def unified(self) -> str:
        """The view with one row per trace, with times."""
        return f"{self.catalog}.{self.schema}.{self.prefix}_trace_unified"

    @property
    def metadata(self) -> str:
        """The view without times."""
        return f"{self.catalog}.{self.schema}.{self.prefix}_trace_metadata"


def create_trace_tables(
    warehouse: FakeWarehouse,
    specs: Iterable[TraceSpec],
    catalog: str,
    schema: str,
    prefix: str,
    shape: Shape = DOCUMENTED,
) -> TraceTables:
    """Make both views of these traces, anew where they are there already."""
    tables = TraceTables(catalog, schema, prefix)
    warehouse.engine.create_schema(catalog, schema)
    rows = [_row(spec, tables, shape) for spec in specs]
    unified = _columns(shape)
    bare = ("trace_id", "client_request_id", "tags", "trace_metadata", "assessments")
    metadata = ", ".join(f'"{name}"' for name in bare if name in unified)
    source = load_rows(warehouse, tables, "trace_unified", unified, rows)
    target = source.removesuffix('_trace_unified"') + '_trace_metadata"'
    warehouse.engine.duckdb(f"CREATE OR REPLACE TABLE {target} AS SELECT {metadata} FROM {source}")
    return tables


def assessment_fields(shape: Shape = DOCUMENTED) -> dict[str, str]:
    """Return the fields of one struct of `assessments`, with DuckDB's types."""
    value = "VARCHAR" if shape.values == "text" else "JSON"
    time = "TIMESTAMP" if shape.times == "timestamp" else "BIGINT"
    serialized = "STRUCT(serialization_format VARCHAR, value VARCHAR, stack_trace VARCHAR)"
    error = "STRUCT(error_code VARCHAR, error_message VARCHAR, stack_trace VARCHAR)"
    source = {"source": "STRUCT(source_id VARCHAR, source_type VARCHAR)"}
    flat = {"source_id": "VARCHAR", "source_type": "VARCHAR"}
    fields = {
        "assessment_id": "VARCHAR",
        "trace_id": "VARCHAR",
        shape.name_field: "VARCHAR",
        **(flat if shape.flat_source else source),
        shape.created_field: time,
        shape.updated_field: time,
        "expectation": f"STRUCT(value {value}, serialized_value {serialized})",
        "feedback": f"STRUCT(value {value}, error {error})",
        "rationale": "VARCHAR",
        "metadata": "MAP(VARCHAR, VARCHAR)" if shape.metadata == "map" else "JSON",
        "span_id": "VARCHAR",
        "overrides": "VARCHAR",
        "valid": "VARCHAR" if shape.valid == "text" else "BOOLEAN",
    }
    return {name: kind for name, kind in fields.items() if name not in shape.left_out}


def _columns(shape: Shape) -> dict[str, str]:
    fields = ", ".join(f'"{name}" {kind}' for name, kind in assessment_fields(shape).items())
    columns = {
        "trace_id": "VARCHAR",
        "client_request_id": "VARCHAR",
        "request_time": "TIMESTAMP",
        "state": "VARCHAR",
        "execution_duration_ms": "DECIMAL(30,9)",
        "request": "VARCHAR",
        "response": "VARCHAR",
        "trace_metadata": "MAP(VARCHAR, VARCHAR)",
        "tags": "MAP(VARCHAR, VARCHAR)",
        "spans": _SPANS,
        "assessments": f"STRUCT({fields})[]",
    }
    # A name that both have means the assessments' field, except for the whole column's own names.
    hidden = {name for name in shape.left_out if name != "trace_id"}
    return {name: kind for name, kind in columns.items() if name not in hidden}


def _row(spec: TraceSpec, tables: TraceTables, shape: Shape) -> dict[str, Any]:
    trace_id = _trace_id(spec.trace_id, tables, shape)
    return {
        "trace_id": trace_id,
        "client_request_id": None,
        "request_time": timestamp(spec.started_at),
        "state": spec.state,
        "execution_duration_ms": spec.duration_ms,
        "request": '{"input":"Hello"}',
        "response": '{"output":"Good day"}',
        "trace_metadata": dict(spec.metadata),
        "tags": dict(spec.tags),
        "spans": [{"span_id": "0123456789abcdef", "parent_span_id": "", "name": "agent"}],
        "assessments": [_assessment(each, trace_id, shape) for each in spec.assessments],
    }


def _trace_id(trace_id: str, tables: TraceTables, shape: Shape) -> str:
    bare = trace_id.removeprefix("tr-")
    if shape.trace_ids == "uri":
        return f"trace:/{tables.catalog}.{tables.schema}.{tables.prefix}/{bare}"
    return bare if shape.trace_ids == "hex" else trace_id


def _assessment(spec: AssessmentSpec, trace_id: str, shape: Shape) -> dict[str, Any]:
    feedback = spec.kind == "feedback"
    times = timestamp if shape.times == "timestamp" else int
    metadata = dict(spec.metadata)
    if spec.run_id is not None:
        metadata["mlflow.assessment.sourceRunId"] = spec.run_id
    row = {
        "assessment_id": spec.assessment_id,
        "trace_id": trace_id,
        shape.name_field: spec.name,
        "source": {"source_id": spec.source_id, "source_type": spec.source_type},
        "source_id": spec.source_id,
        "source_type": spec.source_type,
        shape.created_field: times(spec.created_at),
        shape.updated_field: times(spec.updated_at),
        "expectation": None if feedback else _expectation(spec.value, shape),
        "feedback": {"value": _value(spec.value, shape)} if feedback else None,
        "rationale": spec.rationale,
        "metadata": metadata,
        "span_id": spec.span_id,
        "overrides": spec.overrides,
        "valid": _valid(spec.valid, shape),
    }
    return {name: row[name] for name in assessment_fields(shape)}


def _expectation(value: Any, shape: Shape) -> dict[str, Any]:
    """MLflow keeps what is no plain value as JSON text, beside it."""
    if value is None or isinstance(value, str | int | float):
        return {"value": _value(value, shape), "serialized_value": None}
    text = json.dumps(value)
    return {
        "value": None,
        "serialized_value": {"serialization_format": "JSON_FORMAT", "value": text},
    }


def _value(value: Any, shape: Shape) -> Any:
    if shape.doubles and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if shape.values == "variant" or value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _valid(valid: bool | None, shape: Shape) -> Any:
    if valid is None or shape.valid == "boolean":
        return valid
    return "true" if valid else "false"


def timestamp(milliseconds: int) -> str:
    """Return epoch milliseconds as DuckDB reads a time."""
    seconds, rest = divmod(milliseconds, 1000)
    # datetime's own arithmetic would round through a float.
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest:03d}"


def load_rows(
    warehouse: FakeWarehouse,
    tables: TraceTables,
    kind: str,
    columns: dict[str, str],
    rows: list[dict[str, Any]],
) -> str:
    """Make the table of this kind (after the prefix), and return its name in DuckDB."""
    catalog = warehouse.engine.catalog(tables.catalog)
    table = f'"{catalog}"."{tables.schema}"."{tables.prefix}_{kind}"'
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    warehouse.engine.duckdb(f"CREATE OR REPLACE TABLE {table} ({declared})")
    if not rows:
        return table
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.ndjson"
        with path.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        warehouse.engine.duckdb(
            f"INSERT INTO {table} SELECT * FROM read_json(?, format='newline_delimited', "
            f"maximum_object_size=67108864, columns={{{types}}})",
            [str(path)],
        )
    return table
