"""Which trace a rating is for, and whether this person may rate it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from agent_feedback import trace_id as trace_ids
from agent_feedback.agent.request_fields import is_client_request_id
from agent_feedback.errors import InvalidFeedback, NotAllowed, TraceNotFound, Unavailable
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import ANONYMOUS, Identity, StoredTrace, Turn, TurnState, same_person
from agent_feedback.settings import Raters
from agent_feedback.text import MAX_NAME_LENGTH, is_name

_EXPORT_GAP_MS = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """How a request names the answer that it is about."""

    trace_id: str | None = None
    client_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rateable:
    """A trace that the person may rate.

    ``in_export_gap``: it ended so recently that MLflow has not stored it yet, by all experience.
    """

    trace_id: str
    client_request_id: str | None
    in_export_gap: bool = False


class _NoTrace(InvalidFeedback):
    """This answer has no trace, so it cannot be rated."""


def session_name(text: str) -> str:
    """``text`` if a conversation can be called so.

    Raises:
        InvalidFeedback: no session has such a name. The sentence does not repeat it.
    """
    if not is_name(text):
        raise InvalidFeedback(
            f"session_id is up to {MAX_NAME_LENGTH} characters, none of them a control character."
        )
    return text


def may_rate(asker: str | None, person: Identity, raters: Raters) -> bool:
    """Whether a person may rate what ``asker`` asked.

    Args:
        asker: Whom we noted when the turn ran; ``None`` where that is unknown.
        person: Who sends the rating.
        raters: The setting.
    """
    if raters == "anyone":
        return True
    return asker == ANONYMOUS or (asker is not None and same_person(asker, person.user_id))


class Targets:
    """Finds traces in the ledger first, and in MLflow where it does not know them.

    Args:
        ledger: Knows the turns of this application.
        store: Fetches stored traces.
        search: Finds them by their request's id.
        raters: Who may rate.
    """

    def __init__(
        self, ledger: Ledger, store: Assessments, search: TraceSearch, raters: Raters
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._search = search
        self._raters = raters

    def resolve(self, target: Target, person: Identity) -> Rateable:
        """The trace that ``target`` names.

        Raises:
            InvalidFeedback: it names none, two different ones, or an answer without a trace.
            NotAllowed: someone else asked.
            TraceNotFound: nobody knows it (yet).
            Unavailable: the ledger does not know it and MLflow cannot be asked.
        """
        if target.trace_id is not None:
            return self._by_trace_id(target.trace_id, target.client_request_id, person)
        if target.client_request_id is not None:
            return self._by_request_id(target.client_request_id, person)
        raise InvalidFeedback("Say which answer you mean: send its trace_id or client_request_id.")

    def own_traces(self, targets: Iterable[Target], person: Identity) -> list[str]:
        """The trace ids of ``targets`` as keys; what is unknown or someone else's is left out.

        Asking for one's own ratings shows nothing of others', so a trace id is not looked up here.

        Raises:
            InvalidFeedback: an id has none of the known forms.
        """
        found = []
        ask = True
        for target in targets:
            if target.trace_id is not None:
                found.append(self._complete(trace_ids.parse(target.trace_id)))
                continue
            try:
                rateable = self._by_request_id(target.client_request_id or "", person, ask=ask)
                found.append(rateable.trace_id)
            except Unavailable:  # once is enough: each question to a server that hangs costs
                ask = False
            except (TraceNotFound, _NoTrace):
                continue
        return found

    def _by_trace_id(
        self, trace_id: str, client_request_id: str | None, person: Identity
    ) -> Rateable:
        trace_id = self._complete(trace_ids.parse(trace_id))
        turn = self._ledger.turns.of_trace(trace_id)
        known: Turn | StoredTrace = turn if turn is not None else self._fetch(trace_id)
        if not may_rate(known.asker, person, self._raters):
            if isinstance(known, StoredTrace) and not known.is_whole:
                raise TraceNotFound()  # its mark may still be on its way
            raise NotAllowed()
        # Only now: others are not told what the request of this trace was called.
        if client_request_id not in (None, known.client_request_id):
            raise InvalidFeedback("trace_id and client_request_id name two different answers.")
        return Rateable(trace_id, known.client_request_id, _in_export_gap(known))

    def _by_request_id(
        self, client_request_id: str, person: Identity, *, ask: bool = True
    ) -> Rateable:
        if not is_client_request_id(client_request_id):
            raise InvalidFeedback("client_request_id is 1 to 50 letters, digits or . _ : -")
        # The id is not unique: it means the caller's own newest turn, others' are unknown to them.
        for turn in self._ledger.turns.of_request(client_request_id):
            if self._is_own(turn.asker, person):
                if turn.trace_id is None:
                    raise _NoTrace()
                return Rateable(turn.trace_id, client_request_id, _in_export_gap(turn))
        for stored in self._find(client_request_id) if ask else ():
            if self._is_own(stored.asker, person):
                return Rateable(stored.trace_id, client_request_id)
        raise TraceNotFound()

    def _is_own(self, asker: str | None, person: Identity) -> bool:
        unknown_but_open = asker is None and self._raters == "anyone"
        return unknown_but_open or may_rate(asker, person, "asker")

    def _complete(self, trace_id: str) -> str:
        if not trace_ids.is_bare(trace_id):
            return trace_id
        turn = self._ledger.turns.of_bare_trace(trace_id)
        if turn is not None and turn.trace_id is not None:
            return turn.trace_id
        try:
            return trace_ids.complete(trace_id, self._search.location())
        except StoreError:
            raise _cannot_ask() from None

    def _fetch(self, trace_id: str) -> StoredTrace:
        try:
            stored = self._store.fetch(trace_id)
            is_ours = stored is None or self._search.is_at_home(stored)
        except StoreError as error:
            if error.failure is Failure.IMPOSSIBLE:
                raise TraceNotFound(final=True) from None
            raise _cannot_ask() from None
        if not is_ours:  # the app can read it, which its people need not be allowed to know
            raise TraceNotFound(final=True)
        if stored is None:
            raise TraceNotFound()
        return stored

    def _find(self, client_request_id: str) -> list[StoredTrace]:
        try:
            return self._search.by_request(client_request_id)
        except StoreError:
            raise _cannot_ask() from None


def _in_export_gap(known: Turn | StoredTrace) -> bool:
    if isinstance(known, StoredTrace):
        return False
    if known.state is TurnState.OPEN or known.closed_at is None:
        return True
    return time.time() * 1000 - known.closed_at < _EXPORT_GAP_MS


def _cannot_ask() -> Unavailable:
    return Unavailable(
        "MLflow cannot be asked about this answer right now: try again in a moment.",
        retry_after=5.0,
    )
