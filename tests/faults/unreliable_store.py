"""A test double of the client for MLflow's assessments: it holds the real one, and can fail.

Only delivery meets faults. A fault waits for one call, and the call that takes it fails as the real
client would.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from typing import TypeVar

from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.model import Rating, StoredTrace
from tests.support.waiting import until

T = TypeVar("T")

_DELIVERS = "agent-feedback-delivery"
_MAX_HOLD_SECONDS = 30.0


class Fault(Enum):
    """What can happen to one call; the value says how it fails, if it does."""

    FAILS_UNDONE = Failure.UNKNOWN, "undone"
    FAILS_DONE = Failure.UNKNOWN, "done"
    LANDS_LATE = Failure.UNKNOWN, "late"
    HELD_BEFORE = None, "before"
    HELD_AFTER = None, "after"
    BUSY = Failure.BUSY, "undone"
    LOCKED_OUT = Failure.LOCKED_OUT, "undone"
    REFUSED = Failure.REFUSED, "undone"
    NOT_FOUND = Failure.NOT_FOUND, "undone"
    IMPOSSIBLE = Failure.IMPOSSIBLE, "undone"


_OF_ANY_CALL = [each for each in Fault if each not in (Fault.LANDS_LATE, Fault.NOT_FOUND)]
FAULTS = (
    [(call, fault) for call in ("fetch", "create", "update", "delete") for fault in _OF_ANY_CALL]
    + [(call, Fault.LANDS_LATE) for call in ("create", "update", "delete")]
    + [(call, Fault.NOT_FOUND) for call in ("fetch", "create", "update")]
)
"""Every call with every fault that can happen to it."""


class ProcessDied(Exception):
    """The process that made this call was killed: nothing comes after it."""


class Faults:
    """The faults of one example, shared by all the processes that run in it."""

    def __init__(self) -> None:
        self.away = False
        self.met: Counter[Fault] = Counter()
        self._waiting: list[threading.Event] = []
        self._planned: dict[str, deque[Fault]] = defaultdict(deque)
        self._late: list[Callable[[], object]] = []
        self._go_on = threading.Event()
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many calls are held."""
        return len(self._waiting)

    def plan(self, call: str, fault: Fault) -> None:
        """Let the next call of this name that meets no earlier fault meet this one."""
        self._planned[call].append(fault)

    def go_away(self) -> None:
        """Let MLflow answer nothing at all."""
        self.away = True

    def come_back(self) -> None:
        """Let MLflow answer again."""
        self.away = False

    def forget(self) -> None:
        """Cancel what was planned, and let MLflow answer again."""
        with self._lock:
            self._planned.clear()
            self.away = False

    def let_go_on(self) -> None:
        """Let the calls that are held go on, and wait until they do."""
        with self._lock:
            now, self._go_on = self._go_on, threading.Event()
        now.set()
        until(
            lambda: now not in self._waiting,
            within=_MAX_HOLD_SECONDS,
            otherwise="a call is still held",
        )

    def land(self) -> None:
        """Let everything take effect that was answered as if it had not."""
        with self._lock:
            landing, self._late = self._late, []
        for effect in landing:
            with suppress(StoreError):  # as where the id is taken
                effect()

    def take(self, call: str, effect: Callable[[], object]) -> Fault | None:
        """The fault that this call meets."""
        with self._lock:
            fault = self._planned[call].popleft() if self._planned[call] else None
            if fault is not None:
                self.met[fault] += 1
            if fault is Fault.LANDS_LATE:
                self._late.append(effect)
            return fault

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Stay here until others are let go on."""
        with self._lock:
            go_on = self._go_on
            self._waiting.append(go_on)
        try:
            go_on.wait(_MAX_HOLD_SECONDS)
            yield
        finally:
            with self._lock:
                self._waiting.remove(go_on)

    def send_late(self, effect: Callable[[], object]) -> None:
        """What a dead process had sent may still take effect."""
        with self._lock:
            self._late.append(effect)


class UnreliableStore:
    """The client of one process, as :class:`Assessments` is."""

    def __init__(self, ledger_id: Callable[[], str], faults: Faults) -> None:
        self._mlflow = Assessments(ledger_id)
        self.is_foreign = self._mlflow.is_foreign
        self.dead = False
        self._faults = faults

    def is_there(self) -> bool:
        """Answer as MLflow does, unless it is away."""
        return not self._faults.away and self._mlflow.is_there()

    def fetch(self, trace_id: str) -> StoredTrace | None:
        """Read a trace."""
        return self._meet("fetch", partial(self._mlflow.fetch, trace_id))

    def fetch_many(self, trace_ids: Collection[str]) -> dict[str, StoredTrace]:
        """Read several traces, if that works; faults wait for them to be read one by one."""
        if self.dead:
            raise ProcessDied
        return {} if self._faults.away else self._mlflow.fetch_many(trace_ids)

    def create(self, rating: Rating) -> str:
        """Write an assessment."""
        return self._meet("create", partial(self._mlflow.create, rating))

    def update(self, rating: Rating, assessment_id: str) -> None:
        """Change an assessment."""
        self._meet("update", partial(self._mlflow.update, rating, assessment_id))

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Remove an assessment."""
        self._meet("delete", partial(self._mlflow.delete, trace_id, assessment_id))

    def _meet(self, call: str, do: Callable[[], T]) -> T:
        if threading.current_thread().name != _DELIVERS:
            return do()
        if self.dead:
            raise ProcessDied
        if self._faults.away:
            raise StoreError(Failure.UNKNOWN, "AWAY")
        fault = self._faults.take(call, do)
        if fault is None:
            return do()
        failure, when = fault.value
        if failure is None:
            return self._hold(call, do, before=when == "before")
        if when == "done":
            do()
        raise StoreError(failure, fault.name)

    def _hold(self, call: str, do: Callable[[], T], *, before: bool) -> T:
        if before:
            with self._faults.holding():
                if self.dead and call != "fetch":
                    self._faults.send_late(do)
            if self.dead:
                raise ProcessDied
            return do()
        done = do()
        with self._faults.holding():
            pass
        if self.dead:
            raise ProcessDied
        return done
