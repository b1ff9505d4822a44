"""An app for the component: a real agent server with feedback, and pages to show it on."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from mlflow.genai import agent_server
from mlflow.genai.agent_server import AgentServer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_feedback import AgentFeedback
from tests.support.rating import settings_in
from tests.support.serving import serving

POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'"
PAGE = """<!doctype html>
<html lang="en"{attributes}><head><meta charset="utf-8"><title>Answers</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/feedback/agent-feedback.js"></script></head>
<body><main>{body}</main></body></html>"""
STYLES = """
:root { color-scheme: light dark; }
body { margin: 1.25rem; font: 1rem/1.5 system-ui, sans-serif; }
body { background: Canvas; color: CanvasText; }
"""


@dataclass(frozen=True)
class SeenRequest:
    """A request to the feedback routes that reached the server."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any


@dataclass
class Host:
    """The running app, and what a test may ask of it."""

    url: str = ""
    app: FastAPI | None = None
    seen: list[SeenRequest] = field(default_factory=list)
    delay: float = 0.0
    """How long every write takes, in seconds."""
    is_held: bool = False
    """Whether writes wait until this is false again."""
    are_readings_held: bool = False
    """Whether what was read is sent only when this is false again."""
    body: str = ""
    attributes: str = ""

    def writes(self) -> list[SeenRequest]:
        """What would change a rating, in the order of arrival."""
        return [each for each in self.seen if each.method != "GET"]

    def reads(self) -> list[SeenRequest]:
        """What asked for ratings."""
        return [each for each in self.seen if (each.method, each.path) == ("GET", "/feedback")]

    def bodies(self) -> list[Any]:
        """The bodies of the writes."""
        return [each.body for each in self.writes()]

    def start_afresh(self) -> None:
        """Forget the test before."""
        self.seen.clear()
        self.delay, self.body, self.attributes = 0.0, "", ""
        self.is_held = self.are_readings_held = False

    def page(self) -> Response:
        """The page as the test wants it."""
        html = PAGE.format(body=self.body, attributes=self.attributes)
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})


class Observer:
    """Notes every request to the feedback routes, and takes its time with writes."""

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Observe one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/feedback"):
            await self._app(scope, receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        query = parse_qsl(scope["query_string"].decode())
        sent = json.loads(body) if body else None
        self._host.seen.append(SeenRequest(scope["method"], scope["path"], query, sent))
        if scope["method"] != "GET":
            await asyncio.sleep(self._host.delay)
            await _until(lambda: not self._host.is_held)
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_in_time(message: Message) -> None:
            if (scope["method"], scope["path"]) == ("GET", "/feedback"):
                await _until(lambda: not self._host.are_readings_held)
            await send(message)

        await self._app(scope, replay, send_in_time)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - another thread lets it go
        await asyncio.sleep(0.02)


@contextmanager
def running_host(folder: Path, **settings: Any) -> Iterator[Host]:
    """Serve an agent with feedback until the end of the block."""
    host = Host()
    feedback = AgentFeedback(
        settings_in(folder, writes_per_minute=10_000, wait_seconds=2.0, **settings)
    )

    @feedback.stream
    async def answer(request: Any) -> Any:
        for number, word in enumerate(("It ", "is ", "kept.")):
            yield {
                "type": "response.output_text.delta",
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "sequence_number": number,
                "delta": word,
            }
        if "fail" in str(request):
            raise RuntimeError("secret")

    server = AgentServer("ResponsesAgent")
    feedback.mount(server)
    host.app = server.app
    _add_pages(server.app, host)
    try:
        with serving(Observer(server.app, host)) as url:
            host.url = url
            yield host
    finally:
        agent_server.server._invoke_function = agent_server.server._stream_function = None


def _add_pages(app: FastAPI, host: Host) -> None:
    app.add_api_route("/page", host.page, include_in_schema=False)
    app.add_api_route("/page.css", lambda: Response(STYLES, media_type="text/css"))
    app.add_api_route("/icon.svg", lambda: Response("<svg/>", media_type="image/svg+xml"))
