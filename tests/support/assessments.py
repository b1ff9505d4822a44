"""Assessments as decisions see them, and a FAKE store of them that fails on demand."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agent_feedback.assessment_format import CHANGED_AT_KEY, LEDGER_KEY
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import Assessment, Content, Rating, StoredTrace
from tests.support.ledgers import KEY

OURS = "ledger-1"


def assessment(assessment_id: str = "a-1", value: Any = True, **fields: Any) -> Assessment:
    """Build a rating of Ann's that she made by another path; ``fields`` are what differs."""
    plain = Assessment(
        assessment_id=assessment_id,
        name=KEY.name,
        kind="feedback",
        source_type="HUMAN",
        source_id=KEY.person,
        content=Content(value),
        metadata={},
        valid=True,
        on_trace=True,
        created_at=1,
        updated_at=1,
    )
    return replace(plain, **fields)


def mark(changed_at: int = 1, *, ledger: str = OURS) -> Mapping[str, str]:
    """Build the metadata that an assessment of ours carries."""
    return {LEDGER_KEY: ledger, CHANGED_AT_KEY: str(changed_at)}


def trace(*assessments: Assessment, asker: str | None = KEY.person) -> StoredTrace:
    """Build a stored trace that holds these."""
    return StoredTrace(KEY.trace_id, None, asker, assessments)


if TYPE_CHECKING:

    class _RealClients(Assessments, TraceSearch):
        """What the fake stands for: its methods must have the signatures of these."""
else:
    # A method that the fake lacks must be an error, and no call to a real MLflow.
    _RealClients = object


@dataclass
class FakeStore(_RealClients):
    """A FAKE of MLflow: one trace in memory, and failures on demand."""

    traces: dict[str, dict[str, Assessment]] = field(default_factory=lambda: {KEY.trace_id: {}})
    fails: list[tuple[str, Failure, bool]] = field(default_factory=list)
    """Failures to come: of which call, how, and whether it was done nevertheless."""
    found: list[StoredTrace] = field(default_factory=list)
    """What a search finds, newest first."""
    place: str | None = None
    """Where the experiment's traces live, if in Unity Catalog."""
    elsewhere: frozenset[str] = frozenset()
    """Traces of other experiments."""
    replaces_ids: bool = False
    is_whole: bool = True
    away: bool = False
    delay_seconds: float = 0.0
    calls: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], None] | None = None
    """Called at the begin of every call, with its name."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def is_there(self) -> bool:
        """Return whether the fake answers."""
        return not self.away

    def fetch(self, trace_id: str) -> StoredTrace | None:
        """Return a trace."""
        self._begin("fetch")
        return self._trace(trace_id)

    def fetch_many(self, trace_ids: Collection[str]) -> dict[str, StoredTrace]:
        """Return several traces, or nothing while the fake is away."""
        if len(trace_ids) < 2:
            return {}
        try:
            self._begin("fetch_many")
        except StoreError:
            return {}
        found = map(self._trace, trace_ids)
        return {each.trace_id: each for each in found if each is not None}

    def _trace(self, trace_id: str) -> StoredTrace | None:
        with self._lock:
            held = self.traces.get(trace_id)
            if held is None:
                return None
            assessments = tuple(held.values())
            return StoredTrace(trace_id, None, KEY.person, assessments, is_whole=self.is_whole)

    def is_at_home(self, trace: StoredTrace) -> bool:
        """Return whether a trace is one of this application's experiment."""
        self._begin("is_at_home")
        return trace.trace_id not in self.elsewhere

    def by_request(self, client_request_id: str) -> list[StoredTrace]:
        """Find traces."""
        self._begin("by_request")
        return [each for each in self.found if each.client_request_id == client_request_id]

    def by_session(self, session_id: str) -> list[StoredTrace]:
        """Find nothing: the fake knows no sessions."""
        self._begin("by_session")
        return []

    def location(self) -> str | None:
        """Return where the experiment's traces live."""
        self._begin("location")
        return self.place

    def create(self, rating: Rating) -> str:
        """Store a new assessment, under another id if `replaces_ids`."""
        fail = self._begin("create")
        new_id = f"x-{len(self.calls)}" if self.replaces_ids else rating.assessment_id
        with self._lock:
            held = self.traces[rating.key.trace_id]
            if new_id in held:
                raise StoreError(Failure.UNKNOWN, "INTERNAL_ERROR")
            held[new_id] = self._as_assessment(rating, new_id)
        fail()
        return new_id

    def update(self, rating: Rating, assessment_id: str) -> None:
        """Change an assessment that is there."""
        fail = self._begin("update")
        with self._lock:
            held = self.traces[rating.key.trace_id]
            if assessment_id not in held:
                raise StoreError(Failure.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST")
            held[assessment_id] = self._as_assessment(rating, assessment_id)
        fail()

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Remove an assessment."""
        fail = self._begin("delete")
        with self._lock:
            self.traces[trace_id].pop(assessment_id, None)
        fail()

    def is_foreign(self, found: Assessment) -> bool:
        """Return whether another ledger's mark is on it, rather than ours or none."""
        return found.metadata.get(LEDGER_KEY, OURS) != OURS

    def held(self, trace_id: str = KEY.trace_id) -> dict[str, Any]:
        """Return what the fake holds: values by id."""
        with self._lock:
            return {key: each.content.value for key, each in self.traces[trace_id].items()}

    def _begin(self, call: str) -> Callable[[], None]:
        """Fail before anything is done, or return what fails afterwards."""
        self.calls.append(call)
        if self.meanwhile is not None:
            self.meanwhile(call)
        time.sleep(self.delay_seconds)
        if self.away:
            raise StoreError(Failure.UNKNOWN, "TIMEOUT")
        if self.fails and self.fails[0][0] == call:
            _, failure, done = self.fails.pop(0)
            error = StoreError(failure, failure.name)
            if not done:
                raise error
            return lambda: _raise(error)
        return lambda: None

    def _as_assessment(self, rating: Rating, assessment_id: str) -> Assessment:
        return assessment(
            assessment_id,
            name=rating.key.name,
            kind=rating.key.kind,
            source_id=rating.key.person,
            content=rating.content,
            metadata=mark(rating.changed_at),
        )


def _raise(error: Exception) -> None:
    raise error
