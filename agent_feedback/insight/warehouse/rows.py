"""Results of statements as the values that reports are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final, get_args

from agent_feedback.assessment_format import read_reasons
from agent_feedback.insight.definitions.aggregates import (
    Aggregates,
    CommentedTrace,
    Delay,
    JudgeTable,
    LeftOut,
    Sums,
    TraceStatistics,
)
from agent_feedback.insight.definitions.classes import AssessmentClass, ClassifiedAssessment
from agent_feedback.insight.definitions.comments import commented_trace
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.sources.source import RatingRow
from agent_feedback.insight.warehouse.client import Row
from agent_feedback.model import CORRECTION, Assessment, Content

_LEFT_OUT: Final[tuple[LeftOut, ...]] = get_args(LeftOut)


def total_of(rows: Iterable[Row]) -> Sums:
    """All rows of :func:`~agent_feedback.insight.warehouse.sql.sums`, added up."""
    total = Sums()
    for row in rows:
        _add(total, row)
    return total


def add_sums(counts: Aggregates, rows: Iterable[Row], options: ReportOptions) -> None:
    """The same, also by bucket, group and side of a comparison."""
    if options.compare:
        counts.compared = {options.compare.a: Sums(), options.compare.b: Sums()}
    for row in rows:
        _, bucket, group, compared, *_ = row
        _add(counts.total, row)
        if bucket is not None:
            _add(counts.buckets.setdefault(int(bucket), Sums()), row)
        if group is not None:
            _add(counts.groups.setdefault(group, Sums()), row)
        if compared is not None:
            _add(counts.compared[compared], row)


def _add(sums: Sums, row: Row) -> None:
    what, _, _, _, person, name, value, number, rated = row
    if what == "traces":
        sums.traces += _int(number)
        sums.rated_traces += _int(rated)
    elif what == "answers":
        sums.answers[person or ""] += _int(number)
    else:
        sums.rate(name or "", person or "", float(value or 0), _int(number))


def add_coverage(counts: Aggregates, rows: Iterable[Row]) -> None:
    """How rated traces went, and the others; and the delay of ratings."""
    for what, traces, errors, median, p90 in rows:
        if what == "delay":
            counts.delay = Delay(_seconds(median), _seconds(p90))
            continue
        statistics = TraceStatistics(_int(traces), _int(errors), _seconds(median))
        if what == "rated":
            counts.rated = statistics
        else:
            counts.unrated = statistics


def add_counts(counts: Aggregates, rows: Iterable[Row]) -> None:
    """Assessments that are no ratings, and ratings that say nothing."""
    for what, name, number in rows:
        left_out = next((one for one in _LEFT_OUT if one == what), None)
        if left_out:
            counts.left_out[left_out] += _int(number)
        elif what == AssessmentClass.SIGNAL.value:
            counts.signals[name or ""] += _int(number)
        else:
            counts.apart[what or ""] += _int(number)
    counts.left_out = +counts.left_out


def add_judges(counts: Aggregates, rows: Iterable[Row]) -> None:
    """Judges beside people."""
    for name, verdict, people, number in rows:
        table = counts.judges.setdefault(name or "", JudgeTable())
        if verdict is None:
            table.unclear += _int(number)
        elif people == "tie":
            table.ties += _int(number)
        elif people != "none":
            table.pairs[verdict == "true", people == "yes"] += _int(number)


def add_disagreements(counts: Aggregates, rows: Iterable[Row]) -> None:
    """The traces on which judges and people disagree."""
    for name, trace_id in rows:
        counts.judges[name or ""].disagreements.append(trace_id or "")


def commented_traces(rows: Iterable[Row]) -> Iterator[CommentedTrace]:
    """Traces with what people said on them, in the order of the rows."""
    for trace_id, of_trace in groupby(rows, key=lambda row: row[0]):
        ratings = []
        started_at = 0
        for row in of_trace:
            started_at = _int(row[1])
            ratings.append(_rating(row))
        if trace := commented_trace(trace_id or "", None, started_at, ratings):
            yield trace


def rating_row(row: Row) -> RatingRow:
    """One rating with its trace's version and session."""
    *_, version, session = row
    return RatingRow.of(_rating(row), row[0] or "", version=version, session=session)


def _rating(row: Row) -> ClassifiedAssessment:
    _, _, name, person, value, rationale, reasons, updated_at, *_ = row
    assessment = Assessment(
        assessment_id="",
        name=name or "",
        kind="expectation" if name == CORRECTION else "feedback",
        source_type="HUMAN",
        source_id=person or "",
        content=Content(_json(value), rationale or None, read_reasons(reasons)),
        metadata={},
        valid=True,
        on_trace=True,
        created_at=0,
        updated_at=_int(updated_at),
    )
    return ClassifiedAssessment(AssessmentClass.END_USER, name or "", person or "", assessment)


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def _int(text: str | None) -> int:
    return int(text or 0)


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(text) / 1000
