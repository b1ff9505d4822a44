"""How writes become transactions: together on SQLite, each its own on PostgreSQL.

SQLite has one writer at a time, and syncing the file once for every rating is what a ledger would
spend its time on. So concurrent writes share a transaction there, and with it one sync.
PostgreSQL's server shares syncs between transactions itself, and a process that queued its writes
for one connection would wait for one network round trip after another: there, each write is a
transaction of its own, on one of a few connections.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from agent_feedback.threads import DaemonThreads

T = TypeVar("T")
Write = Callable[[Connection], T]

_MAX_PER_COMMIT = 256
_MAX_CONNECTIONS = 8
# A serialization failure and a deadlock: the server undid the transaction, and asks to repeat it.
_UNDONE_BY_THE_SERVER = ("40001", "40P01")
_PAUSE_SECONDS = (0.05, 0.2)
_MAX_QUEUE = 20_000


class QueueFull(Exception):
    """More writes are waiting than the writer may hold."""


class Writer(Protocol):
    """Runs writes on threads of its own, so that a database that hangs blocks no caller."""

    def submit(self, write: Write[T]) -> Future[T]:
        """Queue ``write``; its future is done once its transaction is committed.

        The future fails with the SQLAlchemy error of a write or commit that failed, or with what
        the write itself raised; nothing that it did is then durable.

        Raises:
            QueueFull: too many writes wait already, or the writer is closed.
        """

    def close(self, timeout: float) -> None:
        """Commit what is queued, for at most ``timeout`` seconds, and take nothing more."""


def writer_for(engine: Engine, prepare: Callable[[], None]) -> Writer:
    """The writer that suits the engine's database.

    Args:
        engine: Where to write.
        prepare: Called on the writer's thread before every transaction; what it raises fails the
            writes of that transaction.
    """
    kind = GroupWriter if engine.dialect.name == "sqlite" else DirectWriter
    return kind(engine, prepare)


class DirectWriter:
    """Runs each write in a transaction of its own, a few at the same time."""

    def __init__(self, engine: Engine, prepare: Callable[[], None]) -> None:
        self._engine = engine
        self._prepare = prepare
        self._threads = DaemonThreads(_MAX_CONNECTIONS, "agent-feedback-ledger")
        self._closed = False

    def submit(self, write: Write[T]) -> Future[T]:
        """Queue ``write``: see :meth:`Writer.submit`."""
        if self._closed or self._threads.waiting >= _MAX_QUEUE:
            raise QueueFull
        return self._threads.submit(partial(self._run, write))

    def close(self, timeout: float = 10.0) -> None:
        """Commit what is queued, then end the threads."""
        self._closed = True
        self._threads.close(timeout)

    def _run(self, write: Write[T]) -> T:
        self._prepare()
        try:
            return self._transact(write)
        except OperationalError as error:
            if _sqlstate(error) not in _UNDONE_BY_THE_SERVER:
                raise
            # Not at once: the other one has to get the lock first that this one gave up.
            time.sleep(random.uniform(*_PAUSE_SECONDS))
            return self._transact(write)

    def _transact(self, write: Write[T]) -> T:
        with self._engine.begin() as connection:
            return write(connection)


def _sqlstate(error: OperationalError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


class GroupWriter:
    """Runs writes on one thread, many to a commit: each behind a savepoint of its own."""

    def __init__(self, engine: Engine, prepare: Callable[[], None]) -> None:
        self._engine = engine
        self._prepare = prepare
        self._waiting: queue.SimpleQueue[tuple[Write[Any], Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, write: Write[T]) -> Future[T]:
        """Queue ``write``: see :meth:`Writer.submit`."""
        if self._closed or self._waiting.qsize() >= _MAX_QUEUE:
            raise QueueFull
        self._start()
        done: Future[T] = Future()
        self._waiting.put((write, done))
        return done

    def close(self, timeout: float = 10.0) -> None:
        """Commit what is queued, then end the thread."""
        self._closed = True
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(timeout)

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="agent-feedback-ledger", daemon=True
                    )
                    self._thread.start()

    def _run(self) -> None:
        while True:
            batch, last = self._next_batch()
            if batch:
                self._commit(batch)
            if last:
                return

    def _next_batch(self) -> tuple[list[tuple[Write[Any], Future[Any]]], bool]:
        """Block for the first write, then take what else is there.

        Nothing waits for company: what comes while a transaction is being synced shares the next.
        """
        batch: list[tuple[Write[Any], Future[Any]]] = []
        item = self._waiting.get()
        while item is not None:
            if item[1].set_running_or_notify_cancel():
                batch.append(item)
            if len(batch) >= _MAX_PER_COMMIT:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[tuple[Write[Any], Future[Any]]]) -> None:
        try:
            results = self._attempt(batch)
        except Exception as error:
            if len(batch) > 1 and self._is_one_writes_fault(error):
                # The transaction is undone, whosever fault it was: each gets one of its own.
                for item in batch:
                    self._commit([item])
                return
            for _, done in batch:
                done.set_exception(error)
            return
        for (_, done), (value, failure) in zip(batch, results, strict=True):
            if failure is not None:
                done.set_exception(failure)
            else:
                done.set_result(value)

    @staticmethod
    def _is_one_writes_fault(error: Exception) -> bool:
        """Whether one write's conflict failed the transaction, and must not fail its neighbours.

        SQLite's operational errors (locked, full, read-only) would meet every one of them.
        """
        return isinstance(error, DBAPIError) and not isinstance(error, OperationalError)

    def _attempt(
        self, batch: list[tuple[Write[Any], Future[Any]]]
    ) -> list[tuple[Any, Exception | None]]:
        self._prepare()
        results: list[tuple[Any, Exception | None]] = []
        with self._engine.begin() as connection:
            for write, _ in batch:
                try:
                    with connection.begin_nested():
                        results.append((write(connection), None))
                except SQLAlchemyError:  # the database's: perhaps the whole transaction is lost
                    raise
                except Exception as error:  # the write's own: it alone is undone
                    results.append((None, error))
        return results
