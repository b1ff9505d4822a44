"""How much of every fault there is, and the table of what came of each."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults.audit import Audit
from tests.faults.processes import Replica
from tests.faults.scenario import Note, Scenario, UsersOf
from tests.faults.users import Users
from tests.support.mlflow_store import MlflowServer

# One line for each scenario, also where several processes run the tests.
_FIGURES = "FAULTS_FIGURES"


@dataclass(frozen=True)
class Scale:
    """How much of a fault a run causes."""

    full: bool
    outage_seconds: float
    kills: int
    deaths_amid_a_write: int
    first_second_ratings: int
    examples: int
    false_answers_seconds: float
    ledger_seconds: float
    soak_seconds: float


SHORT = Scale(False, 8, 3, 1, 40, 5, 10, 7, 60)
FULL = Scale(True, 60, 10, 3, 200, 40, 60, 10, 60)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose between what CI runs and everything."""
    parser.addoption("--full", action="store_true", help="every fault at its full length")
    parser.addoption("--soak-seconds", type=float, help="how long the mixed load lasts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of the short form what is near to another fault of it."""
    if not config.getoption("--full"):
        items[:] = [item for item in items if not item.get_closest_marker("full_form")]


def pytest_configure(config: pytest.Config) -> None:
    """Choose where the figures go, before other processes inherit it."""
    config.addinivalue_line("markers", "full_form: runs with --full only")
    if _FIGURES not in os.environ:
        file = Path(config.rootpath, "build", f"faults-{os.getpid()}.jsonl")
        file.parent.mkdir(exist_ok=True)
        os.environ[_FIGURES] = str(file)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table that ``docs/reliability.md`` shows."""
    file = Path(os.environ[_FIGURES])
    is_worker = hasattr(terminalreporter.config, "workerinput")  # nobody sees what it prints
    if is_worker or not file.exists():
        return
    rows = sorted(map(json.loads, file.read_text().splitlines()), key=lambda row: row["order"])
    terminalreporter.write_sep("=", "faults")
    terminalreporter.write_line("| # | fault | promised | lost | doubled | wrong | revived | |")
    terminalreporter.write_line("|---|---|---|---|---|---|---|---|")
    for row in rows:
        counts = [row["promised"], row["lost"], row["doubled"], row["wrong"], row["resurrected"]]
        more = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in row["figures"].items())
        cells = [row["order"], row["fault"], *counts, more]
        terminalreporter.write_line(f"| {' | '.join(map(str, cells))} |")
    file.unlink()


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """Say how much of each fault this run causes."""
    return FULL if request.config.getoption("--full") else SHORT


@pytest.fixture
def note() -> Note:
    """Give a function that writes a scenario's line of the table."""

    def write(order: str, fault: str, audit: Audit, **figures: Any) -> None:
        row = {"order": order, "fault": fault, "figures": figures} | audit.figures()
        with Path(os.environ[_FIGURES]).open("a") as file:
            file.write(json.dumps(row) + "\n")

    return write


@pytest.fixture
def users_of() -> Iterator[UsersOf]:
    """Give a function that makes users of one or several replicas."""
    with ExitStack() as made:

        def make(*replicas: Replica, **chosen: Any) -> Users:
            return made.enter_context(Users([each.url for each in replicas], **chosen))

        yield make


@pytest.fixture
def begin(
    tmp_path: Path, users_of: UsersOf, note: Note
) -> Iterator[Callable[[MlflowServer], Scenario]]:
    """Give a function that begins a scenario on a server."""
    with ExitStack() as running:
        yield partial(Scenario, tmp_path, running, users_of, note)


@pytest.fixture
def scenario(mlflow_server: MlflowServer, begin: Callable[[MlflowServer], Scenario]) -> Scenario:
    """Begin a scenario on the session's `mlflow server`."""
    return begin(mlflow_server)


@pytest.fixture
def own_scenario(
    own_mlflow_server: MlflowServer, begin: Callable[[MlflowServer], Scenario]
) -> Scenario:
    """Begin a scenario on an `mlflow server` that the test may stop and freeze."""
    own_mlflow_server.start()
    return begin(own_mlflow_server)
