"""A deployment that stops the server while it answers: SIGTERM to a real uvicorn."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent.hosting import DONE, STATE, Host, frames, outputs_of
from tests.agent.processes import AgentProcess, running_agent
from tests.support.mlflow_store import Tracking

# Far more than the short streams have left at the stop, on a busy machine.
_GRACE_SECONDS = 6
_HANGS_AFTER_SECONDS = 90.0
_SHORT = 20
_ENDLESS = 10_000


@pytest.fixture
def agent(tracking: Tracking, tmp_path: Path) -> Iterator[AgentProcess]:
    """Run an agent whose server waits a while for open streams."""
    grace = ("--timeout-graceful-shutdown", str(_GRACE_SECONDS))
    with running_agent(tracking, tmp_path, *grace) as running:
        yield running


def test_streams_end_in_order_at_a_stop(agent: AgentProcess) -> None:
    """Streams end with ``done`` where they can; the others are kept as interrupted; it exits."""
    host, process = agent.host, agent.process
    # A thread cannot be interrupted: it hears at its next word that it should stop.
    turns = {
        f"{name}-{thread}": {"words": words, "thread": thread, "pause": pause}
        for name, words, pause in (("short", _SHORT, 0.05), ("endless", _ENDLESS, 0.4))
        for thread in (True, False)
    }
    with ThreadPoolExecutor(len(turns)) as clients:
        speak = threading.Barrier(len(turns) + 1)
        begun = {
            name: clients.submit(_read, host, {**turn, "client_request_id": name}, speak)
            for name, turn in turns.items()
        }
        speak.wait(_HANGS_AFTER_SECONDS)
        process.send_signal(signal.SIGTERM)
        process.wait(_HANGS_AFTER_SECONDS)
        answered = {name: answer.result(30) for name, answer in begun.items()}
    assert process.returncode in (0, -signal.SIGTERM)
    for name in turns:
        events, state = answered[name], host.trace(name).info.request_metadata[STATE]
        if name.startswith("short"):
            *words, done, end = events
            assert (len(words), done["status"], end, state) == (_SHORT, "ok", DONE, "ok")
        else:
            assert DONE not in events
            assert state == "interrupted"
            assert outputs_of(host.trace(name))[: len(events)] == events


def _read(host: Host, body: dict[str, Any], speak: threading.Barrier) -> list[Any]:
    """Whatever whole frames come before the end of the stream or of the connection."""
    text = ""
    with host.streaming(body) as response:
        try:
            for chunk in response.iter_text():
                if not text:
                    speak.wait(_HANGS_AFTER_SECONDS)
                text += chunk
        except httpx.RemoteProtocolError:
            text = text[: text.rindex("\n\n") + 2]
    return frames(text)
