"""The ledger's database: opened once, and every use of it bounded in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from sqlalchemy import Connection, Executable, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from agent_feedback.errors import ConfigurationError, Unavailable
from agent_feedback.ledger.dialects import create_tables, open_engines
from agent_feedback.ledger.writer import QueueFull, Writer, writer_for
from agent_feedback.threads import DaemonThreads

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PATIENCE_SECONDS = 5.0
_MAX_READERS = 16


class Database:
    """Reads and writes, safe to share between threads.

    Args:
        url: An SQLAlchemy URL. Nothing is opened before :meth:`open` or the first use.

    Raises:
        ConfigurationError: the URL is none, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._engine, self._read_engine = open_engines(url)
        self._writer: Writer = writer_for(self._engine, prepare=self.open)
        self._readers = DaemonThreads(_MAX_READERS, "agent-feedback-read")
        self._opened = False
        self._identity = ""
        self._opening = threading.Lock()

    def open(self) -> None:
        """Create what is missing; harmless when repeated, safe between workers.

        Raises:
            ConfigurationError: the ledger cannot be where it is said to be.
            Unavailable: its database cannot be used now.
        """
        with self._opening:
            if not self._opened:
                self._identity = create_tables(self._engine)
                self._opened = True

    def identity(self) -> str:
        """The ledger's own id, the same for every process that shares it.

        Raises:
            ConfigurationError, Unavailable: as :meth:`open`.
        """
        self.open()
        return self._identity

    def close(self, within: float) -> None:
        """Write what is queued and close every connection; a later use opens it again.

        Args:
            within: How many seconds a database that hangs may take.
        """
        writer, self._writer = self._writer, writer_for(self._engine, prepare=self.open)
        writer.close(within)
        self._readers.close()
        self._opened = False
        self._engine.dispose()
        self._read_engine.dispose()

    def write(self, write: Callable[[Connection], T]) -> T:
        """Run ``write`` in a transaction and wait until it is durable.

        Raises:
            Unavailable: it is not durable within the time that a caller can wait.
            FeedbackError: whatever ``write`` raised; nothing of it is durable.
        """
        # What a caller was told is not stored must not be stored a moment later: a write that is
        # still waiting when its caller is refused undoes itself. (One that is being committed at
        # that moment may become durable: nobody can know.)
        refused = threading.Event()

        def write_unless_refused(connection: Connection) -> T:
            if refused.is_set():
                raise _unavailable()
            result = write(connection)
            if refused.is_set():
                raise _unavailable()
            return result

        try:
            done = self._writer.submit(write_unless_refused)
        except QueueFull:
            raise _unavailable() from None
        try:
            return self._wait_for(done)
        except FutureTimeout:
            refused.set()
            done.cancel()  # where it has not begun
            raise _unavailable() from None

    def read(self, query: Executable, convert: Callable[[RowMapping], T]) -> list[T]:
        """Run ``query`` and convert its rows.

        Raises:
            Unavailable: the database does not answer.
        """

        def run() -> list[T]:
            self.open()
            with self._read_engine.connect() as connection:
                return [convert(row) for row in connection.execute(query).mappings()]

        # On a thread of ours: a database that hangs holds that one, and not the caller's.
        rows = self._readers.submit(run)
        try:
            return self._wait_for(rows)
        except FutureTimeout:
            rows.cancel()
            raise _unavailable() from None

    @staticmethod
    def _wait_for(done: Future[T]) -> T:
        try:
            return done.result(_PATIENCE_SECONDS)
        except (SQLAlchemyError, ConfigurationError) as error:
            # Its kind alone: the driver's text may hold what people wrote.
            logger.warning("agent_feedback: the ledger failed (%s)", type(error).__name__)
            raise _unavailable() from None


def _unavailable() -> Unavailable:
    return Unavailable("Feedback cannot be stored right now: try again in a moment.")
