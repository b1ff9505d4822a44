"""Opens turns: before a handler's first line, with what the request says of itself."""

from __future__ import annotations

import itertools
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from agent_feedback.agent import request_fields
from agent_feedback.agent.live_turn import LiveTurn, asked_by
from agent_feedback.guard import Guard
from agent_feedback.identity.headers import RawHeaders
from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.model import Identity, Turn


class Turns:
    """Opens live turns, and knows which traces are still open in this process.

    Args:
        ledger: Where turns are recorded.
        resolver: Says who sends a request.
        guard: Keeps our failures from the host's answers.
        began: Called with each turn's beginning. It never fails.
        ended: Called with the trace of each turn that has ended; its span may be open still. It
            never fails either.
    """

    def __init__(
        self,
        ledger: Ledger,
        resolver: IdentityResolver,
        guard: Guard,
        *,
        began: Callable[[], None],
        ended: Callable[[ActiveTrace], None],
    ) -> None:
        self._ledger = ledger
        self._resolver = resolver
        self._guard = guard
        self._began = began
        self._ended = ended
        # Not a UUID for each turn: reading the system's randomness releases the interpreter's
        # lock, and under load it takes a while to get it back.
        self._process = (os.getpid(), uuid.uuid4().hex[:20])
        self._numbers = itertools.count()
        self._open = _OpenTraces()

    def is_open(self, trace_id: str) -> bool:
        """Whether a handler of this process still works on this trace."""
        return trace_id in self._open

    def open_request(self, request: Any, headers: RawHeaders) -> LiveTurn:
        """A turn of the server's: who asks and what for comes from the request."""
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        who: Identity | Future[Identity] | None = None
        with self._guard.protect("reading who asks"):
            who = self._resolver.start(headers)
        return self._start(
            who,
            client_request_id=request_fields.client_request_id(request, named),
            session_id=request_fields.session_id(request, named),
            claimed_user=request_fields.claimed_user(request),
        )

    def open_app(
        self, user_id: str | None, session_id: str | None, client_request_id: str | None
    ) -> LiveTurn:
        """A turn whose person the host application has verified."""
        keepable = request_fields.is_client_request_id(client_request_id)
        return self._start(
            Identity(user_id, "app", is_human=True) if user_id else Identity(how="app"),
            client_request_id=client_request_id if keepable else None,
            session_id=request_fields.usable_name(session_id),
        )

    def _start(
        self,
        who: Identity | Future[Identity] | None,
        *,
        client_request_id: str | None,
        session_id: str | None = None,
        claimed_user: str | None = None,
    ) -> LiveTurn:
        self._began()
        trace = ActiveTrace()
        turn = Turn(
            trace_id=trace.trace_id,
            client_request_id=client_request_id or str(uuid.uuid4()),
            session_id=session_id,
            user_id=claimed_user,
            turn_id=self._new_turn_id(),
            opened_at=int(time.time() * 1000),
        )
        if isinstance(who, Identity):
            turn = asked_by(turn, who)
        if turn.trace_id is None:
            self._guard.log_once(
                "tracing made no trace (it is off, or sampled out): such answers cannot be rated"
            )
        self._open.add(turn.trace_id)
        return LiveTurn(
            turn,
            trace,
            self._guard,
            record=self._ledger.turns.record,
            ended=partial(self._close, trace),
            look_up=who if isinstance(who, Future) else None,
            has_callers_id=client_request_id is not None,
        )

    def _close(self, trace: ActiveTrace) -> None:
        """The handler is done with the trace: its ratings may be delivered.

        The dispatcher is not woken: a rating that waits for this is due in a moment anyway, and
        most turns have none.
        """
        self._open.remove(trace.trace_id)
        self._ended(trace)

    def _new_turn_id(self) -> str:
        pid, name = self._process
        if pid != os.getpid():  # a forked worker inherits name and count, and shares the ledger
            name = uuid.uuid4().hex[:20]
            self._process = (os.getpid(), name)
        return f"{name}{next(self._numbers):x}"


class _OpenTraces:
    """How many turns of this process are open on which trace."""

    def __init__(self) -> None:
        self._turns: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __contains__(self, trace_id: str) -> bool:
        return self._turns[trace_id] > 0

    def add(self, trace_id: str | None) -> None:
        if trace_id is not None:
            with self._lock:
                self._turns[trace_id] += 1

    def remove(self, trace_id: str | None) -> None:
        if trace_id is not None:
            with self._lock:
                self._turns[trace_id] -= 1
                if self._turns[trace_id] <= 0:
                    del self._turns[trace_id]
