"""One request to an agent route, as seen from the wire.

A pure ASGI middleware around the agent server's own routes. It lets the handler's wrapper know
that it answers a request, adds to the answer what must not go through the server (which records
what it sends as the trace's output), keeps a quiet stream alive, and tells the turn when its
client leaves: before the server notices, while the span can still be written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, cast

from sse_starlette import ServerSentEvent
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_feedback.identity.headers import RawHeaders

AGENT_ROUTES = ("/invocations", "/responses")
_PING_SECONDS = 15.0
_TICKS = 15
_LAST_WORDS_SECONDS = 3.0
_PING = ServerSentEvent(comment="ping", sep="\n").encode()


class Exchange:
    """What the handler's wrapper and the wire tell each other about one request.

    Attributes:
        headers: The request's raw headers, duplicates included.
        client_left: Called once when the client leaves before the answer is complete.
    """

    def __init__(self, headers: RawHeaders) -> None:
        self.headers = tuple(headers)
        self.client_left: Callable[[], None] = lambda: None
        self.json_members: dict[str, Any] = {}
        self.closing_frames = b""
        self.frames_before_closing = 0

    def add_to_json(self, members: Mapping[str, Any]) -> None:
        """Add members to the JSON object that the server will answer with."""
        self.json_members.update(members)

    def close_stream_with(self, events: Sequence[Mapping[str, Any]], *, after: int) -> None:
        """Send events of ours once ``after`` frames of the handler's are out.

        They are counted: a middleware in between may still hold back the last ones.
        """
        frames = [ServerSentEvent(json.dumps(event), sep="\n").encode() for event in events]
        self.frames_before_closing = after
        self.closing_frames = b"".join(frames)


Current = ContextVar[Exchange | None]


class ExchangeMiddleware:
    """Opens an :class:`Exchange` for every request to an agent route; passes on all others.

    Args:
        app: What answers.
        current: Where the handler's wrapper finds the exchange.
    """

    def __init__(self, app: ASGIApp, *, current: Current) -> None:
        self._app = app
        self._current = current
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if not _is_agent_request(scope):
            is_life = scope["type"] == "lifespan"
            await self._app(scope, receive, self._after_last_words(send) if is_life else send)
            return
        exchange = Exchange(scope["headers"])
        wire = _Wire(exchange, receive, send)
        token = self._current.set(exchange)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running.add(task)
        try:
            await self._app(_uncompressed(scope), wire.receive, wire.send)
        finally:
            self._running.discard(task)
            self._current.reset(token)
            wire.close()

    def _after_last_words(self, send: Send) -> Send:
        """Let requests that the server's stop cancelled close their traces.

        uvicorn does not wait for them, and once the app is shut down it kills its own process with
        the signal that had stopped it.
        """

        async def send_late(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown.") and self._running:
                await asyncio.wait(self._running, timeout=_LAST_WORDS_SECONDS)
            await send(message)

        return send_late


def _is_agent_request(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    return scope["path"].removeprefix(scope.get("root_path", "")) in AGENT_ROUTES


def _uncompressed(scope: Scope) -> Scope:
    """Nothing between us and the server may compress: answers could not be added to."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": headers}


class _Wire:
    """The two ASGI callables of one exchange."""

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._body_read = False
        self._gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._answered = False
        self._held_start: Message | None = None
        self._held_body = b""
        self._frames = 0
        self._streaming = False
        self._ping = _Ping(send, lambda: self._frames)

    async def receive(self) -> Message:
        """The request's body, then news of the client, of which the turn hears first."""
        if self._body_read:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._client_left()
        elif not message.get("more_body", False):
            self._body_read = True
            self._watcher = asyncio.create_task(self._watch())
        return message

    async def send(self, message: Message) -> None:
        """The server's answer, completed on its way out."""
        try:
            if self._streaming and not (self._exchange.closing_frames or self._ping.sending):
                # The path of every frame of a stream, and so without another call.
                self._frames += 1
                self._ping.busy = True
                await self._send(message)
                self._ping.busy = False
            elif message["type"] == "http.response.start":
                await self._start(message)
            elif self._held_start is not None:
                await self._hold(self._held_start, message)
            else:
                self._ping.busy = True
                await self._before(message)
                self._frames += 1
                await self._send(message)
                self._ping.busy = False
        except OSError:  # how newer servers say that the client is gone
            self._client_left()
            raise
        if _is_last(message):
            self._answered = True
            self._ping.stop()

    def close(self) -> None:
        """The request is over."""
        self._ping.stop()
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._client_left()

    def _client_left(self) -> None:
        if not self._answered and not self._gone.is_set():
            self._exchange.client_left()
        self._gone.set()

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        kind = headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            headers["X-Accel-Buffering"] = "no"
            headers["Cache-Control"] = "no-cache"
            self._streaming = True
            self._ping.start()
        elif self._exchange.json_members and kind.startswith("application/json"):
            self._held_start = message
            return
        await self._send(message)

    async def _hold(self, start: Message, message: Message) -> None:
        self._held_body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = _with_members(self._held_body, self._exchange.json_members)
        MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _before(self, message: Message) -> None:
        """Let a ping end, and send our own frames once the handler's are all out."""
        await self._ping.wait()
        exchange = self._exchange
        if self._frames >= exchange.frames_before_closing or _is_last(message):
            closing, exchange.closing_frames = exchange.closing_frames, b""
            if closing:
                await self._send({"type": "http.response.body", "body": closing, "more_body": True})


class _Ping:
    """A comment after 15 s of silence, never in the middle of another send.

    A clock that ticks notices silence, so that frames need not wind it up.

    Args:
        send: Where pings go.
        frames: How many frames were sent so far.

    Attributes:
        busy: Whether a frame is being sent.
        sending: The ping on its way, if any.
    """

    def __init__(self, send: Send, frames: Callable[[], int]) -> None:
        self._send = send
        self._frames = frames
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._frames_before = 0
        self._quiet_ticks = 0
        self.busy = False
        self.sending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The stream begins."""
        self._timer = self._loop.call_later(_PING_SECONDS / _TICKS, self._tick)

    def stop(self) -> None:
        """The stream is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def wait(self) -> None:
        """Let a ping on its way arrive whole."""
        if self.sending is not None:
            await asyncio.wait([self.sending])

    def _tick(self) -> None:
        frames = self._frames()
        silent = frames == self._frames_before and not self.busy and self.sending is None
        self._frames_before = frames
        self._quiet_ticks = self._quiet_ticks + 1 if silent else 0
        if self._quiet_ticks >= _TICKS:
            self._quiet_ticks = 0
            self.sending = self._loop.create_task(self._ping())
        self.start()

    async def _ping(self) -> None:
        try:
            await self._send({"type": "http.response.body", "body": _PING, "more_body": True})
        except OSError:  # the client is gone; the next frame or the watcher says so
            self.stop()
        finally:
            self.sending = None


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _with_members(body: bytes, members: Mapping[str, Any]) -> bytes:
    """A JSON object's text with members added, without parsing what may be large."""
    text = body.strip()
    if not text.endswith(b"}"):
        return body
    head = text[:-1].rstrip()
    comma = b"" if head == b"{" else b","
    return head + comma + json.dumps(dict(members))[1:-1].encode() + b"}"
