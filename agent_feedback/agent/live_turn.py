"""One turn while it runs: it ends once, however it ends, and says so where others see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from agent_feedback.agent import request_fields
from agent_feedback.guard import Guard
from agent_feedback.identity.token_owners import DEADLINE_SECONDS
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.model import ANONYMOUS, Identity, Turn, TurnState


class LiveTurn:
    """One running turn. Ends once, in one of the states of :class:`TurnState`.

    Args:
        turn: As it begins.
        trace: The trace that it writes to.
        guard: Keeps our failures from the host's answer.
        record: Records each state of the turn in the ledger, without waiting.
        ended: Called once, when the turn has ended.
        look_up: Who asks, where an access token is still being looked up.
        has_callers_id: Whether the caller named the request.
    """

    def __init__(
        self,
        turn: Turn,
        trace: ActiveTrace,
        guard: Guard,
        *,
        record: Callable[[Turn], None],
        ended: Callable[[], None],
        look_up: Future[Identity] | None = None,
        has_callers_id: bool = False,
    ) -> None:
        self.turn = turn
        self._trace = trace
        self._guard = guard
        self._record = record
        self._ended = ended
        self._look_up = look_up
        self._has_callers_id = has_callers_id
        self._note()

    async def know_asker(self) -> None:
        """Wait for the token's look-up, where there is one, so that the trace says who asked."""
        if self._look_up is None or self.turn.asker is not None:
            return
        with self._guard.protect("looking up who asks"):
            # Shielded: others may be waiting for the same token's answer.
            answer = asyncio.wrap_future(self._look_up)
            await asyncio.wait_for(asyncio.shield(answer), DEADLINE_SECONDS)

    def rename_request(self, own: object) -> None:
        """The answer names the request itself: the client knows it by that name and no other.

        Where the caller named it, both would be known to the client, and the caller's is the one.
        """
        if not self._has_callers_id and request_fields.is_client_request_id(own):
            self.turn = replace(self.turn, client_request_id=str(own))

    def fail(self, error: BaseException) -> None:
        """The handler raised."""
        with self._guard.protect("recording an error"):
            self._trace.fail(error)
        self._end(TurnState.ERROR)

    def interrupt(self, partial_output: Any) -> None:
        """The client left: keep what was sent so far. May come early, and twice."""
        if self.turn.state is not TurnState.OPEN:
            return
        with self._guard.protect("keeping an interrupted answer"):
            if partial_output is not None:
                self._trace.set_outputs(partial_output)
        self._end(TurnState.INTERRUPTED)

    def finish(self) -> None:
        """The handler came to its end, even where the client seemed to have left before."""
        if self.turn.state is not TurnState.ERROR:
            self._end(TurnState.OK)

    def _end(self, state: TurnState) -> None:
        # A client that seemed to have left can be followed by the handler's own end, which counts:
        # so the state may change once more, but the turn ends once.
        is_first = self.turn.state is TurnState.OPEN
        if self._look_up is not None and self.turn.asker is None:
            if self._look_up.done():
                self._learn(self._look_up)
            elif is_first:  # too late for the trace, in time for the ledger
                self._look_up.add_done_callback(self._learn_late)
        self.turn = replace(self.turn, state=state, closed_at=int(time.time() * 1000))
        self._note()
        if is_first:
            self._ended()

    def _note(self) -> None:
        """Write the turn's state where others see it: the trace and the ledger."""
        with self._guard.protect("tagging a trace"):
            self._trace.tag(self.turn)
        with self._guard.protect("recording a turn"):
            self._record(self.turn)

    def _learn(self, look_up: Future[Identity]) -> None:
        if not look_up.cancelled() and look_up.exception() is None:
            self.turn = asked_by(self.turn, look_up.result())

    def _learn_late(self, look_up: Future[Identity]) -> None:
        with self._guard.protect("looking up who asked"):
            self._learn(look_up)
            self._note()


def asked_by(turn: Turn, who: Identity) -> Turn:
    """The turn with its verified asker."""
    user_id = turn.user_id if who.user_id == ANONYMOUS else who.user_id
    return replace(turn, asker=who.user_id, user_id=user_id)
