"""The door to MLflow's assessment API: traces looked at, assessments written.

MLflow's own client retries for minutes when its server is away. Every call here is bounded
instead, and fails as a :class:`StoreError` that says what may be done about it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar, cast

import mlflow
from mlflow.entities import Assessment as MlflowAssessment
from mlflow.entities import AssessmentSource, Expectation, Feedback
from mlflow.entities.assessment import ExpectationValue, FeedbackValue
from mlflow.exceptions import MlflowException

from agent_feedback.doors.bounded_store import bounded_store
from agent_feedback.doors.experiment import active_experiment
from agent_feedback.model import (
    Assessment,
    Content,
    Kind,
    Rating,
    StoredTrace,
)
from agent_feedback.trace_id import is_in_unity_catalog, place_of, to_assessments_id

ASKER_KEY = "agent_feedback.asker"
LEDGER_KEY = "agent_feedback.ledger"
CHANGED_AT_KEY = "agent_feedback.changed_at"
REASONS_KEY = "agent_feedback.reasons"
_WHOLE_KEY = "mlflow.trace_schema.version"
_STORING_MS = 60_000
_ONE_BY_ONE_SECONDS = 5.0
_RUN_KEY = "mlflow.assessment.sourceRunId"

T = TypeVar("T")


class Trouble(Enum):
    """What a failed call to MLflow means for the next one."""

    NOT_FOUND = "not_found"
    """The trace or the assessment is not there, or not there yet."""
    REFUSED = "refused"
    """We may not, until somebody grants it."""
    IMPOSSIBLE = "impossible"
    """It will never work like this."""
    LOCKED_OUT = "locked_out"
    """It was not done, nor would anything else be: our credential is refused or has expired."""
    BUSY = "busy"
    """It was not done: MLflow asks for fewer requests."""
    UNKNOWN = "unknown"
    """It may have been done: look before doing it again."""


class StoreError(Exception):
    """A call to MLflow failed; ``trouble`` says what that means, ``code`` is MLflow's word.

    ``retry_after`` are the seconds that MLflow, or a gateway before it, asked to wait.
    """

    def __init__(self, trouble: Trouble, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.trouble = trouble
        self.code = code
        self.retry_after = retry_after


_MEANING = {
    "RESOURCE_DOES_NOT_EXIST": Trouble.NOT_FOUND,
    "NOT_FOUND": Trouble.NOT_FOUND,
    "PERMISSION_DENIED": Trouble.REFUSED,
    "UNAUTHENTICATED": Trouble.LOCKED_OUT,
    "CUSTOMER_UNAUTHORIZED": Trouble.LOCKED_OUT,
    "INVALID_PARAMETER_VALUE": Trouble.IMPOSSIBLE,
    "BAD_REQUEST": Trouble.IMPOSSIBLE,
    "MALFORMED_REQUEST": Trouble.IMPOSSIBLE,
    "NOT_IMPLEMENTED": Trouble.IMPOSSIBLE,
    "FEATURE_DISABLED": Trouble.IMPOSSIBLE,
    "REQUEST_LIMIT_EXCEEDED": Trouble.BUSY,
    "RESOURCE_EXHAUSTED": Trouble.BUSY,
}


class Assessments:
    """Reads traces and writes assessments, in the tracking store that MLflow is set to.

    Args:
        ledger_id: Says what marks this ledger's assessments, to tell them from another replica's.

    Every method raises :class:`StoreError`, unless it says otherwise.
    """

    def __init__(self, ledger_id: Callable[[], str]) -> None:
        self._ledger_id = ledger_id
        self._one_by_one_until = 0.0

    def look(self, trace_id: str) -> StoredTrace | None:
        """The trace with its assessments, or ``None`` where MLflow has no such trace (yet)."""
        try:
            with _translated(trace_id):
                info = _store().get_trace_info(to_assessments_id(trace_id))
                if not info.trace_id:  # some JSON, and no trace: a gateway's answer
                    raise MlflowException("no trace in the answer")
        except StoreError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return None
            raise
        return _stored_trace(trace_id, info)

    def look_at_all(self, trace_ids: Collection[str]) -> dict[str, StoredTrace]:
        """Several traces with their assessments, by one question.

        It only saves time, and never fails: what is missing in it has to be looked at by itself.
        Databricks does not take the question, nor do MLflow's older releases.
        """
        if len(trace_ids) < 2 or time.monotonic() < self._one_by_one_until:
            return {}
        try:
            with _translated():
                by_id = {to_assessments_id(trace_id): trace_id for trace_id in trace_ids}
                infos = _store().batch_get_trace_infos(list(by_id))
                return {
                    by_id[info.trace_id]: _stored_trace(by_id[info.trace_id], info)
                    for info in infos
                    if info.trace_id in by_id
                }
        except StoreError:
            self._one_by_one_until = time.monotonic() + _ONE_BY_ONE_SECONDS
            return {}

    def find_request(self, client_request_id: str) -> list[StoredTrace]:
        """Traces with this client request id, newest first."""
        return self._search(f"attributes.client_request_id = '{client_request_id}'")

    def find_session(self, session_id: str) -> list[StoredTrace]:
        """Traces of this session, newest first; none where its name cannot stand in a filter."""
        if "'" in session_id or "\\" in session_id:
            return []
        return self._search(f"metadata.`mlflow.trace.session` = '{session_id}'")

    def location(self) -> str | None:
        """The Unity Catalog place of the active experiment's traces, if they live there."""
        with _translated():
            experiment = _store().get_experiment(active_experiment())
            place = getattr(experiment, "trace_location", None)
            return getattr(place, "full_table_prefix", None) if place else None

    def is_at_home(self, trace: StoredTrace) -> bool:
        """Whether a trace is where the active experiment's traces are, and so this app's.

        In Unity Catalog the place is not always known; there, grants on its tables are the fence.
        """
        place = place_of(trace.trace_id)
        if place is not None:
            return self.location() in (None, place)
        with _translated():
            return trace.experiment_id == active_experiment()

    def is_there(self) -> bool:
        """Whether the tracking store answers, by a cheap question.

        About the experiment, and not about its traces: a search may take a warehouse's time, and
        an answer proves the credentials and the database just as well.
        """
        try:
            with _translated():
                _store().get_experiment(active_experiment())
        except StoreError as error:
            return error.trouble not in (Trouble.LOCKED_OUT, Trouble.UNKNOWN)
        return True

    def create(self, rating: Rating) -> str:
        """Write ``rating`` as a new assessment; returns the id that the store uses."""
        assessment = self._assessment(rating)
        assessment.assessment_id = rating.assessment_id
        with _translated(rating.key.trace_id):
            created = _store().create_assessment(assessment)
            return _said_id(created)

    def update(self, rating: Rating, assessment_id: str) -> None:
        """Change an assessment in place, so that nothing of what it said before remains."""
        kind = rating.key.kind
        value = rating.content.value
        with _translated(rating.key.trace_id):
            updated = _store().update_assessment(
                trace_id=to_assessments_id(rating.key.trace_id),
                assessment_id=assessment_id,
                name=rating.key.name,
                feedback=FeedbackValue(cast("Any", value)) if kind == "feedback" else None,
                expectation=ExpectationValue(value) if kind == "expectation" else None,
                # An empty text clears the old one; None would keep it.
                rationale=(rating.content.rationale or "") if kind == "feedback" else None,
                metadata=self._metadata(rating),
            )
            _said_id(updated)

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Remove an assessment; one that is gone already is fine."""
        try:
            with _translated(trace_id):
                _store().delete_assessment(to_assessments_id(trace_id), assessment_id)
        except StoreError as error:
            if error.trouble is not Trouble.NOT_FOUND:
                raise

    def is_foreign(self, found: Assessment) -> bool:
        """Whether another ledger of ours wrote this, rather than this one or no ledger."""
        return found.metadata.get(LEDGER_KEY, self._ledger_id()) != self._ledger_id()

    def _assessment(self, rating: Rating) -> MlflowAssessment:
        common: dict[str, Any] = {
            "name": rating.key.name,
            "value": rating.content.value,
            "source": AssessmentSource(source_type="HUMAN", source_id=rating.key.person),
            "trace_id": to_assessments_id(rating.key.trace_id),
            "metadata": self._metadata(rating),
        }
        if rating.key.kind == "expectation":
            return Expectation(**common)
        return Feedback(rationale=rating.content.rationale, **common)

    def _metadata(self, rating: Rating) -> dict[str, str]:
        # Keys cannot be removed from an assessment, only overwritten: all are always there.
        return {
            LEDGER_KEY: self._ledger_id(),
            CHANGED_AT_KEY: str(rating.changed_at),
            REASONS_KEY: json.dumps(rating.content.reasons),
        }

    def _search(self, filter_string: str) -> list[StoredTrace]:
        with _translated():
            infos = _store().search_traces(
                locations=[active_experiment()],
                filter_string=filter_string,
                max_results=100,
                order_by=["timestamp_ms DESC"],
            )[0]
        return [_stored_trace(info.trace_id, info) for info in infos]


def changed_at(found: Assessment) -> int | None:
    """When its person last changed a rating of ours; ``None`` where we did not write it."""
    try:
        return int(found.metadata[CHANGED_AT_KEY])
    except (KeyError, ValueError):
        return None


def is_marked(found: Assessment) -> bool:
    """Whether agent_feedback wrote this assessment."""
    return LEDGER_KEY in found.metadata


def _store() -> Any:
    return bounded_store(mlflow.get_tracking_uri())


def _said_id(written: Any) -> str:
    """The id of what MLflow says it wrote; an answer that names none is somebody else's."""
    if not written.assessment_id:
        raise MlflowException("no assessment in the answer")
    return str(written.assessment_id)


@contextmanager
def _translated(trace_id: str = "") -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        code, retry_after = error.error_code, getattr(error, "retry_after", None)
        raise StoreError(_meaning(error, trace_id), code, retry_after) from error
    except Exception as error:
        raise StoreError(Trouble.UNKNOWN, type(error).__name__) from error


def _meaning(error: MlflowException, trace_id: str) -> Trouble:
    # A store without the fourth API has no place for such a trace. Every store has the third: if
    # that is not found, a gateway answers while the store is being deployed.
    if error.error_code == "ENDPOINT_NOT_FOUND" and is_in_unity_catalog(trace_id):
        return Trouble.IMPOSSIBLE
    # MLflow 3.10 calls a conflict in its own database, such as an id that is taken, a bad request.
    if error.error_code == "BAD_REQUEST" and "IntegrityError" in error.message:
        return Trouble.UNKNOWN
    return _MEANING.get(error.error_code, Trouble.UNKNOWN)


def _stored_trace(trace_id: str, info: Any) -> StoredTrace:
    return StoredTrace(
        trace_id=trace_id,
        client_request_id=info.client_request_id,
        asker=info.trace_metadata.get(ASKER_KEY),
        assessments=tuple(map(_reduced, info.assessments or ())),
        is_whole=_WHOLE_KEY in info.trace_metadata or _age_ms(info) > _STORING_MS,
        experiment_id=info.experiment_id,
    )


def _age_ms(info: Any) -> float:
    ended_at = int(info.request_time) + int(info.execution_duration or 0)
    return time.time() * 1000 - ended_at


def _reduced(found: MlflowAssessment) -> Assessment:
    kind: Kind = "expectation" if found.expectation is not None else "feedback"
    metadata = dict(found.metadata or {})
    holder = found.expectation or found.feedback
    return Assessment(
        assessment_id=found.assessment_id or "",
        name=found.name,
        kind=kind,
        source_type=str(found.source.source_type),
        source_id=found.source.source_id or "",
        content=Content(
            getattr(holder, "value", None),
            found.rationale or None,
            _reasons(metadata),
        ),
        metadata=metadata,
        valid=found.valid is not False,
        on_trace=not found.span_id and not found.run_id and not metadata.get(_RUN_KEY),
        created_at=found.create_time_ms or 0,
        updated_at=found.last_update_time_ms or 0,
    )


def _reasons(metadata: dict[str, str]) -> tuple[str, ...]:
    try:
        reasons = json.loads(metadata.get(REASONS_KEY, "[]"))
    except ValueError:
        return ()
    return tuple(map(str, reasons)) if isinstance(reasons, list) else ()
