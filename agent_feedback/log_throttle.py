"""Keeps a log readable where one cause fails a thousand times."""

from __future__ import annotations

import threading
import time


class LogThrottle:
    """Lets each message be logged once: once in all, or once in a while.

    Args:
        seconds: After how long a message may be logged again; ``None`` for never.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._logged_at: dict[str, float] = {}

    def allows(self, message: str) -> bool:
        """Whether ``message`` may be logged now; if so, it counts as logged."""
        now = time.monotonic()
        with self._lock:
            last = self._logged_at.get(message)
            if last is not None and (self._seconds is None or now - last < self._seconds):
                return False
            self._logged_at[message] = now
            return True
