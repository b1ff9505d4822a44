"""Counts traces by SQL, on a Databricks SQL warehouse, where there are too many for one machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal

from agent_feedback.insight.content.report_values import ExperimentName
from agent_feedback.insight.definitions.aggregates import (
    MAX_COMMENTED,
    Aggregates,
    CommentedTrace,
    Sums,
)
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window, iso
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.sources.source import Progress, RatingRow, no_progress
from agent_feedback.insight.warehouse import rows, sql
from agent_feedback.insight.warehouse.client import Row, Warehouse
from agent_feedback.insight.warehouse.common_tables import Question
from agent_feedback.insight.warehouse.constants import Statement
from agent_feedback.insight.warehouse.failures import ResultTooLarge, too_large_at
from agent_feedback.insight.warehouse.tables import parse_tables
from agent_feedback.insight.warehouse.view import FROM_EITHER, TraceView, columns_of, trace_view

_ID: Final = re.compile("[0-9]+")
_DOING: Final = "Counting in the warehouse"


class WarehouseSource:
    """Counts the traces of a Unity Catalog location.

    Args:
        tables: ``catalog.schema`` or ``catalog.schema.prefix``.
        warehouse: Executes the statements.
        experiments: Ids, of which each counts once; empty for all traces of the location.

    Raises:
        ConfigurationError: ``tables`` is no such name.
    """

    kind: Literal["mlflow", "warehouse"] = "warehouse"

    def __init__(self, tables: str, warehouse: Warehouse, experiments: Sequence[str] = ()) -> None:
        self._tables = parse_tables(tables)
        self._warehouse = warehouse
        self._experiments = tuple(dict.fromkeys(experiments))
        self._view: TraceView | None = None

    @classmethod
    def of(cls, tables: str, warehouse_id: str, experiments: Sequence[str] = ()) -> WarehouseSource:
        """The traces of a location, counted by a warehouse of the environment's workspace.

        Raises:
            ConfigurationError: ``tables`` is no such name.
        """
        return cls(tables, Warehouse(warehouse_id, parse_tables(tables).place), experiments)

    def experiments(self) -> tuple[ExperimentName, ...]:
        """The experiments that were named; else the location: its traces do not say whose they are.

        A location has no id, because no page of an experiment shows its traces.
        """
        if not self._experiments:
            return (ExperimentName(id="", name=self._tables.place),)
        return tuple(ExperimentName(id=one, name=one) for one in self._experiments)

    def headline(self, options: ReportOptions, window: Window) -> Sums:
        """What the headline and the dimensions of a window are made of: one statement, or few."""
        return rows.total_of(self._in_parts(self._question(options, window), sql.sums))

    def aggregate(self, options: ReportOptions, progress: Progress = no_progress) -> Aggregates:
        """Everything that a report is made of."""
        counts = Aggregates()
        question = self._question(options, options.window)
        placed = replace(question, places=True)
        steps: list[Callable[[], None]] = [
            lambda: rows.add_sums(counts, self._in_parts(placed, sql.sums), options),
            lambda: self._add_previous(counts, options),
            lambda: rows.add_coverage(counts, self._rows(sql.coverage(question))),
            lambda: rows.add_counts(counts, self._rows(sql.counts(question))),
            lambda: rows.add_judges(counts, self._rows(sql.judges(question))),
            lambda: self._add_disagreements(counts, question),
            lambda: self._add_commented(counts, question),
        ]
        for done, step in enumerate(steps):
            progress(_DOING, done, len(steps))
            step()
        progress(_DOING, len(steps), len(steps))
        return counts

    def ratings(
        self, options: ReportOptions, progress: Progress = no_progress
    ) -> Iterator[RatingRow]:
        """Every rating that counts: newest traces first, then by trace id, name and person."""
        question = self._question(options, options.window)
        for number, row in enumerate(self._in_parts(question, sql.rows)):
            progress("Reading ratings", number, None)
            yield rows.rating_row(row)

    def view(self) -> TraceView:
        """How to read the views, looked up once."""
        if self._view is None:
            unified = columns_of(self._described(self._tables.unified))
            lacking = not all(name in unified for name in FROM_EITHER)
            other = columns_of(self._described(self._tables.metadata)) if lacking else None
            self._view = trace_view(self._tables, unified, other)
        return self._view

    def _described(self, view: str) -> Iterator[tuple[str, str]]:
        for name, type_, *_ in self._rows(Statement(f"DESCRIBE TABLE {view}")):
            yield name or "", type_ or ""

    def _question(self, options: ReportOptions, window: Window) -> Question:
        view = self.view()
        if self._experiments and view.experiment is None:
            raise ReportError(
                f"The traces in {self._tables.place} do not say of which experiment they are: leave"
                " --experiment out; their location decides which are counted."
            )
        if not all(map(_ID.fullmatch, self._experiments)):
            raise ReportError(
                "With --tables, --experiment takes an experiment's id, in digits, and not its name:"
                " the views hold nothing but ids."
            )
        return Question(view, options, window, experiments=self._experiments)

    def _add_previous(self, counts: Aggregates, options: ReportOptions) -> None:
        counts.previous = self.headline(options, options.window.previous)

    def _add_disagreements(self, counts: Aggregates, question: Question) -> None:
        if any(table.pairs for table in counts.judges.values()):
            rows.add_disagreements(counts, self._in_parts(question, sql.disagreements))

    def _add_commented(self, counts: Aggregates, question: Question) -> None:
        found: list[CommentedTrace] = counts.commented
        for trace in rows.commented_traces(self._in_parts(question, sql.commented)):
            if len(found) == MAX_COMMENTED:
                counts.more_commented = True
                return
            found.append(trace)

    def _in_parts(
        self, question: Question, statement: Callable[[Question], Statement]
    ) -> Iterator[Row]:
        """Rows or sums of traces; where they are too large, of half the time: the newer first."""
        try:
            yield from self._rows(statement(question))
        except ResultTooLarge:
            part = question.part or question.window
            middle = (part.since + part.until) // 2
            if middle == part.since:
                raise too_large_at(iso(middle)) from None
            for half in (Window(middle, part.until), Window(part.since, middle)):
                yield from self._in_parts(replace(question, part=half), statement)

    def _rows(self, statement: Statement) -> Iterator[Row]:
        return self._warehouse.rows(statement)
