"""A user's agent, made of the documents' own files, and served as they describe."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.documents import PROJECT, block
from tests.support.processes import wait_until_started
from tools.processes import free_port, stop

_STOP_SECONDS = 15.0
_OURS = ("AGENT_FEEDBACK_", "DATABRICKS_", "MLFLOW_")


@dataclass(frozen=True)
class Adopter:
    """A folder with an agent in it, and the address of its running server."""

    folder: Path
    address: str
    environment: dict[str, str]


@contextlib.contextmanager
def running_adopter(
    folder: Path, empty_mlflow_store: Path, *, server: str, start: str
) -> Iterator[Adopter]:
    """Serve the README's agent until the end of the block.

    Args:
        folder: An empty folder.
        empty_mlflow_store: Goes where MLflow's own default is; making its tables takes seconds.
        server: The document that has ``agent_server/start_server.py``.
        start: The command that starts it, on port 8000, with variables before it.
    """
    package = folder / "agent_server"
    package.mkdir()
    (package / "__init__.py").touch()
    for document, name in (("README.md", "agent.py"), (server, "start_server.py")):
        (package / name).write_text(block(document, "python", f"# agent_server/{name}"))
    shutil.copy(empty_mlflow_store, folder / "mlflow.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment = kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(PROJECT)}
    port = free_port()
    words = shlex.split(start.replace("8000", str(port)))
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    with _running(words, folder, environment):
        yield Adopter(folder, f"127.0.0.1:{port}", environment)


@contextlib.contextmanager
def _running(words: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a module as a process; it answers when this begins."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        running = "Uvicorn running on"
        wait_until_started(lambda: running in log.read_text(), log, process, "the server")
        yield
    finally:
        stop(process, _STOP_SECONDS)
