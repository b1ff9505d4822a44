"""One attempt at delivering one rating: fetch its trace, compare, and do what is missing.

An attempt never trusts what it did before, nor what a request answered: it fetches what the trace
holds and writes only the difference. So it can be interrupted anywhere, and repeated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent_feedback.delivery.plan import Plan, plan
from agent_feedback.delivery.row_state import Stored, Superseded
from agent_feedback.ledger.queue import Claim
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.bounded_store import ATTEMPT_SECONDS
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.model import Rating, StoredTrace

_MARGIN_SECONDS = 3.0
# As old as a fetched trace may be anyway by the time of the write that follows it.
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """Traces as MLflow had them a moment ago; ``at`` is monotonic, in seconds."""

    traces: Mapping[str, StoredTrace]
    at: float

    def trace(self, trace_id: str) -> StoredTrace | None:
        """The trace, while it may be taken for what is there now."""
        is_fresh = time.monotonic() - self.at < _FRESH_SECONDS
        return self.traces.get(trace_id) if is_fresh else None


NOTHING_FETCHED = Fetched({}, 0.0)


class OutOfTime(Exception):
    """The next call to MLflow might outlive the lease."""


class Attempt:
    """Makes MLflow hold one rating.

    Args:
        store: The client for MLflow's assessments.
    """

    def __init__(self, store: Assessments) -> None:
        self._store = store

    def prefetch(self, claims: Sequence[Claim]) -> Fetched:
        """Fetch the traces of several claims in one request, where MLflow has such a request."""
        at = time.monotonic()
        return Fetched(self._store.fetch_many({c.rating.key.trace_id for c in claims}), at)

    def deliver(self, claim: Claim, fetched: Fetched) -> Stored | Superseded:
        """Do what is missing.

        Args:
            claim: The rating to deliver.
            fetched: What was fetched of its trace already, if anything was.

        Returns:
            What became of it.

        Raises:
            StoreError: MLflow did not do it, or did not say so.
            OutOfTime: the claim has been held for so long that nothing more was begun.
        """
        rating = claim.rating
        steps = self._plan(claim, rating, fetched)
        kept = self._carry_out(claim, steps)
        # A replica with a ledger of its own may create one at this moment too, after both have
        # fetched the trace. Only a fetch when both attempts are over can tell. And a deletion is
        # answered by an empty body, which any proxy before MLflow may give as well.
        recheck = steps.create or bool(steps.delete)
        if steps.yield_to is None and self._is_suspicious(steps, kept, rating):
            stored = replace(rating, store_id=kept, clear_first=False)
            after = self._plan(claim, stored, NOTHING_FETCHED)
            self._delete(claim, after)
            recheck = steps.contested or after.contested or after.writes
            steps = replace(steps, yield_to=after.yield_to)
        if steps.yield_to is not None:
            return Superseded(steps.yield_to)
        return Stored(kept, recheck, adopted=steps.update and kept not in rating.ids)

    def _plan(self, claim: Claim, rating: Rating, fetched: Fetched) -> Plan:
        trace = fetched.trace(rating.key.trace_id)
        if trace is None:
            self._check_lease(claim)
            trace = self._store.fetch(rating.key.trace_id)
        # A trace whose info is not stored yet counts as none: MLflow 3.10 drops the assessments
        # that it gets before the info.
        if trace is None or not trace.is_whole:
            raise StoreError(Failure.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST")
        now = int(time.time() * 1000)
        return plan(rating, trace, is_foreign=self._store.is_foreign, now=now)

    def _carry_out(self, claim: Claim, steps: Plan) -> str:
        """Returns the id under which MLflow holds the rating."""
        rating = claim.rating
        self._delete(claim, steps)
        kept = steps.keep or rating.public_id
        if steps.create:
            self._check_lease(claim)
            kept = self._store.create(rating)
        elif steps.update:
            self._check_lease(claim)
            self._store.update(rating, kept)
        return kept

    def _delete(self, claim: Claim, steps: Plan) -> None:
        for assessment_id in steps.delete:
            self._check_lease(claim)
            self._store.delete(claim.rating.key.trace_id, assessment_id)

    @staticmethod
    def _is_suspicious(steps: Plan, kept: str, rating: Rating) -> bool:
        """Whether the trace may hold more than the steps leave: fetch it once more, at once.

        A store that gives ids of its own may have created two, where an earlier attempt's outcome
        was unknown; and where another ledger's mark is there, both may be writing now.
        """
        replaced = steps.create and kept != rating.assessment_id
        return steps.writes and (replaced or steps.contested)

    @staticmethod
    def _check_lease(claim: Claim) -> None:
        """Begin no call that might end after the lease, when another claim delivers the rating."""
        if claim.seconds_left < ATTEMPT_SECONDS + _MARGIN_SECONDS:
            raise OutOfTime
