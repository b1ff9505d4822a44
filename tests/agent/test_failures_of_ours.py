"""No answer is slower or fails because of feedback, its ledger or MLflow."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest

from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.ledger.turns import TurnRecords
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from tests.agent.asgi import request_stream
from tests.agent.hosting import DONE, UNTYPED, Host, Hosts, frames, request_body
from tests.support.waiting import until


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    """Give the place of a ledger that the test may meddle with."""
    return tmp_path / "meddled.db"


@contextmanager
def _locked(ledger_file: Path) -> Iterator[None]:
    """Keep every writer of the ledger waiting until the end of the block."""
    with closing(sqlite3.connect(ledger_file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


async def _answer(request: Any) -> Any:
    return {"text": "Hello"}


async def _stream(request: Any) -> Any:
    yield {"text": "Hello"}


def _host(hosts: Hosts, ledger_file: Path) -> Host:
    return hosts.start(
        UNTYPED, invoke=_answer, stream=_stream, ledger_url=f"sqlite:///{ledger_file}"
    )


def _assert_answers(host: Host, number: int) -> None:
    answer = host.ask(request_body(UNTYPED, f"a-{number}")).json()
    assert (answer["text"], answer["client_request_id"]) == ("Hello", f"a-{number}")
    assert answer["trace_id"] is not None
    *events, done, end = host.stream(request_body(UNTYPED, f"s-{number}"))
    assert (events, done["status"], end) == ([{"text": "Hello"}], "ok", DONE)


def test_a_locked_ledger_is_not_waited_for(hosts: Hosts, ledger_file: Path) -> None:
    """Answers come while the ledger is locked, and their turns are recorded once it is free."""
    host = _host(hosts, ledger_file)
    with _locked(ledger_file):
        for number in range(5):
            _assert_answers(host, number)

    def recorded() -> bool:
        with closing(sqlite3.connect(ledger_file)) as connection:
            query = "select count(*) from agent_feedback_turns where state = 'ok'"
            return bool(connection.execute(query).fetchone() == (10,))

    assert until(recorded, "the turns were not recorded")


def test_a_broken_ledger_harms_no_answer(hosts: Hosts, ledger_file: Path) -> None:
    """Answers are whole when the ledger refuses every write; ratings say so and are not taken."""
    host = _host(hosts, ledger_file)
    with closing(sqlite3.connect(ledger_file)) as connection:
        connection.executescript(
            "drop table agent_feedback_turns; drop table agent_feedback_ratings;"
        )
    _assert_answers(host, 0)
    rating = {"client_request_id": "a-0", "value": True}
    assert httpx.post(f"{host.url}/feedback", json=rating).status_code == 503


async def test_a_ledger_locked_from_the_start_blocks_nobody(
    hosts: Hosts, ledger_file: Path
) -> None:
    """Where nothing started feedback, its first use opens the ledger beside the answer."""
    sqlite3.connect(ledger_file).close()
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    app = hosts.app(UNTYPED, stream=_stream, ledger_url=f"sqlite:///{ledger_file}")
    with _locked(ledger_file):
        for _ in range(3):
            sent.clear()
            await asyncio.wait_for(request_stream(app, request_body(UNTYPED), send), 60)
            assert frames(b"".join(sent).decode())[-1] == DONE


def _fail(*arguments: Any, **settings: Any) -> Any:
    raise RuntimeError("feedback is broken")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (ActiveTrace, "tag"),
        (ActiveTrace, "set_outputs"),
        (IdentityResolver, "start"),
        (TurnRecords, "record"),
        (mlflow, "update_current_trace"),
    ],
)
def test_failures_of_ours_harm_no_answer(
    hosts: Hosts,
    ledger_file: Path,
    owner: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever of ours breaks, answers are whole, and the log says it once and not each time."""
    host = _host(hosts, ledger_file)
    monkeypatch.setattr(owner, name, _fail)
    for number in range(2):
        _assert_answers(host, number)
    logged = 0 if name == "set_outputs" else 1
    assert caplog.text.count("failed; the answer is unharmed") == logged
