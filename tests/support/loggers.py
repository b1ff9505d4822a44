"""Loggers that appear while pytest looks through them."""

import logging
from typing import Any


class _Snapshots(dict[str, Any]):
    """A dictionary whose values are those of the moment in which they are asked for."""

    def values(self) -> Any:
        """A copy, made without letting other threads in."""
        return list(super().values())


def let_threads_make_loggers() -> None:
    """Keep pytest from failing at a test's start because a thread makes a logger at that moment.

    pytest (measured on 9.2) walks through the loggers before every test. A thread of the test
    before may import a module just then, and most modules make a logger: "dictionary changed size
    during iteration", once in some thousand tests on a busy machine.
    """
    manager = logging.root.manager
    manager.loggerDict = _Snapshots(manager.loggerDict)
