"""Who waits in this process for which rating to be stored."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from agent_feedback.model import RatingKey


@dataclass(frozen=True, slots=True)
class Delivered:
    """MLflow holds a revision of a rating, under ``assessment_id``."""

    revision: int
    assessment_id: str
    adopted: bool = False
    """It changed what the person had written by another path."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One answer that waits for one revision of a rating, or a later one."""

    key: RatingKey
    revision: int
    stored: Future[Delivered] = field(default_factory=Future)


class Waiters:
    """The waiters of one process; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[RatingKey, list[Waiter]] = {}

    def __len__(self) -> int:
        """How many answers wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def add(self, key: RatingKey, revision: int) -> Waiter:
        """Wait for this revision of a rating.

        To be called within the transaction that writes or reads the revision: until it ends, no
        delivery can note its outcome on the row, and so none can be missed.
        """
        waiter = Waiter(key, revision)
        with self._lock:
            self._waiting.setdefault(key, []).append(waiter)
        return waiter

    def remove(self, waiters: Iterable[Waiter]) -> None:
        """Nobody waits for these any more."""
        with self._lock:
            for waiter in waiters:
                self._remove(waiter)

    def resolve(self, key: RatingKey, delivered: Delivered) -> None:
        """Tell everybody who waits for it that MLflow holds this revision."""
        with self._lock:
            for waiter in tuple(self._waiting.get(key, ())):
                if waiter.revision <= delivered.revision:
                    self._remove(waiter)
                    if waiter.stored.set_running_or_notify_cancel():
                        waiter.stored.set_result(delivered)

    def _remove(self, waiter: Waiter) -> None:
        waiting = self._waiting.get(waiter.key, [])
        if waiter in waiting:
            waiting.remove(waiter)
        if not waiting:
            self._waiting.pop(waiter.key, None)
