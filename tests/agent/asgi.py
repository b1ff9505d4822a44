"""An ASGI server by hand, which reports a client's disconnect as the newest servers do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Scope

Send = Callable[[Message], Awaitable[None]]


def stream_request(body: dict[str, Any], spec_version: str) -> tuple[Scope, Message]:
    """The scope and the body of a request for a stream."""
    content = json.dumps({**body, "stream": True}).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/invocations",
        "raw_path": b"/invocations",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"test"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    return scope, {"type": "http.request", "body": content, "more_body": False}


async def request_stream(
    app: ASGIApp,
    body: dict[str, Any],
    send: Send,
    *,
    spec_version: str = "2.4",
    gone: asyncio.Event | None = None,
) -> None:
    """Run one request for a stream through the app; ``gone`` is when its client leaves."""
    scope, message = stream_request(body, spec_version)
    messages = [message]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    await app(scope, receive, send)


@asynccontextmanager
async def living(app: ASGIApp) -> AsyncIterator[None]:
    """Start the app before the block and shut it down after it."""
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    life = asyncio.create_task(_live(app, to_app, from_app))
    try:
        for step in ("startup", "shutdown"):
            await to_app.put({"type": f"lifespan.{step}"})
            assert (await from_app.get())["type"] == f"lifespan.{step}.complete"
            if step == "startup":
                yield
    finally:
        await life


async def _live(
    app: ASGIApp, to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]
) -> None:
    await app({"type": "lifespan", "state": {}}, to_app.get, from_app.put)
