"""An app in a process of its own, asked and rated over HTTP with nothing but Python itself."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.processes import stop

# The first import in a fresh environment compiles hundreds of modules.
_START_SECONDS = 180.0
_ANSWER_SECONDS = 60.0
_DELIVERY_SECONDS = 60.0
_STOP_SECONDS = 20.0


class Failed(Exception):
    """A check failed; the text says which."""


@dataclass(frozen=True)
class App:
    """A running app."""

    url: str
    log: Path

    def get(self, path: str) -> Any:
        """The JSON that it answers."""
        return _ask(urllib.request.Request(self.url + path), self.log)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON; returns the JSON that it answers."""
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        return _ask(urllib.request.Request(self.url + path, data, headers), self.log)


Served = AbstractContextManager[App]


@contextlib.contextmanager
def serving(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], port: int
) -> Iterator[App]:
    """Run the command until the end of the block; `Failed` where it never answers."""
    app = App(f"http://127.0.0.1:{port}", folder / "app.log")
    with app.log.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        _wait(lambda: process.poll() is not None or _answers(app), _START_SECONDS, app.log)
        if process.poll() is not None:
            raise Failed(f"{' '.join(command)} ended:\n{app.log.read_text()}")
        yield app
    finally:
        stop(process, _STOP_SECONDS)


def ask_and_rate(app: App, route: str, question: Mapping[str, Any]) -> None:
    """Ask, rate the answer, read the rating back, and wait until MLflow has it."""
    trace_id = app.post(route, question)["trace_id"]
    app.post("/feedback", {"trace_id": trace_id, "value": True})
    mine = app.get(f"/feedback?trace_id={trace_id}")
    if [rating["value"] for rating in mine] != [True]:
        raise Failed(f"the rating reads back as {mine}")
    _wait(lambda: app.get("/feedback/status")["pending"] == 0, _DELIVERY_SECONDS, app.log)
    if app.get("/feedback/status")["undeliverable"]:
        raise Failed(f"MLflow refused the rating:\n{app.log.read_text()}")


def _answers(app: App) -> bool:
    try:
        urllib.request.urlopen(f"{app.url}/feedback/settings", timeout=_ANSWER_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _ask(request: urllib.request.Request, log: Path) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace")
        raise Failed(f"{request.full_url}: {error}: {detail}\n{log.read_text()}") from None
    except OSError as error:
        raise Failed(f"{request.full_url}: {error}\n{log.read_text()}") from None


def _wait(holds: Callable[[], bool], seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds:.0f} s:\n{log.read_text()}")
        time.sleep(0.2)
