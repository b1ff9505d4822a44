"""A small proxy before a real MLflow, which fails as servers, gateways and networks do.

It speaks just enough HTTP for MLflow's client: a request with its length, one a connection.
"""

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import httpx

from tests.support.waiting import until

_START_SECONDS = 10.0
_FORWARD_SECONDS = 120.0
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}
# Assessments and one trace: not how traces get there.
_RATING_PATHS = re.compile(r"/mlflow/traces/tr-[0-9a-f]+(/assessments.*)?$")
# The cheap request whether MLflow is there: as long as it fails, nothing else is sent.
_PROBE_PATH = re.compile(r"/mlflow/experiments/get$")


class ProxyFault(Enum):
    """What becomes of one request, and what the client is told."""

    NONE = "forwarded"
    FAIL_DONE = "done, and answered 500"
    FAIL = "answered 500"
    BUSY = "answered 429 with Retry-After"
    HTML = "answered with a web page"
    BROKEN = "answered with broken JSON"
    EMPTY = "answered with an empty object"
    HALF = "done, and answered by half a response"
    SILENT = "done, and not answered for long"
    SLOW = "held for long, then done"
    LATE = "cut off, and done later"


_INTERNAL_ERROR = (500, "application/json", b'{"error_code": "INTERNAL_ERROR", "message": "!"}')
_RESPONSES: dict[ProxyFault, tuple[int, str, bytes]] = {
    ProxyFault.FAIL_DONE: _INTERNAL_ERROR,
    ProxyFault.FAIL: _INTERNAL_ERROR,
    ProxyFault.BUSY: (429, "text/plain", b"too many requests"),
    ProxyFault.HTML: (200, "text/html", b"<!doctype html><title>Sign in</title>"),
    ProxyFault.BROKEN: (200, "application/json", b'{"assessment": {"assessment_id": "a-'),
    ProxyFault.EMPTY: (200, "application/json", b"{}"),
}


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def creates(self) -> bool:
        """Whether it would make an assessment."""
        return self.method == "POST" and self.path.endswith("/assessments")


Schedule = Callable[[Request], ProxyFault]


def forward(request: Request) -> ProxyFault:
    """Forward everything."""
    return ProxyFault.NONE


def at_random(seed: int, *, share: float) -> Schedule:
    """Let this share of what ratings need meet a fault.

    Each kind of fault is as likely as the others, but what takes long is rare: it holds one of the
    few deliveries.
    """
    chance, lock = random.Random(seed), threading.Lock()
    slow = [ProxyFault.SILENT, ProxyFault.SLOW]
    quick = [each for each in ProxyFault if each not in (ProxyFault.NONE, *slow)]
    faults = quick * 3 + slow

    def schedule(request: Request) -> ProxyFault:
        with lock:
            drawn, fault = chance.random(), chance.choice(faults)
        if _PROBE_PATH.search(request.path):
            return fault if drawn < share / 4 else ProxyFault.NONE
        return fault if drawn < share and _RATING_PATHS.search(request.path) else ProxyFault.NONE

    return schedule


class FaultProxy:
    """The proxy, on a loopback port, in a thread of its own.

    Args:
        target: MLflow's address.
        hold_seconds: How long "long" is.
    """

    def __init__(self, target: str, *, hold_seconds: float) -> None:
        self.schedule: Schedule = forward
        self.late_seconds: float | None = None
        """After which time a request that was cut off is done; else when `land` is called."""
        self.counts: Counter[ProxyFault] = Counter()
        self.under_way = 0
        self._target = target
        self._hold_seconds = hold_seconds
        self._loop = asyncio.new_event_loop()
        self._landing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._stopped = asyncio.Event()
        self._port = 0

    @property
    def url(self) -> str:
        """Where MLflow seems to be."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        until(lambda: self._port, within=_START_SECONDS, otherwise="the proxy did not start")

    def stop(self) -> None:
        """Stop listening, and drop what is under way."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def land(self) -> None:
        """Let everything be done that was cut off."""
        self._loop.call_soon_threadsafe(self._release)
        self.wait_until_quiet(within=30)

    def wait_until_quiet(self, *, within: float) -> None:
        """Wait until nothing that was sent to MLflow can still have an effect there."""
        until(lambda: not self.under_way, within=within, otherwise="requests are still under way")

    # -- the proxy's thread -----------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        async with httpx.AsyncClient(base_url=self._target, timeout=_FORWARD_SECONDS) as mlflow:
            self._mlflow = mlflow
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self._port = server.sockets[0].getsockname()[1]
            await self._stopped.wait()
            server.close()
            ours = asyncio.all_tasks() - {asyncio.current_task()}
            for task in ours:
                task.cancel()
            await asyncio.gather(*ours, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            self.under_way += 1
            try:
                await self._answer(request, writer)
            finally:
                self.under_way -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = self.schedule(request)
        self.counts[fault] += 1
        if fault is ProxyFault.LATE:
            writer.close()
            await self._until_released()
            await self._forward(request)
        elif fault is ProxyFault.NONE:
            await _send(writer, *await self._forward(request))
        elif fault is ProxyFault.HALF:
            await _send(writer, *await self._forward(request), half=True)
        elif fault is ProxyFault.SILENT:
            answer = await self._forward(request)
            await asyncio.sleep(self._hold_seconds)
            await _send(writer, *answer)
        elif fault is ProxyFault.SLOW:
            await asyncio.sleep(self._hold_seconds)
            await _send(writer, *await self._forward(request))
        else:
            if fault is ProxyFault.FAIL_DONE:
                await self._forward(request)
            await _send(writer, *_RESPONSES[fault])

    def _release(self) -> None:
        self._landing.set()
        self._landing.clear()

    async def _until_released(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._landing.wait(), self.late_seconds)

    async def _forward(self, request: Request) -> tuple[int, str, bytes]:
        headers = {n: value for n, value in request.headers.items() if n not in _HOP_BY_HOP}
        try:
            answer = await self._mlflow.request(
                request.method, request.target, headers=headers, content=request.body
            )
        except httpx.TransportError as error:
            return 502, "text/plain", repr(error).encode()
        return answer.status_code, answer.headers.get("content-type", ""), answer.content


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


async def _send(
    writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes, *, half: bool = False
) -> None:
    wait = "Retry-After: 1\r\n" if status == 429 else ""
    head = (
        f"HTTP/1.1 {status} From the proxy\r\nContent-Type: {content_type}\r\n"
        f"{wait}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + (body[: len(body) // 2] if half else body))
    await writer.drain()


@contextlib.contextmanager
def fault_proxy(target: str, *, hold_seconds: float) -> Iterator[FaultProxy]:
    """Run a proxy that forwards everything at first."""
    proxy = FaultProxy(target, hold_seconds=hold_seconds)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
