"""The questions and answers so far, per session, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class PastTurn:
    """One question and its answer, or as much of it as was sent."""

    question: str
    answer: str


class Sessions:
    """The latest past_turns of the sessions used last; the others are forgotten."""

    def __init__(self, max_sessions: int = 1_000, max_turns: int = 5) -> None:
        self._max_sessions = max_sessions
        self._max_turns = max_turns
        self._sessions: OrderedDict[str, deque[PastTurn]] = OrderedDict()
        self._lock = Lock()

    def recent(self, session_id: str | None) -> tuple[PastTurn, ...]:
        """The session's past_turns, oldest first; nothing for a request without a session."""
        with self._lock:
            return tuple(self._sessions.get(session_id, ())) if session_id else ()

    def remember(self, session_id: str | None, turn: PastTurn) -> None:
        """Adds a turn to its session, which then counts as the one used last."""
        if not session_id:
            return
        with self._lock:
            past_turns = self._sessions.setdefault(session_id, deque(maxlen=self._max_turns))
            past_turns.append(turn)
            self._sessions.move_to_end(session_id)
            if len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)
