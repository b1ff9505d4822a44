"""Turns on their way into the ledger: remembered at once, written a moment later.

An answer must not pay for its turn's record, not even with the interpreter's lock: the write waits
a moment, and a turn that ends within it is written once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from agent_feedback.log_throttle import LogThrottle
from agent_feedback.model import Turn

logger = logging.getLogger(__name__)

_DELAY_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_MAX_REMEMBERED = 1_000
_MAX_WAITING = 20_000
_LOG_AGAIN_SECONDS = 60.0


class TurnLog:
    """The newest turns of this process, and a thread that writes them.

    Args:
        write: Writes turns and waits for it. What it raises is logged, and the turns are written
            again a moment later, as far as memory reaches.
    """

    def __init__(self, write: Callable[[Sequence[Turn]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._recent: dict[str, Turn] = {}
        self._waiting: dict[str, Turn] = {}
        self._something = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._throttle = LogThrottle(_LOG_AGAIN_SECONDS)

    def record(self, turn: Turn) -> None:
        """Note a turn's newest state. Never waits and never fails."""
        with self._lock:
            self._recent[turn.turn_id] = turn  # keeps its place: they stay in order of opening
            if len(self._recent) > _MAX_REMEMBERED:
                self._recent.pop(next(iter(self._recent)))
            if len(self._waiting) < _MAX_WAITING or turn.turn_id in self._waiting:
                self._waiting[turn.turn_id] = turn
            if self._thread is None:
                self._closing.clear()
                self._thread = threading.Thread(
                    target=self._run, name="agent-feedback-turns", daemon=True
                )
                self._thread.start()
        self._something.set()

    def remembered(self) -> list[Turn]:
        """This process's turns, the one that began last first; some may not be written yet."""
        with self._lock:
            return list(reversed(self._recent.values()))

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, and end the thread; a later record starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._closing.set()
            self._something.set()
            thread.join(timeout)

    def _run(self) -> None:
        last = False
        while not last:
            self._something.wait()
            self._closing.wait(_DELAY_SECONDS)
            self._something.clear()
            last = self._closing.is_set()  # read first: what came until then is written
            with self._lock:
                waiting, self._waiting = list(self._waiting.values()), {}
            try:
                if waiting:
                    self._write(waiting)
            except Exception as error:
                self._put_back(waiting)
                self._closing.wait(_RETRY_SECONDS)
                sentence = f"turns are not recorded ({type(error).__name__})"
                if self._throttle.allows(sentence):
                    logger.warning("agent_feedback: %s", sentence)

    def _put_back(self, turns: Sequence[Turn]) -> None:
        """Let turns wait that could not be written; what they became meanwhile counts."""
        with self._lock:
            newer, self._waiting = self._waiting, {}
            for turn in turns[-_MAX_WAITING:]:
                self._waiting[turn.turn_id] = turn
            self._waiting |= newer
        self._something.set()
