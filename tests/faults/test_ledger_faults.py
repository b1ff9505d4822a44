"""The ledger in ledger_fault under load: a rating is durable or refused, and no answer notices."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.bystanders import bystanders_of
from tests.faults.conftest import GatherPeople, Note, Scale, StartReplica
from tests.faults.load import being_rated
from tests.faults.people import audit, audit_once_settled
from tests.faults.processes import until
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer
from tests.support.postgres import Postgres, own_postgres

_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@dataclass
class LedgerFault:
    """A ledger, how the app is told of it, and what happens to it."""

    ledger_url: str
    variables: dict[str, str]
    cause: Callable[[float], None]
    """Cause it, for about so many seconds, and end it."""


def test_sqlite_locked_by_another_process(
    sqlite_fault: LedgerFault, suffer: Callable[[LedgerFault, str], None]
) -> None:
    """A backup or a shell holds the file for seconds: writes wait or are refused with 503."""
    suffer(sqlite_fault, "SQLite file locked by another process")


def test_the_disk_is_full(
    full_disk: LedgerFault, suffer: Callable[[LedgerFault, str], None]
) -> None:
    """There is no room for another page, and later there is."""
    suffer(full_disk, "disk full")


FULL_FORM = pytest.mark.full_form


@pytest.mark.parametrize(
    "how",
    [
        "killed and restarted",
        pytest.param("frozen", marks=FULL_FORM),
        pytest.param("every session ended", marks=FULL_FORM),
    ],
)
def test_postgresql_goes_away(suffer: Callable[[LedgerFault, str], None], how: str) -> None:
    """The database crashes, hangs, or fails over under load."""
    with own_postgres() as postgres:
        postgres.start()

        def cause(seconds: float) -> None:
            with _away(postgres, how):
                time.sleep(seconds)

        suffer(LedgerFault(postgres.url, {}, cause), f"PostgreSQL {how}")


@contextmanager
def _away(postgres: Postgres, how: str) -> Iterator[None]:
    if how == "frozen":
        postgres.freeze()
        yield
        postgres.thaw()
    elif how == "killed and restarted":
        postgres.stop()
        yield
        postgres.start()
    else:
        postgres.end_sessions()
        yield


@pytest.fixture
def sqlite_fault(tmp_path: Path) -> LedgerFault:
    """Give a ledger that another process locks."""
    file = tmp_path / "ledger.db"

    def cause(seconds: float) -> None:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(file), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"

    return LedgerFault(f"sqlite:///{file}", {}, cause)


@pytest.fixture
def full_disk(tmp_path: Path) -> LedgerFault:
    """Give a ledger that may have no more pages, while a file says so."""
    file, most = tmp_path / "ledger.db", tmp_path / "most"

    def cause(seconds: float) -> None:
        with sqlite3.connect(file) as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.close()
        most.write_text(str(pages))
        time.sleep(seconds)
        most.unlink()

    variables = {"FAULTS_MAX_PAGES": str(most), "FAULTS_LEDGER_FILE": str(file)}
    return LedgerFault(f"sqlite:///{file}", variables, cause)


@pytest.fixture
def suffer(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    scale: Scale,
    note: Note,
) -> Callable[[LedgerFault, str], None]:
    """Give a function that lets an app's ledger fail under load, and audits it afterwards."""

    def run(ledger_fault: LedgerFault, fault: str) -> None:
        app = replica(
            tracking_uri=mlflow_server.url,
            experiment_id=experiment_id,
            ledger_url=ledger_fault.ledger_url,
            **ledger_fault.variables,
        )
        crowd = people(app)
        answers = list(ask_and_wait(crowd, 40, mlflow_server.url, experiment_id))
        with bystanders_of(app) as others, being_rated(crowd, answers):
            time.sleep(1)
            with others.during(fault):
                ledger_fault.cause(scale.ledger_seconds)
            time.sleep(2)
        until(
            lambda: app.status()["pending"] == 0,
            within=90,
            otherwise=lambda: str(app.status()),
        )
        seen = audit_once_settled(
            lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=100
        )
        note(
            "7",
            f"{fault}, {scale.ledger_seconds:.0f} s",
            seen,
            refused_with_503=crowd.unavailable,
            **others.figures(fault),
        )
        assert seen.is_clean(), str(seen)
        assert crowd.refused == []
        others.assert_unaffected(fault)

    return run
