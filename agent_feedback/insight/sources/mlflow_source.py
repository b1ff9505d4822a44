"""Counts what an MLflow tracking store holds: any of them, by its own search and its own counts."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from heapq import merge
from itertools import chain, groupby
from typing import Final, Literal

from agent_feedback.insight.content.report_values import ExperimentName
from agent_feedback.insight.definitions.aggregates import Aggregates, Sums
from agent_feedback.insight.definitions.classes import AssessmentClass, counted
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import (
    SESSION_COLUMN,
    VERSION_COLUMNS,
    first_value,
)
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.sources.counting import TraceCounter, sums_of
from agent_feedback.insight.sources.source import Progress, RatingRow, no_progress
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.trace_pages import (
    TracePages,
    has_assessment,
    is_lacking,
    missing_store_file,
)
from agent_feedback.model import (
    CORRECTION,
    DIMENSION_PREFIX,
    Kind,
    TraceRecord,
)

# Each reads a page at a time; reading all traces once is better than more of them.
_MAX_SEARCHES: Final = 50
# For each trace. A filtered search takes two to three times as long for a trace (measured).
_MANY_RATINGS: Final = 0.4
_READING: Final = "Reading traces"
_READING_BEFORE: Final = "Reading the window before"
_READING_RATED: Final = "Reading rated traces"
_ADVICE: Final[Mapping[Failure, str]] = {
    Failure.NOT_FOUND: "MLflow no longer has the experiment:"
    " `mlflow experiments search` shows which there are.",
    Failure.REFUSED: "MLflow does not let you read these traces: ask for the permission to read"
    " the experiment.",
    Failure.IMPOSSIBLE: "What MLFLOW_TRACKING_URI names cannot search traces as a report does: it"
    " needs MLflow 3.10 or newer there.",
    Failure.LOCKED_OUT: "MLflow refused your credentials, or they have expired: sign in again.",
    Failure.BUSY: "MLflow asks for fewer requests: try again in some minutes.",
    Failure.UNKNOWN: "MLflow did not answer as it should: check that it is running, and that"
    " MLFLOW_TRACKING_URI says where.",
}


class MlflowSource:
    """The traces of some experiments in the tracking store that MLflow is set to.

    Traces are counted by the store, where it can, and rated ones are found by its filter; what a
    store lacks is replaced by reading all traces of the window once. None is asked for by itself.

    Args:
        experiments: Their names or ids; none for the one of MLflow's environment.
        pages: Reads the traces.
    """

    kind: Literal["mlflow", "warehouse"] = "mlflow"

    def __init__(self, experiments: Sequence[str] = (), pages: TracePages | None = None) -> None:
        self._named = experiments
        self._pages = pages or TracePages()

    def experiments(self) -> tuple[ExperimentName, ...]:
        """The experiments whose traces are counted, each once."""
        return self._experiments

    def headline(self, options: ReportOptions, window: Window) -> Sums:
        """What the headline and the dimensions of a window are made of.

        The store counts all traces, and only rated ones are read.
        """
        sums = Sums()
        with _report_errors(), _only_new_objects_collected():
            traces = self._pages.count(self._ids, window.since, window.until)
            if traces == 0:
                return sums
            can_count = traces is not None
            read = self._rated(options, window) if can_count else self._in_order(window, [None])
            for trace in read:
                sums.add(sums_of(trace, options))
        if traces is not None:
            sums.traces = traces
        return sums

    def aggregate(self, options: ReportOptions, progress: Progress = no_progress) -> Aggregates:
        """Everything that a report is made of: every trace of the window is read once."""
        window, done = options.window, 0
        with _report_errors(), _only_new_objects_collected():
            total = self._pages.count(self._ids, window.since, window.until)
            progress(_READING, done, total)
            counter = TraceCounter(options)
            for page in self._pages.search(self._ids, window.since, window.until):
                for trace in page:
                    counter.add(trace)
                done += len(page)
                progress(_READING, done, total)
        progress(_READING_BEFORE, 0, None)
        counts = counter.aggregates()
        counts.previous = self.headline(options, window.previous)
        return counts

    def ratings(
        self, options: ReportOptions, progress: Progress = no_progress
    ) -> Iterator[RatingRow]:
        """Every rating that counts: newest traces first, then by trace id, name and person."""
        with _report_errors():
            for done, trace in enumerate(self._rated(options, options.window)):
                yield from rating_rows(trace, options)
                progress(_READING_RATED, done + 1, None)

    @cached_property
    def _experiments(self) -> tuple[ExperimentName, ...]:
        if missing := missing_store_file():
            raise ReportError(
                f"MLflow has no store at {missing}: set MLFLOW_TRACKING_URI to the tracking"
                " server's address, or to the file's, as the agent has it."
            )
        named: Sequence[str | None] = self._named or (None,)
        return tuple(dict.fromkeys(map(self._experiment, named)))

    @property
    def _ids(self) -> list[str]:
        return [experiment.id for experiment in self._experiments]

    def _experiment(self, named: str | None) -> ExperimentName:
        try:
            found, name = self._pages.experiment(named)
        except StoreError as error:
            missing = error.failure in (Failure.NOT_FOUND, Failure.IMPOSSIBLE)
            raise ReportError(_no_experiment(named) if missing else _sentence(error)) from error
        return ExperimentName(id=found, name=name)

    def _rated(self, options: ReportOptions, window: Window) -> Iterator[TraceRecord]:
        """Every trace that end users may have rated, and others: newest first, then by id."""
        conditions = self._searches(options)
        if conditions is None:
            return self._in_order(window, [None])
        found = self._in_order(window, conditions)
        try:
            return chain([first], found) if (first := next(found, None)) else iter(())
        except StoreError as error:
            if not is_lacking(error):
                raise
            return self._in_order(window, [None])

    def _searches(self, options: ReportOptions) -> list[str] | None:
        """The filters that find all rated traces; ``None`` where reading all traces is better."""
        names = self._pages.assessment_names(self._ids)
        asked = None if names is None else _asked(names, options.aliases)
        if names is None or asked is None:
            return None
        # A trace is read for each of its names, by a search that takes some times as long.
        ratings = sum({name: names[name] for _, name in asked}.values())
        traces = self._pages.count(self._ids)
        if traces is not None and ratings >= _MANY_RATINGS * traces:
            return None
        return [condition for one in asked if (condition := has_assessment(*one)) is not None]

    def _in_order(self, window: Window, conditions: Sequence[str | None]) -> Iterator[TraceRecord]:
        """The traces that meet any of these, each once; of each, part of a page is held."""
        search = partial(
            self._pages.search, self._ids, window.since, window.until, at_once=len(conditions)
        )
        searches = [_by_id(search(condition)) for condition in conditions]
        for _, same in groupby(merge(*searches, key=_place), key=_place):
            yield next(same)


def _asked(names: Iterable[str], aliases: Mapping[str, str]) -> list[tuple[Kind, str]] | None:
    """Which assessments to search for, to find every trace with one that can be an end user's.

    Some databases compare names without case, and so count them under any of their forms.

    Args:
        names: Those that there are.
        aliases: What some of them are called here.

    Returns:
        ``None`` where a name cannot be written in a filter, or there are very many.
    """
    meaning = {name.lower(): target for name, target in aliases.items()}
    asked = [
        (kind, name) for name in names for kind in _kinds(meaning.get(name.lower(), name.lower()))
    ]
    if len(asked) > _MAX_SEARCHES or None in (has_assessment(*one) for one in asked):
        return None
    return asked


def _kinds(name: str) -> tuple[Kind, ...]:
    """As what an end user's assessment of this name can be stored; none for others' names."""
    if name == CORRECTION:
        return ("expectation",)
    return ("feedback", "expectation") if name.startswith(DIMENSION_PREFIX) else ()


def rating_rows(trace: TraceRecord, options: ReportOptions) -> Iterator[RatingRow]:
    """The ratings of one trace that count: by name, then by person."""
    found, _ = counted(trace.assessments, trace.trace_id, trace.metadata, options)
    for rating in sorted(found, key=lambda one: (one.name, one.person)):
        if rating.of is AssessmentClass.END_USER:
            yield RatingRow.of(
                rating,
                trace.trace_id,
                version=first_value(VERSION_COLUMNS, trace.metadata, trace.tags),
                session=first_value((SESSION_COLUMN,), trace.metadata, trace.tags),
            )


def _place(trace: TraceRecord) -> tuple[int, str]:
    return -trace.started_at, trace.trace_id


def _by_id(pages: Iterable[list[TraceRecord]]) -> Iterator[TraceRecord]:
    """Traces of one millisecond by id: what comes first of them differs between databases."""
    traces = chain.from_iterable(pages)
    for _, same in groupby(traces, key=lambda trace: trace.started_at):
        yield from sorted(same, key=lambda trace: trace.trace_id)


@contextmanager
def _only_new_objects_collected() -> Iterator[None]:
    """Keep Python from looking through all loaded modules for garbage, again and again.

    Reading makes so many objects that this takes a third of the time (measured).
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _report_errors() -> Iterator[None]:
    """A store's error as a ``ReportError`` that says what to do."""
    try:
        yield
    except StoreError as error:
        raise ReportError(_sentence(error)) from error


def _sentence(error: StoreError) -> str:
    return _ADVICE[Failure.IMPOSSIBLE if is_lacking(error) else error.failure]


def _no_experiment(named: str | None) -> str:
    if named is None:
        return (
            "The experiment of MLflow's environment does not exist: set MLFLOW_EXPERIMENT_NAME to"
            " one that does, or name it with --experiment."
        )
    return (
        f"MLflow has no experiment whose name or id is {named}: `mlflow experiments search` shows"
        " which there are."
    )
