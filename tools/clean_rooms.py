"""Install what people install, each in an environment of its own, and use it: ``make clean-rooms``.

Nothing is in such an environment but the wheel and what it requires, in the newest versions: no
constraints, no extras that were not asked for. A requirement that is not declared, and is installed
by chance where the tests run, is missing here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import yaml

from tools.processes import free_port
from tools.served_app import Failed, Served, ask_and_rate, serving

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS_AND_EXAMPLE = ("README.md", "docs", "examples")
NOT_SYNCED = shutil.ignore_patterns(".*", "__pycache__", "*.db*", "build", "dist", "mlruns")

# There is no workspace and no database of one here; embedded stores replace them.
STAND_INS: Mapping[str, str | None] = {
    "MLFLOW_TRACKING_URI": "sqlite:///{folder}/mlflow.db",
    # The experiment that every new store has.
    "MLFLOW_EXPERIMENT_ID": "0",
    "AGENT_FEEDBACK_LEDGER_URL": "sqlite:///{folder}/feedback.db",
    "LAKEBASE_ENDPOINT": None,
}

# They would add to an environment, or keep newer versions out of it.
_REMOVED_VARIABLES = ("PIP_CONSTRAINT", "UV_CONSTRAINT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
# All of them together, on two cores.
_BUDGET_SECONDS = 360.0
_INSTALL_SECONDS = 300.0
_COMMAND_SECONDS = 120.0
_NO_POSTGRES = ["status", "--ledger-url", "postgresql+psycopg://127.0.0.1:1/none"]

TWO_LINES = """\
from mlflow.genai.agent_server import AgentServer

from agent_feedback import AgentFeedback

feedback = AgentFeedback()


@feedback.invoke
def answer(request):
    return {"answer": "forty-two"}


server = AgentServer()
feedback.mount(server)
app = server.app
"""


@dataclass(frozen=True)
class Room:
    """A fresh environment, and the folder in which things run that use it."""

    python: Path
    folder: Path

    def run(self, *command: str, code: int = 0, variables: Mapping[str, str] | None = None) -> str:
        """What a program of the environment prints; `Failed` where it ends with another code."""
        done = _run(
            [self.program(command[0]), *command[1:]],
            self.folder,
            self.environment() | dict(variables or {}),
            _COMMAND_SECONDS,
        )
        if done.returncode != code:
            raise Failed(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def program(self, name: str) -> str:
        """A program that was installed here; one of the same name elsewhere does not count."""
        return str(self.python.with_name(name))

    def environment(self) -> dict[str, str]:
        """The environment's programs first, then the system's, and nothing of the caller's."""
        keep = ("HOME", "LANG", "TMPDIR")
        bare = {name: os.environ[name] for name in keep if name in os.environ}
        path = f"{self.python.parent}{os.pathsep}{os.defpath}"
        return bare | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}


def main() -> int:
    """Run the checks and print their results; returns 1 where something failed."""
    failures, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clean-rooms-") as name:
        folder = Path(name)
        checks = _checks(folder)
        for title, check in checks.items():
            start = time.monotonic()
            try:
                check()
                verdict = "passed"
            except Failed as why:
                failures += 1
                verdict = f"FAILED: {why}\n"
            print(f"{title}: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    # For information, not a check: a busy machine, or a slow network, takes longer.
    print(f"{time.monotonic() - began:.0f} s of {_BUDGET_SECONDS:.0f} s")
    print(f"{len(checks) - failures} passed, {failures} failed")
    return 1 if failures else 0


def _checks(folder: Path) -> dict[str, Callable[[], None]]:
    wheels = folder / "wheels"

    def wheel(extra: str = "") -> list[str]:
        built = next(wheels.glob("*.whl"), None)
        if built is None:
            raise Failed("there is no wheel to install")
        return [f"mlflow-agent-feedback{extra} @ {built.as_uri()}"]

    def room(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    return {
        "the wheel has what it needs": lambda: check_wheel(build_wheel(wheels)),
        # As in the README; the others by the faster installer.
        "the wheel, by pip": lambda: _alone(install(room("wheel"), wheel(), by_pip=True)),
        "the wheel[postgres]": lambda: _postgres(install(room("postgres"), wheel("[postgres]"))),
        "the wheel[example]": lambda: _example(install(room("example"), wheel("[example]"))),
        "the wheel[test]": lambda: _test(install(room("test"), wheel("[test]"))),
        "requirements.txt and app.yaml": lambda: _deployment(room("deployment")),
    }


def build_wheel(where: Path) -> Path:
    """The wheel, built from this checkout."""
    command = [*_pip(), "wheel", "--quiet", "--no-deps", "--wheel-dir", str(where), str(PROJECT)]
    _must(_run(command, PROJECT, os.environ, _INSTALL_SECONDS))
    (built,) = where.glob("*.whl")
    return built


def check_wheel(wheel: Path) -> None:
    """The package with all its files is in the wheel, and nothing else but what describes it."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    missing = package_files().difference(names)
    if missing:
        raise Failed(f"not in {wheel.name}: {', '.join(sorted(missing))}")
    foreign = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    if foreign != {"agent_feedback"}:
        raise Failed(f"in {wheel.name}: {', '.join(sorted(foreign))}")


def package_files() -> set[str]:
    """Every file of the package: its modules, `py.typed`, the component and its types."""
    found = (PROJECT / "agent_feedback").rglob("*.*")
    return {
        each.relative_to(PROJECT).as_posix()
        for each in found
        if each.is_file() and each.suffix != ".pyc"
    }


def install(folder: Path, what: Sequence[str], *, by_pip: bool = False) -> Room:
    """A fresh environment with these requirements and theirs, all from one download cache."""
    python = folder / "environment" / "bin" / "python"
    create = [sys.executable, "-m", "venv", "--without-pip", str(folder / "environment")]
    _must(_run(create, folder, os.environ, _INSTALL_SECONDS))
    uv = Path(sys.executable).with_name("uv")
    if uv.exists() and not by_pip:
        command = [str(uv), "pip", "install", "--quiet", "--python", str(python)]
    else:
        command = [*_pip(), "--python", str(python), "install", "--quiet", "--no-compile"]
    unconstrained = {n: value for n, value in os.environ.items() if n not in _REMOVED_VARIABLES}
    _must(_run([*command, *what], folder, unconstrained, _INSTALL_SECONDS))
    return Room(python, folder)


def declared_environment(app_yaml: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The variables that `app.yaml` declares, with stand-ins for what does not exist here."""
    environment = {}
    for entry in app_yaml["env"]:
        name = entry["name"]
        if name not in STAND_INS and "value" not in entry:
            raise Failed(f"app.yaml takes {name} from {entry['valueFrom']}: no stand-in for it")
        value = STAND_INS.get(name, entry.get("value"))
        if value is not None:
            environment[name] = value.format(folder=folder)
    return environment


def _alone(room: Room) -> None:
    _two_lines(room)
    output = room.run("agent-feedback", *_NO_POSTGRES, code=1)
    if "mlflow-agent-feedback[postgres]" not in output:
        raise Failed(f"without PostgreSQL's driver, the command says:\n{output}")


def _postgres(room: Room) -> None:
    _two_lines(room)
    output = room.run("agent-feedback", *_NO_POSTGRES, code=1)
    if "Traceback" in output or "needs the package" in output:
        raise Failed(f"with PostgreSQL's driver and no server, the command says:\n{output}")


def _test(room: Room) -> None:
    _two_lines(room)
    room.run("pytest", "--version")
    room.run("ruff", "--version")
    room.run("mypy", "--version")


def _two_lines(room: Room) -> None:
    """Import it, ask its command for help, rate an answer of the smallest app, and report it."""
    room.run("python", "-c", "import agent_feedback")
    if "Usage: agent-feedback" not in room.run("agent-feedback", "--help"):
        raise Failed("agent-feedback --help says something else")
    (room.folder / "two_lines.py").write_text(TWO_LINES)
    port = free_port()
    command = ["python", "-m", "uvicorn", "two_lines:app", "--port", str(port)]
    stores = {"MLFLOW_TRACKING_URI": f"sqlite:///{room.folder}/mlflow.db"}
    with _serving(room, command, stores, port) as app:
        ask_and_rate(app, "/invocations", {"question": "What is it?"})
    _report(room, stores)


def _report(room: Room, stores: Mapping[str, str]) -> None:
    """The report counts the rating, as JSON and as a page with its charts."""
    command = ["agent-feedback", "report", "--experiment", "Default"]
    for form in ("json", "html"):
        output = str(room.folder / f"report.{form}")
        room.run(*command, "--format", form, "--output", output, variables=stores)
    counted = json.loads((room.folder / "report.json").read_text(encoding="utf-8"))["headline"]
    if (counted["rated_traces"], counted["positive"]) != (1, 1):
        raise Failed(f"the report counts {counted}")


def _example(room: Room) -> None:
    """Run the example app beside the wheel: the checkout's own package is not there."""
    for name in DOCUMENTS_AND_EXAMPLE:
        source, target = PROJECT / name, room.folder / name
        copy: Callable[[Path, Path], object] = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    _ask_example(room, ["python", "-m", "examples.agent_app"], {"AGENT_APP_MLFLOW_PAGES": "off"})


def _deployment(folder: Path) -> None:
    """Do what Databricks Apps does with this repository: requirements.txt, then app.yaml."""
    shutil.copytree(PROJECT, folder, ignore=NOT_SYNCED, dirs_exist_ok=True)
    room = install(folder, ["--requirement", "requirements.txt"])
    app_yaml = yaml.safe_load((folder / "app.yaml").read_text(encoding="utf-8"))
    _ask_example(room, app_yaml["command"], declared_environment(app_yaml, folder))


def _ask_example(room: Room, command: Sequence[str], variables: Mapping[str, str]) -> None:
    port = free_port()
    # Not DATABRICKS_APP_PORT, with which the app listens beyond this machine.
    with _serving(room, command, {**variables, "PORT": str(port)}, port) as app:
        question = {"role": "user", "content": "What happens to a rating when MLflow is away?"}
        ask_and_rate(app, "/responses", {"input": [question]})


def _serving(room: Room, command: Sequence[str], variables: Mapping[str, str], port: int) -> Served:
    environment = room.environment() | dict(variables)
    return serving([room.program(command[0]), *command[1:]], room.folder, environment, port)


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)}: no end within {seconds:.0f} s") from None


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, done.args))}:\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main())
