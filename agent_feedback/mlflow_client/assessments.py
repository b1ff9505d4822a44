"""Client for the assessments of a trace: fetch, create, update, delete.

MLflow's own client retries for minutes when its server is away. Every call here is bounded
instead (see :mod:`agent_feedback.mlflow_client.bounded_store`), and fails as a
:class:`~agent_feedback.mlflow_client.failures.StoreError` that says what may be done about it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from mlflow.exceptions import MlflowException

from agent_feedback.assessment_format import (
    LEDGER_KEY,
    changed_fields,
    new_assessment,
    stored_trace,
)
from agent_feedback.mlflow_client.bounded_store import active_store
from agent_feedback.mlflow_client.experiment import active_experiment
from agent_feedback.mlflow_client.failures import Failure, StoreError, store_errors
from agent_feedback.model import Assessment, Rating, StoredTrace
from agent_feedback.trace_id import to_assessments_id

_ONE_BY_ONE_SECONDS = 5.0


class Assessments:
    """Fetches traces and writes assessments, in the tracking store that MLflow is set to.

    Args:
        ledger_id: Returns what marks this ledger's assessments, to tell them from another
            replica's.

    Every method raises :class:`StoreError`, unless it says otherwise.
    """

    def __init__(self, ledger_id: Callable[[], str]) -> None:
        self._ledger_id = ledger_id
        self._one_by_one_until = 0.0

    def fetch(self, trace_id: str) -> StoredTrace | None:
        """The trace with its assessments, or ``None`` where MLflow has no such trace (yet)."""
        try:
            with store_errors(trace_id):
                info = active_store().get_trace_info(to_assessments_id(trace_id))
                if not info.trace_id:  # some JSON, and no trace: a gateway's answer
                    raise MlflowException("no trace in the answer")
        except StoreError as error:
            if error.failure is Failure.NOT_FOUND:
                return None
            raise
        return stored_trace(trace_id, info)

    def fetch_many(self, trace_ids: Collection[str]) -> dict[str, StoredTrace]:
        """Several traces with their assessments, in one request.

        It only saves time, and never fails: what its answer lacks has to be fetched by itself.
        Databricks does not have the request, nor have MLflow's older releases; where it failed, it
        is not sent again for five seconds.
        """
        if len(trace_ids) < 2 or time.monotonic() < self._one_by_one_until:
            return {}
        try:
            with store_errors():
                by_id = {to_assessments_id(trace_id): trace_id for trace_id in trace_ids}
                infos = active_store().batch_get_trace_infos(list(by_id))
                return {
                    by_id[info.trace_id]: stored_trace(by_id[info.trace_id], info)
                    for info in infos
                    if info.trace_id in by_id
                }
        except StoreError:
            self._one_by_one_until = time.monotonic() + _ONE_BY_ONE_SECONDS
            return {}

    def is_there(self) -> bool:
        """Whether the tracking store answers, by a cheap request.

        It asks for the experiment and not for its traces: a search may take a warehouse's time, and
        an answer proves the credentials and the database just as well.
        """
        try:
            with store_errors():
                active_store().get_experiment(active_experiment())
        except StoreError as error:
            return error.failure not in (Failure.LOCKED_OUT, Failure.UNKNOWN)
        return True

    def create(self, rating: Rating) -> str:
        """Write ``rating`` as a new assessment; returns the id that the store uses."""
        assessment = new_assessment(rating, self._ledger_id())
        with store_errors(rating.key.trace_id):
            return _id_of(active_store().create_assessment(assessment))

    def update(self, rating: Rating, assessment_id: str) -> None:
        """Change an assessment in place, so that nothing of what it said before remains."""
        fields = changed_fields(rating, self._ledger_id())
        with store_errors(rating.key.trace_id):
            updated = active_store().update_assessment(
                trace_id=to_assessments_id(rating.key.trace_id),
                assessment_id=assessment_id,
                **fields,
            )
            _id_of(updated)

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Remove an assessment; one that is gone already is fine."""
        try:
            with store_errors(trace_id):
                active_store().delete_assessment(to_assessments_id(trace_id), assessment_id)
        except StoreError as error:
            if error.failure is not Failure.NOT_FOUND:
                raise

    def is_foreign(self, found: Assessment) -> bool:
        """Whether another ledger of ours wrote this, rather than this one or no ledger."""
        return found.metadata.get(LEDGER_KEY, self._ledger_id()) != self._ledger_id()


def _id_of(written: Any) -> str:
    """The id of what MLflow says it wrote; an answer that names none is not MLflow's."""
    if not written.assessment_id:
        raise MlflowException("no assessment in the answer")
    return str(written.assessment_id)
