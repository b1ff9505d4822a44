"""How to read the views: the expression for each thing that a report needs, found by DESCRIBE.

The documented shape of both views and of their column ``assessments``:
https://docs.databricks.com/aws/en/mlflow3/genai/tracing/observe-with-traces/query-dbsql.
Names and types that other versions of MLflow write are taken too; what is needed and missing is
one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent_feedback.assessment_format import LEDGER_KEY, REASONS_KEY, SOURCE_RUN_KEY
from agent_feedback.insight.definitions.trace_keys import Column
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.warehouse.expressions import (
    Expression,
    entry_of,
    epoch_ms,
    field_of,
    json_of,
    text_of,
)
from agent_feedback.insight.warehouse.tables import Tables
from agent_feedback.insight.warehouse.type_strings import SqlType, parse_type

Columns = Mapping[str, SqlType]
"""The columns of a view, by their names in lower case."""

FROM_EITHER: Final = ("assessments", "trace_metadata", "tags")
"""Columns that both views are documented to have: read from the first that has them."""
_NEEDED: Final = ("trace_id", "request_time", "state", "execution_duration_ms")


@dataclass(frozen=True, slots=True)
class AssessmentFields:
    """SQL for the fields of one assessment, ``a``.

    ``value`` is JSON text, or, where ``is_bare``, a string without quotes, or else the JSON of what
    is no string.
    """

    assessment_id: str
    name: str
    source_type: str
    source_id: str
    value: str
    serialized: str
    is_bare: bool
    is_expectation: str
    rationale: str
    reasons: str
    is_marked: str
    is_valid: str
    is_on_trace: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class TraceView:
    """SQL for what a report reads of traces: ``t`` is the unified view, ``m`` the other one.

    Attributes:
        source: What follows FROM.
        assessments: The array of a trace's assessments.
        experiment: The experiment's id, where the view has it.
    """

    tables: Tables
    source: str
    trace_id: str
    request_time: Expression
    started_at: str
    duration_ms: str
    failed: str
    assessments: str
    assessment: AssessmentFields
    metadata: Expression
    tags: Expression | None
    experiment: str | None

    def value_at(self, column: Column) -> str:
        """A trace's metadata or tag of this name as a string; NULL where it is missing or empty."""
        kind, key = column
        holder = self.tags if kind == "tag" else self.metadata
        return "NULL" if holder is None else f"nullif({entry_of(holder, key)}, '')"


def columns_of(rows: Iterable[tuple[str, str]]) -> Columns:
    """The columns that ``DESCRIBE TABLE`` shows: names and types, up to the first blank name."""
    columns: dict[str, SqlType] = {}
    for name, type_ in rows:
        if not name or name.startswith("#"):
            break
        try:
            columns[name.lower()] = parse_type(type_)
        except ValueError:  # a column that cannot be read is as good as missing
            continue
    return columns


def trace_view(tables: Tables, unified: Columns, metadata: Columns | None = None) -> TraceView:
    """How to read the views.

    Args:
        metadata: The columns of the other view, where the unified one lacks some of
            :data:`FROM_EITHER`.

    Raises:
        ReportError: a column or a field that a report needs is missing, or has another type.
    """
    for name in _NEEDED:
        if name not in unified:
            raise _missing(tables, name)
    found = {
        name: Expression(f"{alias}.{name}", columns[name])
        for alias, columns in (("m", metadata or {}), ("t", unified))
        for name in FROM_EITHER
        if name in columns
    }
    for name in ("assessments", "trace_metadata"):
        if name not in found:
            raise _missing(tables, name)
    joined = any(expression.sql.startswith("m.") for expression in found.values())
    join = f"\n  LEFT JOIN {tables.metadata} AS m ON m.trace_id = t.trace_id" if joined else ""
    time = Expression("t.request_time", unified["request_time"])
    return TraceView(
        tables=tables,
        source=f"{tables.unified} AS t{join}",
        trace_id="t.trace_id",
        request_time=time,
        started_at=_time(tables, "request_time", time),
        # A duration in whole milliseconds is what MLflow's client reads too.
        duration_ms="CAST(floor(t.execution_duration_ms) AS BIGINT)",
        failed="t.state = 'ERROR'",
        assessments=found["assessments"].sql,
        assessment=_fields(tables, found["assessments"].type),
        metadata=found["trace_metadata"],
        tags=found.get("tags"),
        experiment="CAST(t.experiment_id AS STRING)" if "experiment_id" in unified else None,
    )


def _fields(tables: Tables, type_: SqlType) -> AssessmentFields:
    if type_.element is None or type_.element.name != "STRUCT":
        raise ReportError(
            f"The column assessments of {tables.unified} is no array of structs: its shape is not"
            " known to this version."
        )
    fields = _Fields(tables, Expression("a", type_.element))
    metadata = fields.needed("metadata")
    valid = fields.needed("valid")
    feedback = fields.needed("feedback.value")
    expectation = fields.optional("expectation.value")
    values = [one for one in (expectation, feedback) if one]
    is_bare = all(one.type.name == "STRING" for one in values)
    texts = [one.sql if is_bare else json_of(one) for one in values]
    return AssessmentFields(
        assessment_id=fields.text("assessment_id", "id"),
        name=fields.text("assessment_name", "name"),
        source_type=fields.text("source.source_type", "source_type"),
        source_id=fields.text("source.source_id", "source_id"),
        value=f"coalesce({', '.join(texts)})",
        # MLflow keeps an expectation that is a list or an object as JSON beside its value.
        serialized=fields.optional_text("expectation.serialized_value.value") or "NULL",
        is_bare=is_bare,
        # Also one whose value is null: feedback has none of either.
        is_expectation=(
            f"a.expectation IS NOT NULL AND {feedback.sql} IS NULL" if expectation else "FALSE"
        ),
        rationale=f"nullif({fields.text('rationale')}, '')",
        reasons=entry_of(metadata, REASONS_KEY),
        is_marked=f"{entry_of(metadata, LEDGER_KEY)} IS NOT NULL",
        is_valid=f"coalesce(lower(CAST({valid.sql} AS STRING)), 'true') <> 'false'",
        is_on_trace=_is_on_trace(fields, metadata),
        created_at=fields.time("create_time", "create_time_ms", "created_at"),
        updated_at=fields.time("last_update_time", "last_update_time_ms", "updated_at"),
    )


def _is_on_trace(fields: _Fields, metadata: Expression) -> str:
    places = (
        fields.optional_text("span_id"),
        fields.optional_text("run_id"),
        entry_of(metadata, SOURCE_RUN_KEY),
    )
    return "\n    AND ".join(f"coalesce({text}, '') = ''" for text in places if text is not None)


class _Fields:
    """Finds the fields of an assessment by their names."""

    def __init__(self, tables: Tables, assessment: Expression) -> None:
        self._tables = tables
        self._assessment = assessment

    def needed(self, *paths: str) -> Expression:
        """The first of these fields that there is."""
        for path in paths:
            if found := self.optional(path):
                return found
        raise _missing(self._tables, f"assessments.{paths[0]}")

    def text(self, *paths: str) -> str:
        return text_of(self.needed(*paths))

    def optional_text(self, path: str) -> str | None:
        found = self.optional(path)
        return text_of(found) if found else None

    def time(self, *paths: str) -> str:
        return _time(self._tables, f"assessments.{paths[0]}", self.needed(*paths))

    def optional(self, path: str) -> Expression | None:
        found: Expression | None = self._assessment
        for name in path.split("."):
            found = field_of(found, name) if found else None
        return found


def _time(tables: Tables, name: str, time: Expression) -> str:
    try:
        return epoch_ms(time)
    except ValueError:
        raise ReportError(
            f"The column {name} of {tables.unified} is no time: its shape is not known to this"
            " version."
        ) from None


def _missing(tables: Tables, column: str) -> ReportError:
    return ReportError(
        f"The view {tables.unified} has no column {column}: a report cannot be made of it. Check"
        " --tables, and that MLflow made these views."
    )
