"""One writer per process: concurrent writes share a transaction, and so one sync to the disk.

Under load, syncing once for every rating is what a ledger spends its time on. The writer takes
whatever is waiting, runs it in one transaction (each write behind a savepoint of its own), commits
once, and then tells every caller.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

logger = logging.getLogger(__name__)
T = TypeVar("T")
Write = Callable[[Connection], T]

_MOST_PER_COMMIT = 256
_LONGEST_QUEUE = 20_000


class QueueFull(Exception):
    """More writes are waiting than the writer may hold."""


class GroupCommit:
    """Runs writes on one thread, many to a commit.

    Args:
        engine: Where to write.
        prepare: Called on the writer's thread before every transaction; what it raises fails the
            writes of that transaction.
    """

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
        """Queue ``write``; its future is done once its transaction is committed.

        The future fails with the SQLAlchemy error of a write or commit that failed.

        Raises:
            QueueFull: too many writes wait already, or the writer is closed.
        """
        if self._closed or self._waiting.qsize() >= _LONGEST_QUEUE:
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
        """Block for the first write, then take what else is there."""
        batch: list[tuple[Write[Any], Future[Any]]] = []
        item = self._waiting.get()
        while item is not None:
            if item[1].set_running_or_notify_cancel():
                batch.append(item)
            if len(batch) >= _MOST_PER_COMMIT:
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

    def _is_one_writes_fault(self, error: Exception) -> bool:
        """A conflict or a deadlock of one write must not fail its neighbours.

        SQLite's operational errors (locked, full, read-only) would meet every one of them.
        """
        if isinstance(error, OperationalError):
            return not error.connection_invalidated and self._engine.dialect.name != "sqlite"
        return isinstance(error, DBAPIError)

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
                except SQLAlchemyError:
                    raise
                except Exception as error:  # the write's own: it alone is undone
                    results.append((None, error))
        return results
