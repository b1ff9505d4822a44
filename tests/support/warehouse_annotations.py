"""The append-only table of annotations in a FAKE warehouse, beneath the views of traces.

Documented (docs.databricks.com/aws/en/mlflow3/genai/tracing/observe-with-traces/query-dbsql, read
in an extract, see `warehouse_tables.py`; it advises to read the views, since this table may
change): the columns below; `target_type` TRACE or SPAN with `target_id` `<trace id>` or `<trace
id>:<span id>`; `annotation_type` METADATA (one row a trace, named `metadata`), TAG (one row a tag),
FEEDBACK and EXPECTATION (`annotation_id` is the assessment's id, the rationale is in `comment`) and
RUN_LINK; a change or a deletion is one more row: the latest by `updated_at` counts, unless its
`deleted_at` is set.

Assumed: that a value is there as it is; that trace ids are bare hexadecimal, as in the views; that
`created_by` is who wrote it. Where the assessment's source is, is not documented: here it is in the
metadata, as `mlflow.assessment.sourceType` and `mlflow.assessment.sourceId`, names made up.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.fake_warehouse import FakeWarehouse
from tests.support.warehouse_tables import TraceTables, load_rows, timestamp

COLUMNS = {
    "annotation_id": "VARCHAR",
    "target_type": "VARCHAR",
    "target_id": "VARCHAR",
    "annotation_type": "VARCHAR",
    "name": "VARCHAR",
    "value": "JSON",
    "comment": "VARCHAR",
    "metadata": "JSON",
    "created_at": "TIMESTAMP",
    "created_by": "VARCHAR",
    "updated_at": "TIMESTAMP",
    "updated_by": "VARCHAR",
    "deleted_at": "TIMESTAMP",
    "deleted_by": "VARCHAR",
}


def create_annotations(
    warehouse: FakeWarehouse,
    specs: Iterable[TraceSpec],
    tables: TraceTables,
    deleted: Collection[str] = (),
) -> str:
    """Make `<prefix>_otel_annotations` of these traces, and return its full name.

    An assessment that was updated after its creation has two rows, one in `deleted` one more.
    """
    rows = [row for spec in specs for row in _rows(spec, deleted)]
    warehouse.engine.create_schema(tables.catalog, tables.schema)
    load_rows(warehouse, tables, "otel_annotations", COLUMNS, rows)
    return f"{tables.catalog}.{tables.schema}.{tables.prefix}_otel_annotations"


def _rows(spec: TraceSpec, deleted: Collection[str]) -> Iterator[dict[str, Any]]:
    trace_id = spec.trace_id.removeprefix("tr-")
    at = spec.started_at
    value = {"client_request_id": None, "trace_metadata": dict(spec.metadata)}
    yield _row(_derived(trace_id, "metadata"), trace_id, "METADATA", "metadata", value, at)
    for key, text in spec.tags.items():
        yield _row(_derived(trace_id, key), trace_id, "TAG", key, text, at)
    for assessment in spec.assessments:
        yield from _versions(assessment, trace_id, deleted)


def _versions(
    spec: AssessmentSpec, trace_id: str, deleted: Collection[str]
) -> Iterator[dict[str, Any]]:
    source = {
        "mlflow.assessment.sourceType": spec.source_type,
        "mlflow.assessment.sourceId": spec.source_id,
    }
    row = _row(
        spec.assessment_id, trace_id, spec.kind.upper(), spec.name, spec.value, spec.created_at
    )
    row |= {"metadata": {**spec.metadata, **source}, "created_by": spec.source_id}
    if spec.span_id is not None:
        row |= {"target_type": "SPAN", "target_id": f"{trace_id}:{spec.span_id}"}
    if spec.updated_at > spec.created_at:
        yield {**row, "value": None}
    row |= {"comment": spec.rationale, "updated_at": timestamp(spec.updated_at)}
    yield row
    if spec.assessment_id in deleted:
        later = timestamp(spec.updated_at + 1)
        yield {**row, "updated_at": later, "deleted_at": later, "deleted_by": spec.source_id}


def _row(
    annotation_id: str, trace_id: str, kind: str, name: str, value: Any, at: int
) -> dict[str, Any]:
    given = {
        "annotation_id": annotation_id,
        "target_type": "TRACE",
        "target_id": trace_id,
        "annotation_type": kind,
        "name": name,
        "value": value,
        "created_at": timestamp(at),
        "updated_at": timestamp(at),
    }
    return {**dict.fromkeys(COLUMNS), **given}


def _derived(trace_id: str, name: str) -> str:
    return hashlib.sha256(json.dumps([trace_id, name]).encode()).hexdigest()[:32]
