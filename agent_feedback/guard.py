"""The one guard for "our fault never breaks the host's answer"."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class Guard:
    """Swallows what goes wrong in our part of an answer, and logs each kind of it once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    @contextmanager
    def protect(self, what: str) -> Iterator[None]:
        """Run the block; a failure is logged as "``what`` failed" the first time it happens."""
        try:
            yield
        except Exception:
            self.log_once(f"{what} failed; the answer is unharmed", failed=True)

    def log_once(self, message: str, *, failed: bool = False) -> None:
        """Log ``message``, with the exception at hand where something failed, once in all."""
        if message not in self._logged:
            self._logged.add(message)
            logger.warning("agent_feedback: %s", message, exc_info=failed)
