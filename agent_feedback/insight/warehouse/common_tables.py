"""What counts, stated once in SQL: the common table expressions that every statement begins with.

They say what ``classes``, ``values`` and ``trace_keys`` of ``insight/definitions`` say in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent_feedback.insight.definitions.classes import NOBODY
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import (
    MAX_GROUPS,
    NONE,
    OTHER,
    SESSION_COLUMN,
    VERSION_COLUMNS,
    TraceKey,
)
from agent_feedback.insight.definitions.window import DAY_MS, HOUR_MS, Window
from agent_feedback.insight.warehouse.constants import Constants, lines, literal
from agent_feedback.insight.warehouse.expressions import json_of_text, time_of
from agent_feedback.insight.warehouse.view import TraceView
from agent_feedback.model import (
    ANONYMOUS,
    COMMENT,
    CORRECTION,
    DIMENSION_PREFIX,
    SIGNAL_PREFIX,
    THUMB,
)

# The expressions of the numbers that a string may hold: see insight/definitions/values.py.
_NUMBER_IN_TEXT: Final = literal("^[+-]?[0-9]{1,30}([.][0-9]{1,30})?$")
_IS_NUMBER: Final = "value RLIKE '^-?[0-9]'"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the traces of a window.

    Attributes:
        places: Whether each trace also has its bucket, its group and its side of a comparison.
        experiments: Ids; empty for all traces of the view.
        part: Counts only the traces of this part of the window; ``None`` for all of it. Buckets,
            and which groups are the largest, stay those of the window: what is counted in its
            parts adds up to what is counted in it.
    """

    view: TraceView
    options: ReportOptions
    window: Window
    places: bool = False
    experiments: tuple[str, ...] = ()
    part: Window | None = None

    @property
    def ranks(self) -> bool:
        """Whether the traces of the whole window decide which groups are named."""
        return self.places and self.options.by is not None


Table = tuple[str, str]
"""A common table expression: its name, and its SELECT."""


def definitions(question: Question, constants: Constants, more: Sequence[Table] = ()) -> str:
    """The WITH clause of a statement, which may add expressions of its own (``more``)."""
    tables = [
        *_traces(question, constants),
        ("assessments", _assessments(question.view)),
        ("named", _named(question, constants)),
        ("classified", _classified(question.options, constants)),
        ("counting", _COUNTING),
        ("ratings", _RATINGS),
    ]
    listed = ",\n".join(f"{name} AS (\n  {select}\n)" for name, select in [*tables, *more])
    return f"WITH\n{listed}"


def _traces(question: Question, constants: Constants) -> list[Table]:
    """The traces that count, and where groups are ranked, what that is done by."""
    if not question.ranks:
        return [("traces", _began_in(question.part or question.window, question, constants))]
    condition = ""
    if part := question.part:
        since = constants.number("part_since", part.since)
        until = constants.number("part_until", part.until)
        condition = f"\n  WHERE k.started_at >= {since} AND k.started_at < {until}"
    return [
        ("keyed", _began_in(question.window, question, constants)),
        ("largest", _LARGEST),
        ("traces", _GROUPED + condition),
    ]


def _began_in(window: Window, question: Question, constants: Constants) -> str:
    view = question.view
    since = constants.number("since", window.since)
    until = constants.number("until", window.until)
    started = view.started_at
    place = constants.text("place", f"trace:/{view.tables.place}/")
    columns = [
        # The views hold OpenTelemetry's bare id; MLflow's client writes the place before it.
        f"CASE WHEN {view.trace_id} RLIKE '^[0-9a-f]{{32}}$'"
        f" THEN concat({place}, {view.trace_id}) ELSE {view.trace_id} END AS trace_id",
        f"{started} AS started_at",
        f"{view.duration_ms} AS duration_ms",
        f"{view.failed} AS failed",
        f"{view.value_at(SESSION_COLUMN)} AS session",
        f"{_first(list(map(view.value_at, VERSION_COLUMNS)))} AS version",
        *_place_columns(question, constants),
        f"{view.assessments} AS assessments",
    ]
    # The column itself is compared, so that files outside of the window need not be read.
    time = view.request_time
    conditions = [f"{time.sql} >= {time_of(since, time)}", f"{time.sql} < {time_of(until, time)}"]
    if question.experiments and view.experiment:
        chosen = constants.text("experiments", lines(question.experiments))
        conditions.append(f"array_contains(split({chosen}, '\\n'), {view.experiment})")
    return _select(columns, view.source, "\n    AND ".join(conditions))


def _place_columns(question: Question, constants: Constants) -> list[str]:
    """The bucket, the group and the side of a comparison of a trace; NULL where not asked for."""
    view, options = question.view, question.options
    bucket = group = compared = "NULL"
    started = view.started_at
    if question.places:
        length = constants.number("bucket_ms", question.window.bucket_ms)
        bucket = f"{started} - {started} % {length}"
        if options.by:
            group = key_of(view, options.by)
        if options.compare:
            key = key_of(view, options.compare.key)
            a = constants.text("compare_a", options.compare.a)
            b = constants.text("compare_b", options.compare.b)
            compared = f"CASE WHEN {key} IN ({a}, {b}) THEN {key} END"
    return [
        f"CAST({bucket} AS BIGINT) AS bucket",
        f"CAST({group} AS STRING) AS group_key",
        f"CAST({compared} AS STRING) AS compared",
    ]


def key_of(view: TraceView, key: TraceKey) -> str:
    """The group of a trace by a key of ``--by``; days and hours are UTC whatever the session's."""
    if key.columns:
        return _first([*map(view.value_at, key.columns), literal(NONE)])
    started = view.started_at
    days = f"CAST({started} DIV {DAY_MS} AS INT)"
    day = f"date_format(date_add(DATE'1970-01-01', {days}), 'yyyy-MM-dd')"
    if key.name == "day":
        return day
    hour = f"CAST({started} % {DAY_MS} DIV {HOUR_MS} AS STRING)"
    return f"concat({day}, 'T', lpad({hour}, 2, '0'))"


def _first(places: list[str]) -> str:
    listed = ",\n      ".join(places)
    return f"coalesce(\n      {listed}\n    )"


_LARGEST: Final = f"""SELECT group_key
  FROM keyed
  GROUP BY group_key
  ORDER BY count(*) DESC, group_key
  LIMIT {MAX_GROUPS}"""

_GROUPED: Final = f"""SELECT
    k.trace_id, k.started_at, k.duration_ms, k.failed, k.session, k.version, k.bucket,
    coalesce(l.group_key, {literal(OTHER)}) AS group_key, k.compared, k.assessments
  FROM keyed AS k
  LEFT JOIN largest AS l ON l.group_key = k.group_key"""


def _assessments(view: TraceView) -> str:
    """One row per assessment that is valid and on the trace itself."""
    a = view.assessment
    columns = [
        "t.trace_id, t.started_at, t.duration_ms, t.session, t.version",
        "t.bucket, t.group_key, t.compared",
        f"coalesce({a.assessment_id}, '') AS assessment_id",
        f"{a.name} AS stored_name",
        f"{a.source_type} AS source_type",
        f"coalesce({a.source_id}, '') AS source_id",
        f"{a.value} AS stored_value",
        f"CAST({a.serialized} AS STRING) AS serialized",
        f"{a.is_expectation} AS is_expectation",
        f"{a.rationale} AS rationale",
        f"{a.reasons} AS reasons",
        f"{a.is_marked} AS is_marked",
        f"coalesce({a.created_at}, 0) AS created_at",
        f"coalesce({a.updated_at}, 0) AS updated_at",
    ]
    source = "traces AS t LATERAL VIEW explode(t.assessments) e AS a"
    return _select(columns, source, f"{a.is_valid}\n    AND {a.is_on_trace}")


def _named(question: Question, constants: Constants) -> str:
    """With names after aliases, values as JSON, and the case of e-mail addresses taken away."""
    name, options = "stored_name", question.options
    if options.aliases:
        cases = " ".join(
            f"WHEN {constants.text(f'alias_{number}', alias)}"
            f" THEN {constants.text(f'alias_{number}_name', name_)}"
            for number, (alias, name_) in enumerate(sorted(options.aliases.items()), 1)
        )
        name = (
            "CASE WHEN source_type = 'HUMAN'"
            f" THEN CASE stored_name {cases} ELSE stored_name END ELSE stored_name END"
        )
    value = "stored_value"
    if question.view.assessment.is_bare:
        is_words = f"({name}) IN ('{COMMENT}', '{CORRECTION}')"
        value = json_of_text(value, is_words)
    columns = [
        "*",
        f"{name} AS name",
        f"coalesce({value}, serialized) AS value",
        "CASE WHEN contains(source_id, '@') THEN lower(source_id) ELSE source_id END AS source_key",
    ]
    return _select(columns, "assessments")


def _classified(options: ReportOptions, constants: Constants) -> str:
    """With each one's class and person: nobody in particular counts per session, else per trace."""
    excluded = _is_one_of("source_key", options.excluded, "excluded", constants)
    developer = _is_one_of("source_key", options.developers, "developers", constants)
    nobody = ", ".join(map(literal, sorted(NOBODY)))
    return f"""SELECT
    *,
    CASE
      WHEN source_type = 'LLM_JUDGE' THEN 'judge'
      WHEN source_type <> 'HUMAN' THEN 'code'
      WHEN {excluded} THEN 'excluded'
      WHEN startswith(name, '{SIGNAL_PREFIX}') THEN 'signal'
      WHEN NOT (
        startswith(name, '{DIMENSION_PREFIX}')
        OR (name = '{CORRECTION}' AND is_expectation AND is_marked)
      ) THEN 'developer'
      WHEN {developer} THEN 'developer'
      ELSE 'end_user'
    END AS class,
    CASE
      WHEN source_id IN ({nobody}) THEN concat(
        CASE WHEN source_id = '' THEN '{ANONYMOUS}' ELSE source_id END,
        chr(31),
        coalesce(session, trace_id)
      )
      ELSE source_key
    END AS person
  FROM named"""


def _is_one_of(column: str, people: frozenset[str], name: str, constants: Constants) -> str:
    if not people:
        return "FALSE"
    return f"array_contains(split({constants.text(name, lines(people))}, '\\n'), {column})"


_COUNTING: Final = """SELECT *
  FROM (
    SELECT
      *,
      -- The latest of several: by last update, then by creation, then by id.
      row_number() OVER (
        PARTITION BY trace_id, class, name, person
        ORDER BY updated_at DESC, created_at DESC, assessment_id DESC
      ) AS place_by_age
    FROM classified
    WHERE class <> 'excluded'
  )
  WHERE place_by_age = 1"""

THUMB_OF_VALUE: Final = f"""CASE
      WHEN said IN ('true', 'yes') THEN TRUE
      WHEN said IN ('false', 'no') THEN FALSE
      WHEN NOT ({_IS_NUMBER} OR said RLIKE {_NUMBER_IN_TEXT}) THEN NULL
      WHEN try_cast(said AS DOUBLE) = 1 THEN TRUE
      WHEN try_cast(said AS DOUBLE) = 0 THEN FALSE
    END"""
"""Whether a value, as JSON in ``value`` and in lower case without quotes in ``said``, says yes."""

SHARE_OF_VALUE: Final = f"""CASE
      WHEN {_IS_NUMBER} AND try_cast(value AS DOUBLE) BETWEEN 0 AND 1
        THEN try_cast(value AS DOUBLE) + 0.0D
    END"""
"""A value that is a number from 0 to 1; -0.0 is 0.0."""

SAID: Final = (
    "lower(CASE WHEN value LIKE '\"%' THEN substring(value, 2, length(value) - 2) ELSE value END)"
)
"""A value's JSON without the quotes of a string."""

_RATINGS: Final = f"""SELECT
    *,
    {THUMB_OF_VALUE} AS thumb,
    {SHARE_OF_VALUE} AS share,
    name NOT IN ('{THUMB}', '{COMMENT}', '{CORRECTION}') AS is_dimension
  FROM (SELECT *, {SAID} AS said FROM counting WHERE class = 'end_user')"""


def _select(columns: Sequence[str], source: str, condition: str | None = None) -> str:
    where = f"\n  WHERE {condition}" if condition else ""
    return "SELECT\n    " + ",\n    ".join(columns) + f"\n  FROM {source}{where}"
