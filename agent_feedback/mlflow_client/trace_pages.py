"""Client for reading many traces of MLflow, page by page, with their assessments and no spans.

MLflow's own page token is an offset: behind it, a server reads and throws away all earlier pages,
so that the time for all of them grows with the square of their number, and a trace that is stored
meanwhile moves one across the border. Here every page begins where the one before ended, by time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import mlflow
from mlflow.store.tracking.rest_store import RestStore
from sqlalchemy import make_url

from agent_feedback.assessment_format import trace_record
from agent_feedback.mlflow_client.bounded_store import READ_SECONDS, active_store
from agent_feedback.mlflow_client.experiment import active_experiment
from agent_feedback.mlflow_client.failures import Failure, StoreError, store_errors
from agent_feedback.model import Kind, TraceRecord

Result = TypeVar("Result")

SERVER_PAGE: Final = 500
"""The most that a tracking server answers with (MLflow 3.17 refuses to send more)."""
DATABASE_PAGE: Final = 10_000
"""Of a database that is read without a server. MLflow would give 50,000, in ten times the memory:
a trace takes 3 to 8 kB, and larger pages are no faster (measured)."""

_SEARCHES_OF_FULL_PAGES: Final = 8
_ATTEMPTS: Final = 3
_MAX_PAUSE_SECONDS: Final = 10.0
# What MLflow's filter takes for something else than an assessment's name, in any case.
_OTHER_THAN_NAMES: Final = frozenset(
    {"name", "prompt", "run_id", "text", "timestamp", "execution_time", "end_time"}
)
_LACKING_STATUSES: Final = frozenset({404, 405, 501})
"""Of a server without a route: MLflow's own says 405 where another method of the path is known."""
# What a server says, and what a store in this process raises, where there is no such call.
_LACKING: Final = frozenset(
    {"ENDPOINT_NOT_FOUND", "AttributeError", "NotImplementedError", "ModuleNotFoundError"}
)


def has_assessment(kind: Kind, name: str) -> str | None:
    """The filter for traces with a valid assessment, on the trace or a span.

    ``None`` where MLflow's filter has no way to write its name.
    """
    if "`" in name or name.lower() in _OTHER_THAN_NAMES:
        return None
    return f"{kind}.`{name}` IS NOT NULL"


class TracePages:
    """Reads traces of the tracking store that MLflow is set to.

    Every method raises :class:`~agent_feedback.mlflow_client.failures.StoreError`: within seconds
    where the server is away, and within two minutes where it hangs while traces are read. A call
    that failed is repeated within the first minute: reading twice does no harm.

    Args:
        page_size: How many traces a page has at most; ``None`` for as many as the store takes.
        pause: Waits for that many seconds.
    """

    def __init__(
        self, page_size: int | None = None, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._page_size = page_size
        self._pause = pause

    def experiment(self, name_or_id: str | None = None) -> tuple[str, str]:
        """An experiment's id and name; without a name, of the one that MLflow is set to."""

        def find() -> Any:
            if name_or_id is None:
                return active_store().get_experiment(active_experiment())
            named = active_store().get_experiment_by_name(name_or_id)
            return named or active_store().get_experiment(name_or_id)

        found = self._call(find)
        return str(found.experiment_id), str(found.name)

    def search(
        self,
        experiments: Sequence[str],
        since: int,
        until: int,
        condition: str | None = None,
        *,
        at_once: int = 1,
    ) -> Iterator[list[TraceRecord]]:
        """Traces that began in ``[since, until)``, newest first, each once.

        Args:
            experiments: Their ids.
            since: In milliseconds since the epoch.
            until: The same.
            condition: A filter that they meet besides.
            at_once: How many searches are read beside each other: of very many, pages are smaller.
        """
        while since < until:
            page, more = self._page(experiments, _between(since, until, condition), at_once)
            if not more:
                yield page
                return
            # The oldest millisecond may go on in the next page, which therefore repeats it.
            oldest = page[-1].started_at
            until = oldest + 1
            if newer := [trace for trace in page if trace.started_at > oldest]:
                yield newer
            else:
                yield from self._millisecond(experiments, oldest, condition, at_once)
                until = oldest

    def _millisecond(
        self, experiments: Sequence[str], moment: int, condition: str | None, at_once: int
    ) -> Iterator[list[TraceRecord]]:
        """Traces that began at one moment: more than a page of them. Here MLflow's token serves."""
        token: str | None = None
        while True:
            condition_then = _between(moment, moment + 1, condition)
            page, token = self._page(experiments, condition_then, at_once, token)
            yield page
            if not token:
                return

    def _page(
        self, experiments: Sequence[str], condition: str, at_once: int, token: str | None = None
    ) -> tuple[list[TraceRecord], str | None]:
        def search(token: str | None) -> tuple[list[TraceRecord], str | None]:
            store = active_store(READ_SECONDS)
            found, after = store.search_traces(
                locations=list(experiments),
                filter_string=condition,
                max_results=self._page_size or largest_page(store, at_once),
                order_by=["timestamp_ms DESC"],
                page_token=token,
            )
            return [trace_record(info) for info in found], after

        page, after = self._call(partial(search, token))
        while after and not page:
            page, after = self._call(partial(search, after))
        return page, after

    def count(
        self, experiments: Sequence[str], since: int | None = None, until: int | None = None
    ) -> int | None:
        """How many traces began in ``[since, until)``; ``None`` where the store does not count."""
        # MLflow includes both borders.
        end = None if until is None else until - 1
        times = {"start_time_ms": since, "end_time_ms": end}
        points = self._metric(experiments, "TRACES", "trace_count", **times)
        if points is None:
            return None
        return sum(int(point.values["COUNT"]) for point in points)

    def assessment_names(self, experiments: Sequence[str]) -> dict[str, int] | None:
        """How many assessments of each name there are, on traces of any time.

        ``None`` where the store does not say, or has more names than it tells.
        """
        # Without a border, as MLflow's releases differ in whose time it is compared with.
        name = "assessment_name"
        points = self._metric(experiments, "ASSESSMENTS", "assessment_count", dimensions=[name])
        if points is None or len(points) >= _max_points():
            return None
        return {point.dimensions[name]: int(point.values["COUNT"]) for point in points}

    def _metric(
        self, experiments: Sequence[str], view: str, metric: str, **arguments: Any
    ) -> list[Any] | None:
        def query() -> list[Any]:
            from mlflow.entities.trace_metrics import (
                AggregationType,
                MetricAggregation,
                MetricViewType,
            )

            found = active_store(READ_SECONDS).query_trace_metrics(
                experiment_ids=list(experiments),
                view_type=MetricViewType(view),
                metric_name=metric,
                aggregations=[MetricAggregation(AggregationType.COUNT)],
                **arguments,
            )
            return list(found)

        try:
            return self._call(query)
        except StoreError as error:
            if is_lacking(error):
                return None
            raise

    def _call(self, call: Callable[[], Result]) -> Result:
        attempt, begun = 1, time.monotonic()
        while True:
            try:
                with store_errors():
                    return call()
            except StoreError as error:
                transient = error.failure in (Failure.UNKNOWN, Failure.BUSY)
                is_late = attempt == _ATTEMPTS or time.monotonic() - begun > READ_SECONDS
                if is_lacking(error) or not transient or is_late:
                    raise
                self._pause(min(error.retry_after or attempt, _MAX_PAUSE_SECONDS))
                attempt += 1


def missing_store_file() -> str | None:
    """The SQLite file that MLflow is set to, if there is none: MLflow would make an empty one."""
    uri = mlflow.get_tracking_uri()
    path = make_url(uri).database if uri.startswith("sqlite:") else None
    return None if path in (None, "", ":memory:") or Path(path).is_file() else path


def largest_page(store: Any, at_once: int = 1) -> int:
    """How many traces a store gives in one page, within reason for so many searches at once."""
    if isinstance(store, RestStore):
        return SERVER_PAGE
    # Each page of a filtered search looks through all assessments: many pages are slow.
    return DATABASE_PAGE * _SEARCHES_OF_FULL_PAGES // max(_SEARCHES_OF_FULL_PAGES, at_once)


def is_lacking(error: StoreError) -> bool:
    """Whether a store lacks what was asked of it, rather than failed at it."""
    if error.failure is Failure.IMPOSSIBLE or error.code in _LACKING:
        return True
    return error.status in _LACKING_STATUSES and error.failure is not Failure.NOT_FOUND


def _between(since: int, until: int, condition: str | None) -> str:
    times = f"timestamp_ms >= {since} AND timestamp_ms < {until}"
    return f"{times} AND {condition}" if condition else times


def _max_points() -> int:
    from mlflow.store.tracking import MAX_RESULTS_QUERY_TRACE_METRICS

    return int(MAX_RESULTS_QUERY_TRACE_METRICS)
