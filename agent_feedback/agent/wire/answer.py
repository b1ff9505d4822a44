"""The server's answer on its way out: completed with what must not go through the server.

MLflow's server records what it sends as the trace's output. Our trace ids and closing events are
no part of what the agent said, so they are added after it, to the ASGI messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from agent_feedback.agent.wire.ping import Ping
from agent_feedback.agent.wire.request_context import RequestContext
from agent_feedback.agent.wire.sse import split_at_done


class Answer:
    """The ``send`` of one request's ASGI application.

    A stream's frames are passed on one by one. A JSON object is held back until it is whole, where
    members are added to it; any other answer is passed on as it is.

    Args:
        context: What the handler's wrapper adds, and who is told when the client has left.
        send: The server's own ``send``.
    """

    def __init__(self, context: RequestContext, send: Send) -> None:
        self._context = context
        self._send = send
        self._held_start: Message | None = None
        self._held_body = b""
        self._unfinished_line = b""
        self._frames = 0
        self._is_stream = False
        self._ping = Ping(send, lambda: self._frames)

    async def send(self, message: Message) -> None:
        """Pass a message on.

        Raises:
            OSError: the client is gone.
        """
        try:
            if self._is_stream and not (self._context.closing_frames or self._ping.sending):
                # The path of every frame of a stream: another call here would cost all of them.
                self._frames += 1
                self._ping.busy = True
                await self._send(message)
                self._ping.busy = False
            elif message["type"] == "http.response.start":
                await self._start(message)
            elif self._held_start is not None:
                await self._hold(self._held_start, message)
            else:
                await self._send_completed(message)
        except OSError:  # how newer servers say that the client is gone
            self._context.leave()
            raise
        if _is_last(message):
            self._context.is_answered = True
            self._ping.stop()

    def close(self) -> None:
        """The request is over."""
        self._ping.stop()

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        kind = headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            headers["X-Accel-Buffering"] = "no"
            headers["Cache-Control"] = "no-cache"
            self._is_stream = True
            self._ping.start()
        elif self._context.json_members and kind.startswith("application/json"):
            # The length in the headers is wrong once members are added: it is sent with the body.
            self._held_start = message
            return
        await self._send(message)

    async def _hold(self, start: Message, message: Message) -> None:
        self._held_body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = with_members(self._held_body, self._context.json_members)
        MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_completed(self, message: Message) -> None:
        """Let a ping end, and put our closing frames before the server's ``[DONE]``."""
        self._ping.busy = True  # before waiting: no other ping may begin meanwhile
        await self._ping.wait()
        if self._context.closing_frames:
            message = self._with_closing_frames(message)
        self._frames += 1
        await self._send(message)
        self._ping.busy = False

    def _with_closing_frames(self, message: Message) -> Message:
        body = self._unfinished_line + message.get("body", b"")
        events, done = split_at_done(body)
        if not done and not _is_last(message):
            # A middleware held the handler's last events back, or cuts the stream elsewhere than
            # between events: `[DONE]` may be in two parts.
            lines, end, self._unfinished_line = body.rpartition(b"\n")
            return {**message, "body": lines + end}
        self._unfinished_line = b""
        closing, self._context.closing_frames = self._context.closing_frames, b""
        return {**message, "body": events + closing + done}


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def with_members(body: bytes, members: Mapping[str, Any]) -> bytes:
    """A JSON object's text with members added, without parsing what may be large."""
    text = body.strip()
    if not text.endswith(b"}"):
        return body
    head = text[:-1].rstrip()
    comma = b"" if head == b"{" else b","
    return head + comma + json.dumps(dict(members))[1:-1].encode() + b"}"
