"""README.md, followed to the letter: its agent is served, asked, and rated, and MLflow is read."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.documents import PROJECT, Command, block, blocks, commands, run_curl, says
from tests.support.loopback import free_port

_START_SECONDS = 100.0
_STOP_SECONDS = 15.0
_OURS = ("AGENT_FEEDBACK_", "DATABRICKS_", "MLFLOW_")


@dataclass(frozen=True)
class Adopter:
    """A stranger's folder with the README's two files, and their running server."""

    folder: Path
    address: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def adopter(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path
) -> Iterator[Adopter]:
    """Write the README's files into an empty folder and start them by the README's command."""
    folder = tmp_path_factory.mktemp("adopter")
    package = folder / "agent_server"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("agent.py", "start_server.py"):
        (package / name).write_text(block("README.md", "python", f"# agent_server/{name}"))
    # Where MLflow's own default puts it; making its tables takes seconds.
    shutil.copy(empty_mlflow_store, folder / "mlflow.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment = kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(PROJECT)}
    (start,) = (each.line for each in commands("README.md") if each.line.startswith("uvicorn"))
    port = free_port()
    with running(shlex.split(start.replace("8000", str(port))), folder, environment):
        yield Adopter(folder, f"127.0.0.1:{port}", environment)


@contextlib.contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a module as a process until the end of the block; it answers when this begins."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while "Uvicorn running on" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the README's server did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_from_a_question_to_its_assessment(adopter: Adopter) -> None:
    """Every command of the README, in its order, shows what the README shows."""
    for command in commands("README.md"):
        if command.line.startswith("uvicorn"):
            continue  # it runs
        real = run(command, adopter)
        assert says(command.shown, real), f"{command.line}\nsays\n{real}\nand not\n{command.shown}"


def run(command: Command, adopter: Adopter) -> str:
    """Run one of the README's commands against the adopter's server and folder."""
    if command.line.startswith("curl"):
        return run_curl(command.line, adopter.address)
    assert command.line.startswith("python - <<")
    wait_until_delivered(adopter)
    done = subprocess.run(
        [sys.executable, "-"],
        input=command.typed,
        cwd=adopter.folder,
        env=adopter.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_delivered(adopter: Adopter) -> None:
    """Wait for what the README calls "some seconds"."""
    deadline = time.monotonic() + 60
    while httpx.get(f"http://{adopter.address}/feedback/status").json()["pending"]:
        assert time.monotonic() < deadline, "a rating did not reach MLflow"
        time.sleep(0.1)


def test_the_ledger_lies_where_the_readme_says(adopter: Adopter) -> None:
    """Without a setting it is a file in the folder where the app was started."""
    assert "the file `agent_feedback.db` in the folder" in (PROJECT / "README.md").read_text()
    assert (adopter.folder / "agent_feedback.db").is_file()


def test_the_six_edits_are_numbered() -> None:
    """The two files mark six edits, four in one and two in the other, as the text counts them."""
    files = [each.text for each in blocks("README.md") if each.language == "python"]
    marks = [re.findall(r"# (\d)\. ", text) for text in files]
    assert marks == [["1", "2", "3", "4"], ["5", "6"]]
