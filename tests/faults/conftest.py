"""How much of every fault there is, and the table of what became of it."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.faults.people import Audit, People
from tests.faults.processes import Replica
from tests.support.mlflow_store import MlflowServer

StartReplica = Callable[..., Replica]
GatherPeople = Callable[..., People]
Note = Callable[..., None]

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
    histories: int
    lies_seconds: float
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
def experiment_id(mlflow_server: MlflowServer) -> str:
    """Create an experiment on the session's `mlflow server` that no other test uses."""
    return new_experiment(mlflow_server.url)


def new_experiment(tracking_uri: str) -> str:
    """Create an experiment of a name that nobody used."""
    return str(MlflowClient(tracking_uri).create_experiment(f"faults-{uuid.uuid4()}"))


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[StartReplica]:
    """Give a function that starts a replica; on a new SQLite ledger unless another is named."""
    with ExitStack() as running:

        def start(*, ledger_url: str = "", **chosen: Any) -> Replica:
            url = ledger_url or f"sqlite:///{tmp_path}/ledger-{uuid.uuid4().hex[:8]}.db"
            made = Replica(tmp_path, ledger_url=url, **chosen)
            running.callback(made.close)
            made.start()
            return made

        yield start


@pytest.fixture
def people() -> Iterator[GatherPeople]:
    """Give a function that gathers people before one or several replicas."""
    with ExitStack() as gathered:

        def gather(*replicas: Replica, **chosen: Any) -> People:
            made = People([each.url for each in replicas], **chosen)
            gathered.callback(made.close)
            return made

        yield gather
