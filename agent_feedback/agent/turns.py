"""Turns while they run: opened before a handler's first line, closed after its last.

A live turn knows its trace. It tags it, notes it in the ledger without waiting, and says at the
end how it went, whoever ends it: the handler, its error, or a client that left.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from agent_feedback.agent import request_fields
from agent_feedback.doors.active_trace import ActiveTrace
from agent_feedback.guard import Guard
from agent_feedback.identity.callers import Callers
from agent_feedback.identity.headers import RawHeaders
from agent_feedback.identity.token_directory import DEADLINE_SECONDS
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.model import ANONYMOUS, Identity, Turn, TurnState


class Turns:
    """Opens live turns, and knows which traces are still open in this process.

    Args:
        ledger: Where turns are recorded.
        callers: Says who sends a request.
        guard: Keeps our failures from the host's answers.
        began: Called with each turn's beginning. It never fails.
        ended: Called with the trace of each turn that has ended; its span may be open still. It
            never fails either.
    """

    def __init__(
        self,
        ledger: Ledger,
        callers: Callers,
        guard: Guard,
        *,
        began: Callable[[], None],
        ended: Callable[[ActiveTrace], None],
    ) -> None:
        self._ledger = ledger
        self._callers = callers
        self._guard = guard
        self._began = began
        self._ended = ended
        # Not a UUID each: the system's randomness lets go of the interpreter's lock, and under
        # load it is a while until it comes back.
        self._process = (os.getpid(), uuid.uuid4().hex[:20])
        self._numbers = itertools.count()
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def is_open(self, trace_id: str) -> bool:
        """Whether a handler of this process still works on this trace."""
        return self._open[trace_id] > 0

    def open_request(self, request: Any, headers: RawHeaders) -> LiveTurn:
        """A turn of the server's: who asks and what for comes from the request."""
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        who: Identity | Future[Identity] | None = None
        with self._guard.protect("reading who asks"):
            who = self._callers.begin(headers)
        return self._start(
            who,
            client_request_id=request_fields.client_request_id(request, named),
            session_id=request_fields.session_id(request, named),
            claimed_user=request_fields.claimed_user(request),
        )

    def open_app(
        self, user_id: str | None, session_id: str | None, client_request_id: str | None
    ) -> LiveTurn:
        """A turn that the host application vouches for."""
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
            turn = _asked_by(turn, who)
        if turn.trace_id is None:
            self._guard.log_once(
                "tracing made no trace (it is off, or sampled out): such answers cannot be rated"
            )
        live = LiveTurn(
            self,
            trace,
            turn,
            who if isinstance(who, Future) else None,
            has_callers_id=client_request_id is not None,
        )
        self._opened(live)
        return live

    def _new_turn_id(self) -> str:
        pid, name = self._process
        if pid != os.getpid():  # a forked worker inherits name and count, and shares the ledger
            name = uuid.uuid4().hex[:20]
            self._process = (os.getpid(), name)
        return f"{name}{next(self._numbers):x}"

    def _opened(self, live: LiveTurn) -> None:
        if live.turn.trace_id is not None:
            with self._lock:
                self._open[live.turn.trace_id] += 1
        self.note(live)

    def note(self, live: LiveTurn) -> None:
        """Write the turn's state where others see it: the trace and the ledger."""
        with self._guard.protect("tagging a trace"):
            live.trace.tag(live.turn)
        with self._guard.protect("recording a turn"):
            self._ledger.record(live.turn)

    def closed(self, live: LiveTurn) -> None:
        """The handler is done with the trace: its ratings may go to MLflow.

        Nobody is woken: a rating that waits for this is looked at again in a moment anyway, and
        most turns have none.
        """
        if live.turn.trace_id is not None:
            with self._lock:
                self._open[live.turn.trace_id] -= 1
                if self._open[live.turn.trace_id] <= 0:
                    del self._open[live.turn.trace_id]
        self._ended(live.trace)

    def protect(self, what: str) -> Any:
        """The guard, for what a live turn does on its own."""
        return self._guard.protect(what)


class LiveTurn:
    """One running turn. Ends once, in one of the states of :class:`TurnState`."""

    def __init__(
        self,
        turns: Turns,
        trace: ActiveTrace,
        turn: Turn,
        look_up: Future[Identity] | None,
        *,
        has_callers_id: bool,
    ) -> None:
        self._turns = turns
        self._look_up = look_up
        self._has_callers_id = has_callers_id
        self.trace = trace
        self.turn = turn

    async def know_asker(self) -> None:
        """Wait for the token's look-up, where there is one, so that the trace says who asked."""
        if self._look_up is None or self.turn.asker is not None:
            return
        with self._turns.protect("looking up who asks"):
            answer = asyncio.wrap_future(self._look_up)
            await asyncio.wait_for(asyncio.shield(answer), DEADLINE_SECONDS)

    def call_request(self, own: object) -> None:
        """The answer names the request itself: the client knows it by that name and no other.

        Where the caller named it, both would be known to the client, and the caller's is the one.
        """
        if not self._has_callers_id and request_fields.is_client_request_id(own):
            self.turn = replace(self.turn, client_request_id=str(own))

    def fail(self, error: BaseException) -> None:
        """The handler raised."""
        with self._turns.protect("recording an error"):
            self.trace.fail(error)
        self._end(TurnState.ERROR)

    def interrupt(self, said: Any) -> None:
        """The client left: keep what was said so far. May come early, and twice."""
        if self.turn.state is not TurnState.OPEN:
            return
        with self._turns.protect("keeping an interrupted answer"):
            if said is not None:
                self.trace.set_outputs(said)
        self._end(TurnState.INTERRUPTED)

    def finish(self) -> None:
        """The handler came to its end, even where the client seemed to have left before."""
        if self.turn.state is not TurnState.ERROR:
            self._end(TurnState.OK)

    def _end(self, state: TurnState) -> None:
        first = self.turn.state is TurnState.OPEN
        if self._look_up is not None and self.turn.asker is None:
            if self._look_up.done():
                self._learn(self._look_up)
            elif first:  # too late for the trace, in time for the ledger
                self._look_up.add_done_callback(self._learn_late)
        self.turn = replace(self.turn, state=state, closed_at=int(time.time() * 1000))
        self._turns.note(self)
        if first:
            self._turns.closed(self)

    def _learn(self, look_up: Future[Identity]) -> None:
        if not look_up.cancelled() and look_up.exception() is None:
            self.turn = _asked_by(self.turn, look_up.result())

    def _learn_late(self, look_up: Future[Identity]) -> None:
        with self._turns.protect("looking up who asked"):
            self._learn(look_up)
            self._turns.note(self)


def _asked_by(turn: Turn, who: Identity) -> Turn:
    user_id = turn.user_id if who.user_id == ANONYMOUS else who.user_id
    return replace(turn, asker=who.user_id, user_id=user_id)
