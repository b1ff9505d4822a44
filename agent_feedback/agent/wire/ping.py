"""Pings keep a quiet stream from being cut off by what is between the client and us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Send

from agent_feedback.agent.wire.sse import PING

_PING_SECONDS = 15.0
_TICKS = 15


class Ping:
    """Sends a ping after 15 s of silence, never in the middle of another send.

    A timer looks once a second whether any frame was sent since: restarting a timer for every frame
    would cost every frame.

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
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except OSError:  # the client is gone; the next frame or the listener notices
            self.stop()
        finally:
            self.sending = None
