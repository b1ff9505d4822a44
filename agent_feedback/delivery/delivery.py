"""Delivery: makes MLflow hold what the ledger says, and keeps at it until it does.

One thread claims ratings that are due, a few threads deliver them, each by looking at the trace
and doing what :mod:`agent_feedback.delivery.reconciliation` decides. None runs inside a span.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from agent_feedback.delivery.reconciliation import after_failure, plan
from agent_feedback.doors.assessments import Assessments, StoreError, Trouble, changed_at
from agent_feedback.errors import Unavailable
from agent_feedback.guard import origin_of
from agent_feedback.ledger.delivery_queue import Claim, DeliveryQueue
from agent_feedback.model import Rating, RatingKey

logger = logging.getLogger(__name__)

_WORKERS = 4
_CLAIM_AT_ONCE = 2 * _WORKERS
_STALE_CLAIM_SECONDS = 10.0
_IDLE_SECONDS = 5.0
_PROBE_SECONDS = 1.0
_OPEN_TURN_SECONDS = 0.3
_UNSETTLED_MS = 60_000
_PURGE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """MLflow holds a revision of a rating, under ``assessment_id``."""

    revision: int
    assessment_id: str
    adopted: bool = False
    """It changed what the person had written by another path."""


class Delivery:
    """The reconciler of one process.

    Args:
        queue: The ledger's rows.
        store: The door to MLflow.
        is_open: Whether a trace is still open in this process: MLflow would only note a rating of
            it in memory.
        retention_days: How long delivered ratings and turns are kept.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        store: Assessments,
        *,
        is_open: Callable[[str], bool],
        retention_days: float,
    ) -> None:
        self._queue = queue
        self._store = store
        self._is_open = is_open
        self._retention_days = retention_days
        self._workers: ThreadPoolExecutor | None = None
        self._busy = threading.Semaphore(_CLAIM_AT_ONCE)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._away = threading.Event()
        self._dispatcher: threading.Thread | None = None
        self._lock = threading.Lock()
        self._receipts: dict[RatingKey, list[tuple[int, Future[Delivered]]]] = {}
        self._next_purge = time.monotonic() + 60.0

    @property
    def is_away(self) -> bool:
        """Whether MLflow did not answer when it was last asked."""
        return self._away.is_set()

    def start(self) -> None:
        """Begin to deliver, also what an earlier process left; harmless when repeated."""
        with self._lock:
            if self._dispatcher is None:
                self._workers = ThreadPoolExecutor(_WORKERS, "agent-feedback-delivery")
                self._dispatcher = threading.Thread(
                    target=self._dispatch, name="agent-feedback-dispatch", daemon=True
                )
                self._dispatcher.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Deliver what is under way, leave the rest in the ledger; it may start again."""
        if self._dispatcher is None or self._workers is None:
            return
        self._stopping.set()
        self._wake.set()
        self._dispatcher.join(timeout)
        self._workers.shutdown(wait=True)  # what has not begun gives its lease back
        self._dispatcher = self._workers = None
        self._stopping.clear()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def expect(self, ratings: Sequence[Rating]) -> list[Future[Delivered]]:
        """A future for each rating, done when MLflow holds its revision or a later one."""
        receipts: list[Future[Delivered]] = [Future() for _ in ratings]
        with self._lock:
            for rating, receipt in zip(ratings, receipts, strict=True):
                self._receipts.setdefault(rating.key, []).append((rating.revision, receipt))
        return receipts

    def forget(self, ratings: Sequence[Rating], receipts: Collection[Future[Delivered]]) -> None:
        """Nobody waits for these any more."""
        with self._lock:
            for rating in ratings:
                left = [w for w in self._receipts.pop(rating.key, []) if w[1] not in receipts]
                if left:
                    self._receipts[rating.key] = left

    def deliver_now(self, lease: str) -> None:
        """Deliver rows that were leased with their change, without their being claimed."""
        self.start()
        try:
            for claim in self._queue.held(lease):
                self._submit(self._deliver, claim)
        except (Unavailable, RuntimeError):  # claimed once their lease has run out
            logger.debug("agent_feedback: a delivery waits for its lease")

    # -- the dispatcher's thread --------------------------------------------------------------

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._step()
            except Unavailable:
                pause = _IDLE_SECONDS
            except Exception as error:
                logger.error("agent_feedback: delivery failed and goes on\n%s", origin_of(error))
                pause = _IDLE_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def _step(self) -> float:
        """Hand out what is due; returns how long there is nothing to do."""
        if self._away.is_set() and not self._is_back():
            return _PROBE_SECONDS
        room = 0
        while room < _CLAIM_AT_ONCE and self._busy.acquire(blocking=False):
            room += 1
        claims = self._queue.claim(room) if room else []
        for _ in range(room - len(claims)):
            self._busy.release()
        for claim in claims:
            self._submit(self._deliver_claimed, claim)
        if claims:
            return 0.0
        self._purge_sometimes()
        due = self._queue.seconds_until_due()
        return _IDLE_SECONDS if due is None else min(max(due, 0.02), _IDLE_SECONDS)

    def _is_back(self) -> bool:
        if self._store.is_there():
            self._away.clear()
            self._queue.hasten()
            return True
        return False

    def _purge_sometimes(self) -> None:
        if time.monotonic() >= self._next_purge:
            gone = self._queue.purge(self._retention_days)
            self._next_purge = time.monotonic() + (1.0 if gone else _PURGE_SECONDS)

    def _submit(self, deliver: Callable[[Claim], None], claim: Claim) -> None:
        if self._workers is not None:
            self._workers.submit(deliver, claim)

    # -- the workers' threads -----------------------------------------------------------------

    def _deliver_claimed(self, claim: Claim) -> None:
        try:
            self._deliver(claim)
        finally:
            self._busy.release()

    def _deliver(self, claim: Claim) -> None:
        try:
            if self._is_open(claim.rating.key.trace_id):
                self._queue.postpone(claim, _OPEN_TURN_SECONDS, "turn open", attempted=False)
            elif self._away.is_set() or self._stopping.is_set() or _is_stale(claim):
                self._queue.postpone(claim, 0.0, "not attempted", attempted=False)
            else:
                self._attempt(claim)
        except Unavailable:
            logger.debug("agent_feedback: the ledger is away; the lease runs out by itself")
        except Exception as error:
            logger.error(
                "agent_feedback: a delivery failed; it is tried again\n%s", origin_of(error)
            )
        finally:
            self._wake.set()

    def _attempt(self, claim: Claim) -> None:
        try:
            delivered = self._make_it_so(claim)
        except StoreError as error:
            self._failed(claim, error)
            return
        if delivered is not None:
            self._resolve(claim.rating.key, delivered)

    def _make_it_so(self, claim: Claim) -> Delivered | None:
        rating = claim.rating
        trace = self._store.look(rating.key.trace_id)
        if trace is None:
            raise StoreError(Trouble.NOT_FOUND, "trace not found")
        now = int(time.time() * 1000)
        steps = plan(rating, trace, is_foreign=self._store.is_foreign, now=now)
        for assessment_id in steps.delete:
            self._store.delete(rating.key.trace_id, assessment_id)
        if steps.yield_to is not None:
            self._queue.take_over(claim, steps.yield_to, changed_at(steps.yield_to) or 0)
            return Delivered(rating.revision, steps.yield_to.assessment_id)
        kept = steps.keep or rating.public_id
        if steps.create:
            kept = self._store.create(rating)
        elif steps.update:
            self._store.update(rating, kept)
        self._queue.settle(claim, kept if kept != rating.assessment_id else None)
        return Delivered(rating.revision, kept, adopted=steps.update and kept not in rating.ids)

    def _failed(self, claim: Claim, error: StoreError) -> None:
        if error.trouble in (Trouble.UNKNOWN, Trouble.TEMPORARY) and not self._store.is_there():
            self._away.set()
        retry = after_failure(
            error.trouble,
            attempts=claim.attempts,
            age_ms=claim.age_ms,
            jitter=random.random(),
        )
        if retry.seconds is None:
            logger.error(
                "agent_feedback: a rating cannot be delivered and is kept (%s)", error.code
            )
            self._queue.give_up(claim, error.code)
            return
        unsettled_ms = _UNSETTLED_MS if retry.unsettled else 0
        self._queue.postpone(claim, retry.seconds, error.code, unsettled_ms=unsettled_ms)

    def _resolve(self, key: RatingKey, delivered: Delivered) -> None:
        with self._lock:
            waiting = self._receipts.pop(key, [])
            left = [item for item in waiting if item[0] > delivered.revision]
            if left:
                self._receipts[key] = left
        for revision, receipt in waiting:
            if revision <= delivered.revision and receipt.set_running_or_notify_cancel():
                receipt.set_result(delivered)


def _is_stale(claim: Claim) -> bool:
    """Whether a claim waited for a thread so long that its lease might run out under it."""
    return time.monotonic() - claim.taken_at > _STALE_CLAIM_SECONDS
