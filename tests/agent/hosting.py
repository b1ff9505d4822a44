"""Served agents of a test's own: handlers in, a URL out, and the frames of streams, parsed."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from mlflow.entities import Trace
from mlflow.genai.agent_server import AgentServer
from starlette.types import ASGIApp

from agent_feedback import AgentFeedback, Settings
from tests.support.mlflow_store import Tracking
from tests.support.waiting import until

Json = dict[str, Any]
Handler = Callable[..., Any]

TYPED = "ResponsesAgent"
UNTYPED = None
AGENT_TYPES = [UNTYPED, TYPED]
DONE = "[DONE]"
STATE = "agent_feedback.state"
GENERIC = "The agent could not answer. The error is on the trace."


@dataclass(frozen=True)
class Host:
    """A running server with our feedback mounted on it."""

    url: str
    tracking: Tracking

    def get(self, path: str) -> httpx.Response:
        """Ask for another route."""
        return httpx.get(f"{self.url}{path}", timeout=30)

    def ask(self, body: Json, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Ask for an answer in one piece."""
        return httpx.post(f"{self.url}/invocations", json=body, headers=headers, timeout=30)

    def stream(self, body: Json, headers: Mapping[str, str] | None = None) -> list[Any]:
        """Ask for a stream and return its frames, the last one being ``[DONE]``."""
        with self.streaming(body, headers) as response:
            response.read()
            return frames(response.text)

    @contextmanager
    def streaming(
        self, body: Json, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Ask for a stream that is read by the block, and left at its end."""
        with httpx.stream(
            "POST",
            f"{self.url}/invocations",
            json={**body, "stream": True},
            headers=headers,
            timeout=30,
        ) as response:
            yield response

    def leave(
        self, body: Json, when: Callable[[], bool], headers: Mapping[str, str] | None = None
    ) -> None:
        """Ask, read nothing, and go away once ``when`` returns."""
        request = httpx.Request("POST", self.url, json=body, headers=headers)
        head = [f"{name}: {value}" for name, value in request.headers.items()]
        text = "\r\n".join(["POST /invocations HTTP/1.1", *head, "", ""])
        address = ("127.0.0.1", httpx.URL(self.url).port)
        with socket.create_connection(address) as connection:
            connection.sendall(text.encode() + request.content)
            assert when()

    def trace(self, client_request_id: str | None = None) -> Trace:
        """Return the newest trace, or that of a request, once it is stored as a whole."""

        def finished() -> Trace | None:
            # A child's end stores a trace that is still open, without its metadata.
            for trace in self.tracking.traces():
                is_asked_for = client_request_id in (None, trace.info.client_request_id)
                if is_asked_for and STATE in trace.info.request_metadata:
                    return trace
            return None

        found = until(finished, "no trace was stored, or none that has ended")
        return self.tracking.trace(found.info.trace_id)


def frames(text: str) -> list[Any]:
    """Parse a stream of data-only frames; anything else in it fails the test."""
    assert text.endswith("\n\n"), text
    return [_frame(frame) for frame in text.split("\n\n")[:-1] if not frame.startswith(":")]


def _frame(frame: str) -> Any:
    assert frame.startswith("data: "), frame
    assert "\n" not in frame, frame
    data = frame.removeprefix("data: ")
    return data if data == DONE else json.loads(data)


def request_body(agent_type: str | None, client_request_id: str = "r-1") -> Json:
    """A question that an agent of this type takes."""
    if agent_type == TYPED:
        custom_inputs = {"client_request_id": client_request_id}
        return {"input": [{"role": "user", "content": "hi"}], "custom_inputs": custom_inputs}
    return {"question": "hi", "client_request_id": client_request_id}


def outputs_of(trace: Trace) -> Any:
    """What the trace's root span keeps as its output."""
    return trace.data.spans[0].outputs


def spans_by_name(trace: Trace) -> dict[str, Any]:
    """The spans of a trace by their names."""
    return {span.name: span for span in trace.data.spans}


def exceptions_of(span: Any) -> list[str]:
    """The messages of the exceptions that a span recorded."""
    return [
        str(event.attributes["exception.message"])
        for event in span.events
        if event.name == "exception"
    ]


@dataclass(frozen=True)
class Hosts:
    """Makes hosts for one test, each with a ledger of its own."""

    folder: Path
    tracking: Tracking
    serve: Callable[[ASGIApp], str]

    def feedback(self, **settings: Any) -> AgentFeedback:
        """A plugin with its ledger in this test's folder."""
        ledger = self.folder / f"ledger-{len(list(self.folder.iterdir()))}.db"
        return AgentFeedback(Settings(**{"ledger_url": f"sqlite:///{ledger}", **settings}))

    def app(
        self,
        agent_type: str | None = UNTYPED,
        *,
        invoke: Handler | None = None,
        stream: Handler | None = None,
        feedback: AgentFeedback | None = None,
        server: AgentServer | None = None,
        before_mount: Callable[[AgentServer], None] = lambda server: None,
        after_mount: Callable[[AgentServer], None] = lambda server: None,
        **settings: Any,
    ) -> FastAPI:
        """Decorate the handlers and mount; the app is not served yet."""
        feedback = feedback or self.feedback(**settings)
        if invoke is not None:
            feedback.invoke(invoke)
        if stream is not None:
            feedback.stream(stream)
        server = server or AgentServer(agent_type)  # type: ignore[arg-type]
        before_mount(server)
        feedback.mount(server)
        after_mount(server)
        return server.app

    def start(self, agent_type: str | None = UNTYPED, **options: Any) -> Host:
        """Serve what :meth:`app` builds under a real uvicorn."""
        return Host(self.serve(self.app(agent_type, **options)), self.tracking)

    def at(self, url: str) -> Host:
        """A host that somebody else serves."""
        return Host(url, self.tracking)
