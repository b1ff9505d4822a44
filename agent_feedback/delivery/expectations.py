"""Who waits in this process for which rating to be stored."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Future

from agent_feedback.delivery.attempt import Delivered
from agent_feedback.model import RatingKey


class Expectation:
    """One answer's wait for one rating.

    It begins before the rating is written: somebody else's worker may deliver the very revision
    that the change then finds, and would not be heard by who begins to listen afterwards.
    """

    def __init__(self, key: RatingKey) -> None:
        self.key = key
        self.stored: Future[Delivered] = Future()
        """Done when MLflow holds the revision, or a later one."""
        self.revision: int | None = None
        self.last: Delivered | None = None


class Expectations:
    """The expectations of one process; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[RatingKey, list[Expectation]] = {}

    def __len__(self) -> int:
        """How many answers wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def begin(self, keys: Collection[RatingKey]) -> dict[RatingKey, Expectation]:
        """Listen for deliveries of these ratings, whatever their revisions will be."""
        begun = {key: Expectation(key) for key in keys}
        with self._lock:
            for key, expectation in begun.items():
                self._waiting.setdefault(key, []).append(expectation)
        return begun

    def of(self, expectation: Expectation, revision: int) -> Future[Delivered]:
        """Wait for this revision; the future is done already where it was delivered meanwhile."""
        with self._lock:
            expectation.revision = revision
            last = expectation.last
            if last is not None and last.revision >= revision:
                self._drop(expectation)
                expectation.stored.set_result(last)
        return expectation.stored

    def forget(self, expectations: Collection[Expectation]) -> None:
        """Nobody waits for these any more."""
        with self._lock:
            for expectation in expectations:
                self._drop(expectation)

    def fulfil(self, key: RatingKey, delivered: Delivered) -> None:
        """Tell everybody who waits that MLflow holds this revision."""
        with self._lock:
            for expectation in tuple(self._waiting.get(key, ())):
                expectation.last = delivered
                if expectation.revision is not None and expectation.revision <= delivered.revision:
                    self._drop(expectation)
                    if expectation.stored.set_running_or_notify_cancel():
                        expectation.stored.set_result(delivered)

    def _drop(self, expectation: Expectation) -> None:
        waiting = self._waiting.get(expectation.key, [])
        if expectation in waiting:
            waiting.remove(expectation)
        if not waiting:
            self._waiting.pop(expectation.key, None)
