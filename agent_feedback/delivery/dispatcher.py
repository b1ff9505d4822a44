"""Makes MLflow hold what the ledger says, and keeps at it until it does.

One thread, the dispatcher, claims ratings that are due and hands them out in batches. A few worker
threads deliver them: each fetches the trace, does what :mod:`agent_feedback.delivery.plan` decides,
and notes in the ledger what became of it (:mod:`agent_feedback.delivery.row_state`). None of them
runs inside a span.

The dispatcher sleeps until something is due, or until it is woken: by a change of a rating, and by
a worker that is done. MLflow's outages are noticed here too: after a failure that looks like one,
nothing is attempted until a cheap request is answered (:mod:`.mlflow_availability`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial

from agent_feedback.delivery.attempt import NOTHING_FETCHED, Attempt, Fetched, OutOfTime
from agent_feedback.delivery.mlflow_availability import Availability
from agent_feedback.delivery.retry import after_failure
from agent_feedback.delivery.row_state import (
    Outcome,
    Postponed,
    Released,
    Stored,
    Superseded,
    Undeliverable,
    next_row,
)
from agent_feedback.delivery.waiters import Delivered, Waiters
from agent_feedback.errors import Unavailable
from agent_feedback.guard import origin_of
from agent_feedback.ledger.queue import Claim, DeliveryQueue
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.threads import DaemonThreads

logger = logging.getLogger(__name__)

_WORKERS = 4
_MAX_PER_BATCH = 8
# Another replica's ratings become due without anybody waking this process: it asks that often.
_IDLE_SECONDS = 5.0
# How soon a rating of a trace that is still being written is tried again.
_OPEN_TURN_SECONDS = 0.3
_LAST_ATTEMPTS_SECONDS = 1.5
_FIRST_PURGE_SECONDS = 60.0
_PURGE_SECONDS = 600.0


class Dispatcher:
    """The delivery of one process.

    Args:
        queue: The ledger's ratings.
        store: The client for MLflow's assessments.
        is_open: Whether a trace is still open in this process: MLflow would only note a rating of
            it in memory.
        retention_days: How long delivered ratings and turns are kept.

    Attributes:
        waiters: The answers that wait until their rating is stored.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        store: Assessments,
        *,
        is_open: Callable[[str], bool],
        retention_days: float,
    ) -> None:
        self.waiters = Waiters()
        self._queue = queue
        self._is_open = is_open
        self._retention_days = retention_days
        self._attempt = Attempt(store)
        self._mlflow = Availability(store.is_there, on_return=queue.make_due)
        self._workers = DaemonThreads(_WORKERS, "agent-feedback-delivery")
        self._room = threading.Semaphore(_WORKERS)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._dispatcher: threading.Thread | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        self._next_purge = time.monotonic() + _FIRST_PURGE_SECONDS

    @property
    def is_away(self) -> bool:
        """Whether MLflow did not answer when it was last asked."""
        return self._mlflow.is_away

    def start(self) -> None:
        """Begin to deliver, also what an earlier process left; harmless when repeated."""
        with self._lock:
            if self._dispatcher is None:
                self._stopping = threading.Event()
                self._dispatcher = threading.Thread(
                    target=self._dispatch,
                    args=(self._stopping,),
                    name="agent-feedback-dispatch",
                    daemon=True,
                )
                self._dispatcher.start()

    def stop(self, within: float = 0.0) -> None:
        """Deliver what can be, leave the rest in the ledger; it may start again.

        Args:
            within: For how many seconds to go on delivering what is due. A last attempt may take
                a moment longer; one that hangs is left to its lease.
        """
        if self._dispatcher is None:
            return
        deadline = time.monotonic() + within
        while self._has_work_until(deadline):
            time.sleep(0.05)
        self._stopping.set()
        self._wake.set()
        deadline = time.monotonic() + _LAST_ATTEMPTS_SECONDS
        self._dispatcher.join(_LAST_ATTEMPTS_SECONDS)
        # Batches that have not begun see that it is stopping, and give their leases back.
        self._workers.close(max(0.0, deadline - time.monotonic()))
        self._dispatcher = None

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    # -- the dispatcher's thread --------------------------------------------------------------

    def _dispatch(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                pause = self._step()
            except Unavailable:
                pause = 1.0
            except Exception as error:
                logger.error("agent_feedback: delivery failed and goes on\n%s", origin_of(error))
                pause = _IDLE_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def _step(self) -> float:
        """Hand out what is due; returns how long there is nothing to do."""
        self._purge_sometimes()
        if pause := self._mlflow.seconds_to_wait():
            return pause
        # Claim no more than free workers can take: a claim's lease runs while it waits, and another
        # replica could have delivered it.
        free = 0
        while self._room.acquire(blocking=False):
            free += 1
        if not free:  # the next worker that is done wakes us
            return _IDLE_SECONDS
        batches: list[list[Claim]] = []
        try:
            claims = self._queue.claim(free * _MAX_PER_BATCH)
            batches = [claims[start::free] for start in range(min(free, len(claims)))]
        finally:
            for _ in range(free - len(batches)):
                self._room.release()
        for batch in batches:
            self._submit(batch)
        if sum(map(len, batches)) == free * _MAX_PER_BATCH:  # there may be more
            return 0.0
        due = self._queue.seconds_until_due()
        return _IDLE_SECONDS if due is None else min(max(due, 0.02), _IDLE_SECONDS)

    def _purge_sometimes(self) -> None:
        if time.monotonic() >= self._next_purge:
            gone = self._queue.purge(self._retention_days)
            self._next_purge = time.monotonic() + (1.0 if gone else _PURGE_SECONDS)

    def _has_work_until(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0 or self._mlflow.is_away:
            return False
        try:
            due = self._queue.seconds_until_due(undelivered_only=True)
        except Unavailable:
            return False
        return self._under_way > 0 or (due is not None and due < left)

    def _submit(self, claims: list[Claim]) -> None:
        with self._lock:
            self._under_way += len(claims)
        self._workers.submit(partial(self._deliver_batch, claims))

    # -- the workers' threads -----------------------------------------------------------------

    @property
    def _may_attempt(self) -> bool:
        return self._mlflow.is_open and not self._stopping.is_set()

    def _deliver_batch(self, claims: list[Claim]) -> None:
        try:
            fetched = self._attempt.prefetch(claims) if self._may_attempt else NOTHING_FETCHED
            for claim in claims:
                self._deliver(claim, fetched)
        finally:
            self._room.release()
            self._wake.set()

    def _deliver(self, claim: Claim, fetched: Fetched) -> None:
        try:
            outcome = self._outcome(claim, fetched)
            self._queue.update(claim, lambda row, now: next_row(row, claim, outcome, now))
            # Only now: a client that gets its answer may read the rating back at once.
            if isinstance(outcome, (Stored, Superseded)):
                self.waiters.resolve(claim.rating.key, _delivered(claim, outcome))
        except Unavailable:
            logger.debug("agent_feedback: the ledger is away; the lease runs out by itself")
        except Exception as error:
            logger.error(
                "agent_feedback: a delivery failed; it is tried again\n%s", origin_of(error)
            )
        finally:
            with self._lock:
                self._under_way -= 1

    def _outcome(self, claim: Claim, fetched: Fetched) -> Outcome:
        if self._is_open(claim.rating.key.trace_id):
            return Postponed(_OPEN_TURN_SECONDS)
        # MLflow may have gone away since the claim, by another worker's failure.
        if not self._may_attempt:
            return Released()
        try:
            return self._attempt.deliver(claim, fetched)
        except OutOfTime:
            return Released()
        except StoreError as error:
            return self._failed(claim, error)

    def _failed(self, claim: Claim, error: StoreError) -> Outcome:
        if error.failure in (Failure.UNKNOWN, Failure.LOCKED_OUT):
            self._mlflow.doubt()
        elif error.failure is Failure.BUSY:
            self._mlflow.be_quiet(error.retry_after or 0.0)
        retry = after_failure(
            error,
            attempts=claim.row.attempts,
            age_ms=claim.age_ms,
            refused_ms=claim.refused_ms,
            jitter=random.random(),
        )
        if retry.seconds is None:
            logger.error(
                "agent_feedback: a rating cannot be delivered and is kept (%s)", error.code
            )
            return Undeliverable(error.code)
        return Postponed(
            retry.seconds, error.code, unsettled=retry.unsettled, refused=retry.refused
        )


def _delivered(claim: Claim, outcome: Stored | Superseded) -> Delivered:
    if isinstance(outcome, Superseded):
        return Delivered(claim.rating.revision, outcome.by.assessment_id)
    return Delivered(claim.rating.revision, outcome.assessment_id, adopted=outcome.adopted)
