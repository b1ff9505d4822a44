"""Finished traces on their way into MLflow."""

import threading
from contextlib import nullcontext

import mlflow
import pytest

from agent_feedback.guard import Guard
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.mlflow_client.trace_export import PromptExport, flush_finished_spans
from tests.support.mlflow_store import Tracking
from tests.support.waiting import until


@pytest.fixture
def late_export(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    """Let MLflow keep what has ended to itself for ten minutes."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS", "600000")
    mlflow.tracing.reset()
    return tracking


@pytest.mark.parametrize("inner", [False, True])
def test_a_trace_is_stored_once_its_root_has_ended(late_export: Tracking, inner: bool) -> None:
    """A turn may end before its trace does: the export waits for that, and for nothing else."""
    export = PromptExport(Guard())
    with mlflow.start_span("root") as span:
        with mlflow.start_span("inner") if inner else nullcontext():
            trace = ActiveTrace()
        assert not trace.is_complete
        export.soon(trace)
        assert late_export.traces() == []
    stored = until(late_export.traces, "the trace was not exported")
    assert [trace.info.trace_id for trace in stored] == [span.trace_id]


def test_traces_that_end_together_are_exported_together(tracking: Tracking) -> None:
    """A busy server does not flush for each answer."""
    flushed = threading.Semaphore(0)
    export = PromptExport(Guard(), flush=flushed.release)
    with mlflow.start_span("one"):
        for _ in range(50):
            export.soon(ActiveTrace())
    assert flushed.acquire(timeout=30)
    assert not export._waiting
    assert not flushed.acquire(blocking=False)


def test_a_failed_flush_does_not_end_the_exports(
    tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    """What MLflow raises is logged once in all, and the next trace is exported as well."""
    asked = threading.Semaphore(0)

    def fail() -> None:
        asked.release()
        raise RuntimeError

    export = PromptExport(Guard(), flush=fail)
    for _ in range(2):
        with mlflow.start_span("answer"):
            trace = ActiveTrace()
        export.soon(trace)
        assert asked.acquire(timeout=30)
    until(lambda: "exporting a trace at once failed" in caplog.text, "nothing was logged")
    assert len(caplog.records) == 1


def test_without_a_provider_there_is_nothing_to_flush() -> None:
    """MLflow makes its provider with the first span; before that, flushing does nothing."""
    mlflow.tracing.reset()
    flush_finished_spans()
