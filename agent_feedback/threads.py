"""Threads for work that may hang."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThreads:
    """A few threads that never keep their process from ending, whatever they wait for.

    The standard library's pool is joined when the interpreter exits: one call that hangs would
    keep a server from stopping until its platform kills it.

    Args:
        max_threads: How many threads there may be; they are started when there is work for them.
        name: Their name.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    @property
    def waiting(self) -> int:
        """How much work waits for a thread."""
        return self._work.qsize()

    def submit(self, run: Callable[[], T]) -> Future[T]:
        """Run this on one of the threads, once one is free."""
        done: Future[T] = Future()
        with self._lock:
            self._work.put((done, run))
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._max_threads:
                self._threads.append(
                    threading.Thread(
                        target=_serve, args=(self._work, self._idle), name=self._name, daemon=True
                    )
                )
                self._threads[-1].start()
        return done

    def close(self, within: float = 0.0) -> None:
        """Finish what is waiting, then let the threads go; a later use starts others.

        Args:
            within: How many seconds to wait for that, in all.
        """
        with self._lock:
            work, threads = self._work, self._threads
            self._open()
        for _ in threads:
            work.put(None)
        deadline = time.monotonic() + within
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _serve(
    work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None],
    idle: threading.Semaphore,
) -> None:
    while (item := _next(work, idle)) is not None:
        done, run = item
        if done.set_running_or_notify_cancel():
            try:
                done.set_result(run())
            except BaseException as error:  # as the standard pool does: whoever waits gets it
                done.set_exception(error)
        # Not to keep alive what was asked for until the next one asks.
        del item, done, run


def _next(work: queue.SimpleQueue[T], idle: threading.Semaphore) -> T:
    try:
        return work.get_nowait()
    except queue.Empty:
        idle.release()
        return work.get()
