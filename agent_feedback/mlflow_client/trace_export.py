"""Finished traces on their way from this process into MLflow.

MLflow holds them in memory for about five seconds (measured on 3.17), so that whatever ends the
process within that time takes them along, and with them the ratings that wait for them.
``tests/mlflow_client/test_trace_export.py`` pins what this reads of MLflow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import mlflow

from agent_feedback.guard import Guard
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.threads import DaemonThreads

_PAUSE_SECONDS = 0.05
_MAX_OPEN_SECONDS = 60.0


def export_finished_traces(timeout: float) -> None:
    """Let MLflow store the traces that it still holds, for at most ``timeout`` seconds."""
    # A daemon: MLflow's client retries for minutes, and the process must be able to end.
    export = threading.Thread(target=mlflow.flush_trace_async_logging, daemon=True)
    export.start()
    export.join(timeout)


def flush_finished_spans() -> None:
    """Hand the spans that have ended to MLflow's export, without waiting for it to store them.

    Takes a millisecond or two; ``mlflow.flush_trace_async_logging`` would take a second each time,
    and stops the export's queue meanwhile.
    """
    # Not at the top: importing this private name fails where MLflow has moved it.
    from mlflow.tracing.provider import provider

    flush = getattr(provider.get(), "force_flush", None)
    if flush is not None:  # MLflow sets its provider up with the first span
        flush()


class PromptExport:
    """Exports traces as soon as they have ended, in a thread, several at once where they come fast.

    Args:
        guard: Hears of failures.
        flush: Exports what has ended.
    """

    def __init__(self, guard: Guard, flush: Callable[[], None] = flush_finished_spans) -> None:
        self._guard = guard
        self._flush = flush
        self._threads = DaemonThreads(1, "agent-feedback-export")
        self._lock = threading.Lock()
        self._waiting: list[tuple[ActiveTrace, float]] = []
        self._is_running = False

    def soon(self, trace: ActiveTrace) -> None:
        """Export this trace once its root span has ended, which may be after its turn has.

        Never waits. A trace that stays open for a minute is left to MLflow's own export.
        """
        with self._lock:
            self._waiting.append((trace, time.monotonic() + _MAX_OPEN_SECONDS))
            if self._is_running:
                return
            self._is_running = True
        self._threads.submit(self._run)

    def _run(self) -> None:
        while self._is_running:
            time.sleep(_PAUSE_SECONDS)
            with self._lock:
                before = len(self._waiting)
                now = time.monotonic()
                self._waiting = [
                    (trace, until)
                    for trace, until in self._waiting
                    if not trace.is_complete and now < until
                ]
                some_ended = len(self._waiting) < before
                self._is_running = bool(self._waiting)
            if some_ended:
                with self._guard.protect("exporting a trace at once"):
                    self._flush()
