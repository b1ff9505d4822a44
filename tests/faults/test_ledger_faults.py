"""The ledger failing under load: a rating is durable or refused, and no answer notices."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.conftest import Scale
from tests.faults.latency_probe import probing
from tests.faults.load import rating_load
from tests.faults.scenario import Scenario
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
class FailingLedger:
    """A ledger that a test can make fail.

    Attributes:
        url: Where it is.
        variables: More of the app's environment.
        fail_for: Lets it fail for about so many seconds, and repairs it.
    """

    url: str
    variables: dict[str, str]
    fail_for: Callable[[float], None]


AssertHarmless = Callable[[FailingLedger, str], None]


def test_sqlite_locked_by_another_process(
    locked_file: FailingLedger, assert_harmless: AssertHarmless
) -> None:
    """A backup or a shell holds the file for seconds: writes wait or are refused with 503."""
    assert_harmless(locked_file, "SQLite file locked by another process")


def test_the_disk_is_full(full_disk: FailingLedger, assert_harmless: AssertHarmless) -> None:
    """There is no room for another page, and later there is."""
    assert_harmless(full_disk, "disk full")


FULL_FORM = pytest.mark.full_form


@pytest.mark.parametrize(
    "how",
    [
        "killed and restarted",
        pytest.param("frozen", marks=FULL_FORM),
        pytest.param("every session ended", marks=FULL_FORM),
    ],
)
def test_postgresql_goes_away(assert_harmless: AssertHarmless, how: str) -> None:
    """The database crashes, hangs, or fails over under load."""
    with own_postgres() as postgres:
        postgres.start()

        def fail_for(seconds: float) -> None:
            with _away(postgres, how):
                time.sleep(seconds)

        assert_harmless(FailingLedger(postgres.url, {}, fail_for), f"PostgreSQL {how}")


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
def locked_file(tmp_path: Path) -> FailingLedger:
    """Give a ledger that another process locks."""
    file = tmp_path / "ledger.db"

    def fail_for(seconds: float) -> None:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(file), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"

    return FailingLedger(f"sqlite:///{file}", {}, fail_for)


@pytest.fixture
def full_disk(tmp_path: Path) -> FailingLedger:
    """Give a ledger that may have no more pages, while a file says so."""
    file, most = tmp_path / "ledger.db", tmp_path / "most"

    def fail_for(seconds: float) -> None:
        with sqlite3.connect(file) as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.close()
        most.write_text(str(pages))
        time.sleep(seconds)
        most.unlink()

    variables = {"FAULTS_MAX_PAGES": str(most), "FAULTS_LEDGER_FILE": str(file)}
    return FailingLedger(f"sqlite:///{file}", variables, fail_for)


@pytest.fixture
def assert_harmless(scenario: Scenario, scale: Scale) -> AssertHarmless:
    """Give a function that lets an app's ledger fail under load, and audits it afterwards."""

    def run(ledger: FailingLedger, fault: str) -> None:
        app = scenario.start_app(ledger_url=ledger.url, **ledger.variables)
        users = scenario.users_of(app)
        answers = scenario.ask_and_wait(users, 40)
        with probing(app) as probe, rating_load(users, answers):
            time.sleep(1)
            with probe.during(fault):
                ledger.fail_for(scale.ledger_seconds)
            time.sleep(2)
        app.wait_until_settled(within=90)
        scenario.assert_kept(
            ("7", f"{fault}, {scale.ledger_seconds:.0f} s"),
            users.promises(),
            within=100,
            refused_with_503=users.unavailable,
            **probe.figures(fault),
        )
        assert users.refused == []
        probe.assert_unaffected(fault)

    return run
