"""The one guard for "our fault never breaks the host's answer", and what it says of failures."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from agent_feedback.log_throttle import LogThrottle

logger = logging.getLogger(__name__)


class Guard:
    """Swallows what goes wrong in our part of an answer, and logs each kind of it once."""

    def __init__(self) -> None:
        self._throttle = LogThrottle()

    @contextmanager
    def protect(self, what: str) -> Iterator[None]:
        """Run the block; a failure is logged as "``what`` failed" the first time it happens."""
        try:
            yield
        except Exception as error:
            self.log_once(f"{what} failed; the answer is unharmed", error)

    def log_once(self, message: str, error: Exception | None = None) -> None:
        """Log ``message``, and where ``error`` came from, once in all."""
        if self._throttle.allows(message):
            origin = f"\n{origin_of(error)}" if error is not None else ""
            logger.warning("agent_feedback: %s%s", message, origin)


def origin_of(error: BaseException) -> str:
    """An exception's stack and kind, and those of what caused it, without any exception's text.

    Texts of exceptions hold what they are about: comments, e-mail addresses, a statement's
    parameters. The stack shows lines of code only.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    origin = f"{frames}{type(error).__module__}.{type(error).__qualname__}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{origin_of(cause)}\n{origin}" if cause is not None else origin
