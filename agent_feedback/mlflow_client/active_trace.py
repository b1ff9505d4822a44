"""Client for the active trace: its id, its metadata, its outputs, how it ended."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities.span import NO_OP_SPAN_TRACE_ID
from mlflow.tracing.constant import TraceMetadataKey
from mlflow.tracing.trace_manager import InMemoryTraceManager

from agent_feedback.assessment_format import ASKER_KEY, STATE_KEY, USER_VERIFIED_KEY
from agent_feedback.model import Turn


class ActiveTrace:
    """The trace of the span that is active where this is made.

    It can be used from any task or thread afterwards, as long as the span is open.
    """

    def __init__(self) -> None:
        span = mlflow.get_current_active_span()
        no_trace = span is None or span.trace_id == NO_OP_SPAN_TRACE_ID
        self._span: Any = None if no_trace else span
        self._context = contextvars.copy_context()
        self._shown: Mapping[str, str] = {}
        self._shown_request: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The id as the span says it; ``None`` where tracing made no trace."""
        return self._span.trace_id if self._span is not None else None

    @property
    def has_ended(self) -> bool:
        """Whether its span is over, and nothing can be written to it any more."""
        return self._span is None or self._span.end_time_ns is not None

    @property
    def is_complete(self) -> bool:
        """Whether the whole trace is over, so that MLflow may store it."""
        if self._span is None:
            return True
        spans = InMemoryTraceManager.get_instance()
        root_id = spans.get_root_span_id(self._span.trace_id)
        root = spans.get_span_from_id(self._span.trace_id, root_id) if root_id else None
        return root is None or root.end_time_ns is not None

    def tag(self, turn: Turn) -> None:
        """Say whose turn this is. What the handler has called request, session or user stays."""
        shown = {}
        if turn.session_id is not None:
            shown[TraceMetadataKey.TRACE_SESSION] = turn.session_id
        if turn.user_id is not None:
            shown[TraceMetadataKey.TRACE_USER] = turn.user_id
            shown[USER_VERIFIED_KEY] = str(turn.user_id == turn.asker).lower()
        marks = {STATE_KEY: turn.state.value}
        if turn.asker is not None:
            marks[ASKER_KEY] = turn.asker
        is_new = turn.client_request_id != self._shown_request
        self._update(
            dict(shown.items() - self._shown.items()) | marks,
            turn.client_request_id if is_new else None,
        )
        self._shown, self._shown_request = shown, turn.client_request_id

    def set_outputs(self, outputs: Any) -> None:
        """Keep what was sent, as the span's output."""
        if self._span is not None:
            self._span.set_outputs(outputs)

    def fail(self, error: BaseException) -> None:
        """The trace ends in state ERROR, with the real exception."""
        if self._span is not None:
            self._span.record_exception(error)
            self._span.set_status("ERROR")

    def _update(self, metadata: Mapping[str, str], client_request_id: str | None) -> None:
        if self.has_ended:
            return
        # A copy: a context cannot be entered twice at the same time.
        self._context.copy().run(
            mlflow.update_current_trace,
            client_request_id=client_request_id,
            metadata=dict(metadata),
        )
