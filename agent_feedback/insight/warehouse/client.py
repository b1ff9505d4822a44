"""Executes statements on a SQL warehouse: polled up to a deadline, cancelled where it is left."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.warehouse.constants import Statement
from agent_feedback.insight.warehouse.failures import (
    failure_of_request,
    failure_of_statement,
    unreachable,
)

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sql import StatementExecutionAPI, StatementResponse

Row = Sequence["str | None"]
"""One row of a result: every value as a string, or ``None``."""

DEADLINE_SECONDS: Final = 600.0
_BUILD_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_REQUEST_SECONDS: Final = 60


def default_workspace() -> WorkspaceClient:
    """The workspace that the environment or a profile of the Databricks CLI names."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    config = Config(
        http_timeout_seconds=_REQUEST_SECONDS,
        retry_timeout_seconds=_REQUEST_SECONDS,
        product="agent-feedback",
    )
    return WorkspaceClient(config=config)


class Warehouse:
    """A SQL warehouse of a Databricks workspace.

    Args:
        warehouse_id: As the workspace's page of SQL warehouses shows it.
        what: The tables that statements read, as a person wrote them, for sentences.
        workspace: Makes the client; ``None`` for :func:`default_workspace`.
        deadline_seconds: How long one statement may take, with the warehouse's start.
        build_seconds: How long making the client may take: the SDK may block for minutes in it.
        clock: Seconds that only grow.
        sleep: Waits for that many seconds.
    """

    def __init__(
        self,
        warehouse_id: str,
        what: str,
        workspace: Callable[[], WorkspaceClient] | None = None,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        build_seconds: float = _BUILD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._warehouse_id = warehouse_id
        self._what = what
        self._workspace = workspace or default_workspace
        self._deadline_seconds = deadline_seconds
        self._build_seconds = build_seconds
        self._clock = clock
        self._sleep = sleep
        self._client: WorkspaceClient | None = None

    def rows(self, statement: Statement) -> Iterator[Row]:
        """The rows of a statement's result, chunk by chunk; it has succeeded when the first comes.

        Raises:
            ResultTooLarge: there are more than a statement may return; no row came.
            ReportError: one sentence.
        """
        response = self._finished(statement)
        if response.manifest and response.manifest.truncated:
            raise ReportError("The warehouse cut a result short: choose a shorter window.")
        chunk = response.result
        while chunk is not None:
            yield from chunk.data_array or []
            if chunk.next_chunk_index is None:
                return
            with self._requests():
                chunk = self._api().get_statement_result_chunk_n(
                    response.statement_id or "", chunk.next_chunk_index
                )

    def _finished(self, statement: Statement) -> StatementResponse:
        from databricks.sdk.service.sql import StatementParameterListItem

        deadline = self._clock() + self._deadline_seconds
        with self._requests(begun=False):
            # Returns at once, with the id by which the statement can be cancelled.
            response = self._api().execute_statement(
                statement=statement.text,
                warehouse_id=self._warehouse_id,
                parameters=[
                    StatementParameterListItem(name=one.name, value=one.value, type=one.type)
                    for one in statement.parameters
                ],
                wait_timeout="0s",
            )
        try:
            response = self._polled(response, deadline)
        except BaseException:
            self._cancel(response.statement_id)
            raise
        self._check(response)
        return response

    def _polled(self, response: StatementResponse, deadline: float) -> StatementResponse:
        pause = _FIRST_PAUSE
        while (state := _state(response)) in ("PENDING", "RUNNING"):
            if self._clock() >= deadline:
                raise self._too_long(state)
            self._sleep(min(pause, max(0.0, deadline - self._clock())))
            pause = min(2 * pause, _LONGEST_PAUSE)
            with self._requests():
                response = self._api().get_statement(response.statement_id or "")
        return response

    def _check(self, response: StatementResponse) -> None:
        state = _state(response)
        if state == "SUCCEEDED":
            return
        if state == "FAILED":
            error = response.status.error if response.status else None
            code = error.error_code.value if error and error.error_code else ""
            message = (error.message or "") if error else ""
            raise failure_of_statement(code, message, self._what)
        if state == "CANCELED":
            raise ReportError("Somebody cancelled the statement in the workspace: try again.")
        raise ReportError("The workspace closed the statement before its result was read.")

    def _too_long(self, state: str) -> ReportError:
        seconds = f"{self._deadline_seconds:g} s"
        if state == "PENDING":
            return ReportError(
                f"The SQL warehouse {self._warehouse_id} did not begin within {seconds}: it is"
                " stopped and slow to start, or busy; start it and try again."
            )
        return ReportError(
            f"A statement took longer than {seconds} and was cancelled: choose a shorter window or"
            " a larger warehouse."
        )

    def _cancel(self, statement_id: str | None) -> None:
        """End a statement, which goes on where nobody polls; the failure before this is told."""
        with suppress(Exception):
            self._api().cancel_execution(statement_id or "")

    @contextmanager
    def _requests(self, *, begun: bool = True) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # the SDK's errors are OSErrors
            raise failure_of_request(error, self._warehouse_id, begun=begun) from None

    def _api(self) -> StatementExecutionAPI:
        if self._client is None:
            self._client = self._built()
        return self._client.statement_execution

    def _built(self) -> WorkspaceClient:
        """The client, made in a thread that can be left: it asks a host that may never answer."""
        made: queue.SimpleQueue[WorkspaceClient | Exception] = queue.SimpleQueue()

        def make() -> None:
            try:
                made.put(self._workspace())
            except (OSError, ValueError, ImportError) as error:
                made.put(error)

        threading.Thread(target=make, name="workspace-client", daemon=True).start()
        try:
            client = made.get(timeout=self._build_seconds)
        except queue.Empty:
            raise unreachable() from None
        if isinstance(client, Exception):
            raise failure_of_request(client, self._warehouse_id, begun=False) from None
        return client


def _state(response: StatementResponse) -> str:
    state = response.status.state if response.status else None
    return state.value if state else "CLOSED"
