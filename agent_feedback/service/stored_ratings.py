"""What MLflow holds of a person's ratings: fetched where the ledger does not have them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from agent_feedback.errors import RatingNotFound, Unavailable
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import Assessment, Identity, Rating, RatingKey, StoredTrace
from agent_feedback.ratings.matching import is_mine
from agent_feedback.ratings.transitions import adopted
from agent_feedback.threads import DaemonThreads

_MAX_FETCHING = 8
_MLFLOW_IS_AWAY = (Failure.UNKNOWN, Failure.LOCKED_OUT, Failure.BUSY)


class StoredRatings:
    """Ratings in MLflow, also those that a person made by another path than ours.

    Args:
        store: Fetches a trace.
        search: Finds the traces of a session.
        names: The assessment names that can be ratings of this application.
        is_away: Whether MLflow did not answer when it was last asked.
    """

    def __init__(
        self,
        store: Assessments,
        search: TraceSearch,
        *,
        names: frozenset[str],
        is_away: Callable[[], bool],
    ) -> None:
        self._store = store
        self._search = search
        self._names = names
        self._is_away = is_away
        self._threads = DaemonThreads(_MAX_FETCHING, "agent-feedback-fetch")

    def close(self) -> None:
        """Let go of the threads; a later use starts others."""
        self._threads.close()

    def traces(self, trace_ids: Sequence[str]) -> dict[str, StoredTrace]:
        """These traces, several at a time; what MLflow cannot say now is left out."""
        if self._is_away() or not trace_ids:
            return {}
        # Each request to a server that hangs takes seconds: after the first, no other is begun.
        hangs = threading.Event()

        def fetch_or_skip(trace_id: str) -> StoredTrace | None:
            try:
                return None if hangs.is_set() else self._store.fetch(trace_id)
            except StoreError as error:
                if error.failure in _MLFLOW_IS_AWAY:
                    hangs.set()
                return None

        fetched = [self._threads.submit(partial(fetch_or_skip, each)) for each in trace_ids]
        return {trace.trace_id: trace for each in fetched if (trace := each.result())}

    def session(self, session_id: str) -> dict[str, StoredTrace]:
        """The session's traces; none where MLflow cannot say now."""
        if self._is_away():
            return {}
        try:
            return {trace.trace_id: trace for trace in self._search.by_session(session_id)}
        except StoreError:
            return {}

    def of(self, person: Identity, trace: StoredTrace) -> list[Rating]:
        """The person's own ratings of a trace: the newest of each name."""
        newest: dict[str, Rating] = {}
        for found in sorted(trace.assessments, key=lambda each: each.updated_at):
            key = RatingKey(trace.trace_id, person.user_id, found.name)
            if found.valid and self._is_own(found, key):
                rating = adopted(key, found)
                newest[found.name] = replace(rating, client_request_id=trace.client_request_id)
        return list(newest.values())

    def by_id(
        self, trace_id: str, assessment_id: str, person: Identity
    ) -> tuple[RatingKey, Assessment]:
        """The person's own rating with this id.

        Raises:
            RatingNotFound: it is not theirs, or not there; nobody can tell which.
            Unavailable: MLflow cannot say now.
        """
        try:
            stored = self._store.fetch(trace_id)
        except StoreError as error:
            if error.failure is Failure.IMPOSSIBLE:
                raise RatingNotFound() from None
            raise Unavailable(retry_after=5.0) from None
        for found in stored.assessments if stored else ():
            key = RatingKey(trace_id, person.user_id, found.name)
            if found.assessment_id == assessment_id and self._is_own(found, key):
                return key, found
        raise RatingNotFound()

    def _is_own(self, found: Assessment, key: RatingKey) -> bool:
        return found.name in self._names and is_mine(found, key)
