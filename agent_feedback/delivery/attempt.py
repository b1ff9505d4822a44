"""One attempt at delivering one rating: look, and do what is missing.

Whoever else may have written at the same moment is looked for afterwards: at once where there is a
sign of it, and else later, when it costs nobody's patience.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent_feedback.delivery.reconciliation import Plan, plan
from agent_feedback.doors.assessments import Assessments, StoreError, Trouble, changed_at
from agent_feedback.doors.bounded_store import ATTEMPT_SECONDS
from agent_feedback.ledger.delivery_queue import Claim, DeliveryQueue
from agent_feedback.model import Rating, StoredTrace

_MARGIN_SECONDS = 3.0
# As long as a look and the write that follows it may take anyway.
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """MLflow holds a revision of a rating, under ``assessment_id``."""

    revision: int
    assessment_id: str
    adopted: bool = False
    """It changed what the person had written by another path."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Traces as MLflow had them a moment ago; ``at`` is monotonic, in seconds."""

    traces: Mapping[str, StoredTrace]
    at: float

    def trace(self, trace_id: str) -> StoredTrace | None:
        """The trace, while it may be taken for what is there now."""
        is_fresh = time.monotonic() - self.at < _FRESH_SECONDS
        return self.traces.get(trace_id) if is_fresh else None


NOTHING_SEEN = Seen({}, 0.0)


class OutOfTime(Exception):
    """The next call to MLflow might outlive the lease."""


class Attempt:
    """Makes MLflow hold one rating.

    Args:
        store: The door to MLflow.
        queue: Where what became of it is noted.
    """

    def __init__(self, store: Assessments, queue: DeliveryQueue) -> None:
        self._store = store
        self._queue = queue

    def look_ahead(self, claims: Sequence[Claim]) -> Seen:
        """Look at the traces of several claims at once, as far as MLflow does that."""
        at = time.monotonic()
        return Seen(self._store.look_at_all({c.rating.key.trace_id for c in claims}), at)

    def deliver(self, claim: Claim, seen: Seen) -> Delivered:
        """Do what is missing, and settle the claim.

        Args:
            claim: The rating to deliver.
            seen: What was seen of its trace already, if anything was.

        Raises:
            StoreError: MLflow did not do it, or did not say so.
            OutOfTime: the claim has been held for so long that nothing more was begun.
        """
        rating = claim.rating
        steps = self._plan(claim, rating, seen)
        kept = self._carry_out(claim, steps)
        # A replica with a ledger of its own may create one at this moment too. Neither sees the
        # other's before; whoever looks when both are over does. And that something was deleted is
        # said by an empty answer, which anything that stands before MLflow may give.
        look_again = steps.create or bool(steps.delete)
        if steps.yield_to is None and self._is_suspicious(steps, kept, rating):
            after = self._plan(
                claim, replace(rating, store_id=kept, clear_first=False), NOTHING_SEEN
            )
            self._delete(claim, after)
            look_again = steps.contested or after.contested or after.writes
            steps = replace(steps, yield_to=after.yield_to)
        if steps.yield_to is not None:
            self._queue.take_over(claim, steps.yield_to, changed_at(steps.yield_to) or 0)
            return Delivered(rating.revision, steps.yield_to.assessment_id)
        store_id = kept if kept != rating.assessment_id else None
        self._queue.settle(claim, store_id, look_again=look_again)
        return Delivered(rating.revision, kept, adopted=steps.update and kept not in rating.ids)

    def _plan(self, claim: Claim, rating: Rating, seen: Seen) -> Plan:
        trace = seen.trace(rating.key.trace_id)
        if trace is None:
            self._mind_the_lease(claim)
            trace = self._store.look(rating.key.trace_id)
        # Half a trace is none: MLflow 3.10 loses the other half of what is rated before it came.
        if trace is None or not trace.is_whole:
            raise StoreError(Trouble.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST")
        now = int(time.time() * 1000)
        return plan(rating, trace, is_foreign=self._store.is_foreign, now=now)

    def _carry_out(self, claim: Claim, steps: Plan) -> str:
        """Returns the id under which MLflow holds the rating."""
        rating = claim.rating
        self._delete(claim, steps)
        kept = steps.keep or rating.public_id
        if steps.create:
            self._mind_the_lease(claim)
            kept = self._store.create(rating)
        elif steps.update:
            self._mind_the_lease(claim)
            self._store.update(rating, kept)
        return kept

    def _delete(self, claim: Claim, steps: Plan) -> None:
        for assessment_id in steps.delete:
            self._mind_the_lease(claim)
            self._store.delete(claim.rating.key.trace_id, assessment_id)

    @staticmethod
    def _is_suspicious(steps: Plan, kept: str, rating: Rating) -> bool:
        """Whether there may be more than was planned for: a store that gives ids of its own may
        have made two, and another ledger's mark is there."""
        replaced = steps.create and kept != rating.assessment_id
        return steps.writes and (replaced or steps.contested)

    @staticmethod
    def _mind_the_lease(claim: Claim) -> None:
        if claim.seconds_left < ATTEMPT_SECONDS + _MARGIN_SECONDS:
            raise OutOfTime
