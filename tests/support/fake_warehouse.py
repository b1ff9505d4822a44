"""A FAKE Databricks workspace whose SQL warehouse executes what it is sent.

As much of the Statement Execution API as databricks-sdk 0.156 asks for: a statement's start, its
polls, its chunks, its cancellation, and `/.well-known/databricks-config` when a client is built.
The SQL is executed (`warehouse_engine.py`); tables of traces are made by `warehouse_tables.py`:

    with running_fake_warehouse() as warehouse:
        create_trace_tables(warehouse, specs, "main", "agents", "bot")
        client = WorkspaceClient(host=warehouse.url, token="a-token")
        client.statement_execution.execute_statement("SELECT …", warehouse.warehouse_id)

Known of the real one from the docstrings of databricks-sdk: a refused statement is HTTP 200 with
state FAILED; `wait_timeout` is 0s or 5s to 50s; cells are text or null; an inline result has at
most 25 MiB. Assumed: the wording of messages, the codes of a missing warehouse. No clock runs:
"slow" is counted in polls, and a wait that is not long enough ends at once.
"""

import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from tests.support.fake_workspace import HOST_METADATA
from tests.support.serving import serving
from tests.support.warehouse_engine import Answer, Engine
from tests.support.warehouse_parsing import StatementRefused

STATEMENTS = "/api/2.0/sql/statements"
FOR_EVER = 10**9
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "CLOSED")
_MISSING_RIGHT = (
    "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have SELECT on Table. "
    "SQLSTATE: 42501"
)
_TYPE_NAMES = {
    "bigint": "LONG",
    "smallint": "SHORT",
    "tinyint": "BYTE",
    "integer": "INT",
    "void": "NULL",
    "varchar": "STRING",
}


@dataclass
class SeenStatement:
    """One statement that reached the fake, and what became of it."""

    statement_id: str
    statement: str
    parameters: list[dict[str, Any]]
    request: dict[str, Any]
    """The whole body."""
    state: str = "PENDING"
    polls: int = 0
    cancelled: bool = False
    chunks_read: list[int] = field(default_factory=list)
    answer: Answer | None = None
    truncated: bool = False
    error: tuple[str, str] | None = None


@dataclass
class FakeWarehouse:
    """What the fake answers, changeable while it runs, and what it was asked."""

    engine: Engine
    warehouse_id: str = "abcdef0123456789"
    """The only warehouse; any other id is answered with 404."""
    rows_per_chunk: int = 1000
    inline_bytes: int = 25 * 1024 * 1024
    """A result with more cannot be had inline."""
    pending_polls: int = 0
    """For how many polls a statement is PENDING, as on a stopped warehouse; `FOR_EVER`."""
    running_polls: int = 0
    """For how many polls after that it is RUNNING."""
    deleted: bool = False
    """Whether the warehouse is gone (404)."""
    forbidden: Literal["", "warehouse", "table"] = ""
    """A 403 for using the warehouse, or state FAILED for reading a table."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Messages of state FAILED, by a part of the statement's text."""
    fails_while_running: str = ""
    """The message with which every statement fails, after RUNNING."""
    broken_chunk: int | None = None
    """The chunk that answers 500."""
    closed_chunk: int | None = None
    """From this chunk on, results are no longer there (404)."""
    away: bool = False
    """Whether everything answers 503, as a failing workspace does."""
    url: str = ""
    statements: list[SeenStatement] = field(default_factory=list)
    paths: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""

    def texts(self) -> list[str]:
        """Return the text of every statement, in order."""
        return [seen.statement for seen in self.statements]

    def app(self) -> FastAPI:
        """Build the ASGI app that answers for this workspace."""
        app = FastAPI(openapi_url=None)

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def answer(request: Request) -> JSONResponse:
            body = await request.json() if await request.body() else {}
            self.paths.append((request.method, request.url.path))
            return await run_in_threadpool(self._answer, request.method, request.url.path, body)

        return app

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> JSONResponse:
        if self.away:
            return _error(503, "TEMPORARILY_UNAVAILABLE", "The workspace is away.")
        if path == HOST_METADATA:
            return JSONResponse({"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "1"})
        if path.rstrip("/") == STATEMENTS and method == "POST":
            return self._start(body)
        found = re.fullmatch(rf"{STATEMENTS}/([^/]+)(/cancel|/result/chunks/(\d+))?", path)
        if found is None:
            return _error(404, "ENDPOINT_NOT_FOUND", f"No API found for {path}")
        seen = next((each for each in self.statements if each.statement_id == found[1]), None)
        if seen is None:
            return _error(404, "NOT_FOUND", f"The statement {found[1]} was not found.")
        if found[2] == "/cancel":
            return self._cancel(seen)
        return self._poll(seen) if found[2] is None else self._chunk(seen, int(found[3]))

    def _start(self, body: dict[str, Any]) -> JSONResponse:
        refused = self._refused(body)
        if refused is not None:
            return refused
        seen = SeenStatement(
            str(uuid.uuid4()), body["statement"], list(body.get("parameters") or []), body
        )
        self.statements.append(seen)
        if self.pending_polls or self.running_polls:
            waits = body.get("wait_timeout", "10s") != "0s"
            if waits and body.get("on_wait_timeout") == "CANCEL":
                seen.state = "CANCELED"
            return JSONResponse(self._status(seen))
        if body.get("wait_timeout", "10s") != "0s":
            self._execute(seen)
        return JSONResponse(self._status(seen))

    def _refused(self, body: dict[str, Any]) -> JSONResponse | None:
        """What the real one answers at once, without a statement."""
        if self.deleted or body.get("warehouse_id") != self.warehouse_id:
            message = f"SQL warehouse {body.get('warehouse_id')} was not found."
            return _error(404, "RESOURCE_DOES_NOT_EXIST", message)
        if self.forbidden == "warehouse":
            message = f"No permission to use SQL warehouse {self.warehouse_id}."
            return _error(403, "PERMISSION_DENIED", message)
        if not body.get("statement"):
            return _error(400, "INVALID_PARAMETER_VALUE", "The statement is missing.")
        seconds = re.fullmatch(r"(\d+)s", str(body.get("wait_timeout", "10s")))
        if seconds is None or not (seconds[1] == "0" or 5 <= int(seconds[1]) <= 50):
            message = "wait_timeout must be 0s, or between 5s and 50s."
            return _error(400, "INVALID_PARAMETER_VALUE", message)
        if (body.get("disposition", "INLINE"), body.get("format", "JSON_ARRAY")) != (
            "INLINE",
            "JSON_ARRAY",
        ):
            message = "The fake has only INLINE results in JSON_ARRAY."
            return _error(400, "INVALID_PARAMETER_VALUE", message)
        return None

    def _poll(self, seen: SeenStatement) -> JSONResponse:
        seen.polls += 1
        if seen.state not in _ENDED:
            if seen.polls <= self.pending_polls:
                seen.state = "PENDING"
            elif seen.polls <= self.pending_polls + self.running_polls:
                seen.state = "RUNNING"
            else:
                self._execute(seen)
        return JSONResponse(self._status(seen))

    def _execute(self, seen: SeenStatement) -> None:
        message = self._failure(seen)
        if message:
            seen.state, seen.error = "FAILED", ("BAD_REQUEST", message)
            return
        try:
            answer = self.engine.run(
                seen.statement,
                seen.parameters,
                catalog=seen.request.get("catalog"),
                schema=seen.request.get("schema"),
            )
        except StatementRefused as refusal:
            seen.state, seen.error = "FAILED", ("BAD_REQUEST", str(refusal))
            return
        self._finish(seen, answer)

    def _failure(self, seen: SeenStatement) -> str:
        if self.forbidden == "table":
            return _MISSING_RIGHT
        told = (message for part, message in self.refusals.items() if part in seen.statement)
        return next(told, self.fails_while_running)

    def _finish(self, seen: SeenStatement, answer: Answer) -> None:
        rows = _limited(answer.rows, seen.request.get("row_limit"), seen.request.get("byte_limit"))
        if sum(map(_size, rows)) > self.inline_bytes:
            message = (
                "Inline byte limit exceeded. Statements executed with disposition=INLINE can have "
                f"a result size of at most {self.inline_bytes} bytes. Please execute the statement "
                "with disposition=EXTERNAL_LINKS if you want to download the full result."
            )
            seen.state, seen.error = "FAILED", ("BAD_REQUEST", message)
            return
        seen.truncated = len(rows) < len(answer.rows)
        seen.state, seen.answer = "SUCCEEDED", Answer(answer.columns, rows)

    def _cancel(self, seen: SeenStatement) -> JSONResponse:
        seen.cancelled = True
        if seen.state not in _ENDED:
            seen.state = "CANCELED"
        return JSONResponse({})

    def _chunk(self, seen: SeenStatement, index: int) -> JSONResponse:
        seen.chunks_read.append(index)
        if index == self.broken_chunk:
            return _error(500, "INTERNAL_ERROR", "The result could not be read.")
        if self.closed_chunk is not None and index >= self.closed_chunk:
            return _error(404, "NOT_FOUND", "The result is no longer available.")
        if seen.answer is None or index >= self._chunks(seen.answer):
            return _error(404, "NOT_FOUND", f"There is no chunk {index}.")
        return JSONResponse(self._result(seen, seen.answer, index))

    def _chunks(self, answer: Answer) -> int:
        return -(-len(answer.rows) // self.rows_per_chunk)

    def _status(self, seen: SeenStatement) -> dict[str, Any]:
        status: dict[str, Any] = {"state": seen.state}
        if seen.error is not None:
            status["error"] = {"error_code": seen.error[0], "message": seen.error[1]}
        response: dict[str, Any] = {"statement_id": seen.statement_id, "status": status}
        if seen.answer is not None:
            response["manifest"] = self._manifest(seen, seen.answer)
            response["result"] = self._result(seen, seen.answer, 0)
        return response

    def _manifest(self, seen: SeenStatement, answer: Answer) -> dict[str, Any]:
        chunks = [self._extent(answer, index) for index in range(self._chunks(answer))]
        columns = [_column(*column, at) for at, column in enumerate(answer.columns)]
        return {
            "format": "JSON_ARRAY",
            "schema": {"column_count": len(columns), "columns": columns},
            "total_chunk_count": len(chunks),
            "chunks": chunks,
            "total_row_count": len(answer.rows),
            "truncated": seen.truncated,
        }

    def _extent(self, answer: Answer, index: int) -> dict[str, int]:
        offset = index * self.rows_per_chunk
        count = min(self.rows_per_chunk, len(answer.rows) - offset)
        return {"chunk_index": index, "row_offset": offset, "row_count": count}

    def _result(self, seen: SeenStatement, answer: Answer, index: int) -> dict[str, Any]:
        if not answer.rows:
            return {}
        extent = self._extent(answer, index)
        rows = answer.rows[extent["row_offset"] : extent["row_offset"] + extent["row_count"]]
        result: dict[str, Any] = {**extent, "data_array": rows}
        if index + 1 < self._chunks(answer):
            link = f"{STATEMENTS}/{seen.statement_id}/result/chunks/{index + 1}"
            result |= {"next_chunk_index": index + 1, "next_chunk_internal_link": link}
        return result


@contextlib.contextmanager
def running_fake_warehouse(*, nested_as_text: bool = False) -> Iterator[FakeWarehouse]:
    """Serve a fresh fake warehouse on loopback until the end of the block.

    `nested_as_text` writes numbers and booleans inside arrays, structs and maps as text too.
    """
    warehouse = FakeWarehouse(Engine(nested_as_text=nested_as_text))
    with contextlib.closing(warehouse.engine), serving(warehouse.app()) as url:
        warehouse.url = url
        yield warehouse


def _limited(
    rows: list[list[str | None]], row_limit: int | None, byte_limit: int | None
) -> list[list[str | None]]:
    kept = rows if row_limit is None else rows[:row_limit]
    if byte_limit is None:
        return kept
    total = 0
    for count, row in enumerate(kept):
        total += _size(row)
        if total > byte_limit:
            return kept[:count]
    return kept


def _size(row: list[str | None]) -> int:
    return sum(len(cell.encode()) for cell in row if cell is not None)


def _column(name: str, spark_type: str, position: int) -> dict[str, Any]:
    base = re.split(r"[<(]", spark_type)[0]
    return {
        "name": name,
        "type_text": spark_type.upper(),
        "type_name": _TYPE_NAMES.get(base, base.upper()),
        "position": position,
    }


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error_code": code, "message": message}, status_code=status)
