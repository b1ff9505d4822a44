"""The command line: what operators see of a ledger, and what they can put right."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent_feedback.cli import main
from agent_feedback.delivery.row_state import Undeliverable
from agent_feedback.ledger.ledger import Ledger
from tests.support.ledgers import KEY, end, keys, rated

Run = Callable[..., Result]


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """Name a ledger."""
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Open the ledger, as a running app does."""
    opened = Ledger(ledger_url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, ledger_url: str) -> Run:
    """Run the command in an environment that names the ledger."""
    monkeypatch.setenv("AGENT_FEEDBACK_LEDGER_URL", ledger_url)
    return lambda *words: CliRunner().invoke(main, words)


def leave_undeliverable(ledger: Ledger) -> None:
    """Leave two of three ratings undeliverable."""
    rated(ledger, *keys(3))
    for claim in ledger.queue.claim(2):
        end(ledger.queue, claim, Undeliverable("ENDPOINT_NOT_FOUND"))


def test_the_status_is_read_beside_a_running_app(ledger: Ledger, run: Run) -> None:
    """It shows counts and a class of errors, for people and for programs, and names no person."""
    leave_undeliverable(ledger)
    result = run("status")
    assert result.exit_code == 0
    assert "undeliverable" in result.stdout
    assert "ENDPOINT_NOT_FOUND" in result.stdout
    counts = json.loads(run("status", "--json").stdout)
    assert (counts["pending"], counts["undeliverable"]) == (1, 2)
    assert counts["last_error"] == "ENDPOINT_NOT_FOUND"
    assert KEY.person not in result.stdout


def test_a_retry_puts_back_what_was_undeliverable(ledger: Ledger, run: Run) -> None:
    """Undeliverable ratings wait for delivery again, and the command says how many."""
    leave_undeliverable(ledger)
    assert run("retry").stdout == "2 ratings will be tried again.\n"
    assert run("retry").stdout == "0 ratings will be tried again.\n"
    assert len(ledger.queue.claim(8)) == 3


@pytest.mark.parametrize("command", ["status", "retry"])
@pytest.mark.parametrize("url", ["sqlite:////nowhere/feedback.db", "sqlite:///slip.db", "no-url"])
def test_a_ledger_that_is_not_there_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, url: str
) -> None:
    """A wrong name is an error, and makes no new ledger in which all is well."""
    monkeypatch.chdir(tmp_path)
    result = run(command, "--ledger-url", url)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert not Path("slip.db").exists()
