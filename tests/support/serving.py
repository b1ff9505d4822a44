"""A real uvicorn inside the test process."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_START_SECONDS = 60.0
# Longer than a test's own waits, so that only a stream which nobody ends is cut.
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """Leaves no connection open: one that outlives the server's grace is nobody's afterwards."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Run the app on a free loopback port and give its base URL; stopped at the end."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio does this for sockets that it opens itself; without it every answer takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=_run, args=(server, listener), name="test-uvicorn")
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # uvicorn leaves by SystemExit when the app's start failed; the waiting test says so.
    with contextlib.suppress(SystemExit):
        server.run(sockets=[listener])


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the app's start failed: its log is in the test's output")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the app had not started after {_START_SECONDS:.0f} s")
        time.sleep(0.01)
