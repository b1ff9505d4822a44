"""Statements are polled, cancelled where they are left, and read chunk by chunk."""

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.warehouse.client import Warehouse
from agent_feedback.insight.warehouse.constants import Markers, Statement
from agent_feedback.insight.warehouse.failures import ResultTooLarge
from tests.support.fake_warehouse import FOR_EVER, FakeWarehouse

NUMBERS = Statement("SELECT explode(sequence(1, 25)) AS n ORDER BY n")


def connected(
    fake: FakeWarehouse,
    sleep: Callable[[float], None] = lambda seconds: None,
    deadline_seconds: float = 30,
) -> Warehouse:
    """A client of the fake, whose clock moves by one second whenever it is read."""
    return Warehouse(
        fake.warehouse_id,
        "main.agents.bot",
        lambda: WorkspaceClient(host=fake.url, token="a-token"),
        deadline_seconds=deadline_seconds,
        clock=itertools.count().__next__,
        sleep=sleep,
    )


def test_polls_until_the_result_is_there(fake: FakeWarehouse) -> None:
    """A warehouse that has to start, and a statement that takes its time, are waited for."""
    fake.pending_polls, fake.running_polls = 3, 3
    pauses: list[float] = []
    rows = list(connected(fake, pauses.append).rows(NUMBERS))
    assert rows == [[str(n)] for n in range(1, 26)]
    assert pauses == sorted(pauses)
    assert len(pauses) == 7
    assert not fake.statements[0].cancelled


def test_reads_chunk_by_chunk(fake: FakeWarehouse) -> None:
    """The next chunk is asked for only when its first row is needed."""
    fake.rows_per_chunk = 10
    rows = connected(fake).rows(NUMBERS)
    assert [row[0] for row in itertools.islice(rows, 10)] == [str(n) for n in range(1, 11)]
    assert fake.statements[0].chunks_read == []
    assert len(list(rows)) == 15
    assert fake.statements[0].chunks_read == [1, 2]


def test_an_empty_result_has_no_rows(fake: FakeWarehouse) -> None:
    """No rows are no error."""
    assert list(connected(fake).rows(Statement("SELECT 1 AS n WHERE FALSE"))) == []


def test_values_are_never_read_as_sql(fake: FakeWarehouse) -> None:
    """Named parameters reach the server beside the statement, with their types."""
    markers = Markers()
    text, number = markers.text("text", "'; DROP TABLE x; --"), markers.number("number", 7)
    statement = markers.statement(f"SELECT {text} AS a, {number} + 1 AS b, NULL AS c")
    assert list(connected(fake).rows(statement)) == [["'; DROP TABLE x; --", "8", None]]
    assert fake.texts() == ["SELECT :text AS a, :number + 1 AS b, NULL AS c"]


@pytest.mark.parametrize(
    ("polls", "sentence"),
    [
        ({"pending_polls": FOR_EVER}, "did not begin within 9 s"),
        ({"running_polls": FOR_EVER}, "took longer than 9 s and was cancelled"),
    ],
)
def test_cancels_at_the_deadline(fake: FakeWarehouse, polls: dict[str, int], sentence: str) -> None:
    """A statement that is not done in time is cancelled, and the sentence says what to do."""
    for name, value in polls.items():
        setattr(fake, name, value)
    with pytest.raises(ReportError, match=sentence):
        list(connected(fake, deadline_seconds=9).rows(NUMBERS))
    assert fake.statements[0].state == "CANCELED"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_cancels_when_it_is_interrupted(
    fake: FakeWarehouse, interruption: type[BaseException]
) -> None:
    """Whatever ends the waiting ends the statement too, and goes on to the caller."""
    fake.running_polls = FOR_EVER

    def interrupted(seconds: float) -> None:
        raise interruption

    with pytest.raises(interruption):
        list(connected(fake, interrupted).rows(NUMBERS))
    assert fake.statements[0].state == "CANCELED"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"deleted": True},
            r"There is no SQL warehouse abcdef0123456789: it may have been deleted",
        ),
        ({"forbidden": "warehouse"}, "You may not use the SQL warehouse abcdef0123456789"),
        ({"forbidden": "table"}, "You may not read the traces in main.agents.bot: ask for USE"),
        ({"fails_while_running": "[OUT_OF_MEMORY] row: bob@x.org"}, "error class OUT_OF_MEMORY"),
        ({"fails_while_running": "bob@x.org said no"}, "error class BAD_REQUEST"),
        (
            {"fails_while_running": "[UNRESOLVED_COLUMN.WITH_SUGGESTION] `bob@x.org`"},
            "lacks a column or a field",
        ),
        (
            {"fails_while_running": "[TABLE_OR_VIEW_NOT_FOUND] The table `bob@x.org`"},
            "There is no view of traces in main.agents.bot, or you may not see it",
        ),
        (
            {
                "fails_while_running": "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User"
                " bob@x.org does not have USE SCHEMA on Schema 'main.agents'."
            },
            "You lack the grant USE SCHEMA on the schema main.agents: ask its owner",
        ),
        (
            {
                "fails_while_running": "[INSUFFICIENT_PERMISSIONS] User does not have SELECT on"
                " Table 'other.people.bob@x.org'."
            },
            "You may not read the traces in main.agents.bot",
        ),
    ],
)
def test_every_refusal_is_one_sentence(
    fake: FakeWarehouse, changed: dict[str, object], sentence: str
) -> None:
    """It says what to do, and repeats nothing of the server's text that could be data."""
    fake.running_polls = 1
    for name, value in changed.items():
        setattr(fake, name, value)
    with pytest.raises(ReportError, match=sentence) as failed:
        list(connected(fake).rows(NUMBERS))
    assert "bob" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_result_that_is_too_large_is_told(fake: FakeWarehouse) -> None:
    """It has an error of its own, because asking for less is the way out."""
    fake.inline_bytes = 10
    with pytest.raises(ResultTooLarge, match="choose a shorter window"):
        list(connected(fake).rows(NUMBERS))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"broken_chunk": 1}, "could not answer"), ({"closed_chunk": 1}, "is no longer there")],
)
def test_a_chunk_that_fails_is_told(
    fake: FakeWarehouse, changed: dict[str, int], sentence: str
) -> None:
    """A result that cannot be read to its end is no result."""
    fake.rows_per_chunk = 10
    for name, value in changed.items():
        setattr(fake, name, value)
    with pytest.raises(ReportError, match=sentence):
        list(connected(fake).rows(NUMBERS))


def test_a_statement_that_somebody_cancelled_is_told(fake: FakeWarehouse) -> None:
    """Its end is not mistaken for an empty result."""
    fake.running_polls = FOR_EVER

    def cancelled(seconds: float) -> None:
        fake.statements[0].state = "CANCELED"

    with pytest.raises(ReportError, match="Somebody cancelled"):
        list(connected(fake, cancelled).rows(NUMBERS))


def test_the_environments_workspace_is_the_default(
    fake: FakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a client of the caller's, the SDK's own variables name the workspace."""
    monkeypatch.setenv("DATABRICKS_HOST", fake.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", "a-token")
    rows = Warehouse(fake.warehouse_id, "main.agents", sleep=lambda _: None).rows(NUMBERS)
    assert len(list(rows)) == 25


def test_no_workspace_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing names a workspace, the sentence says what would."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ReportError, match="No Databricks workspace is configured"):
        list(Warehouse("w", "main.agents").rows(NUMBERS))


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (ValueError("default auth: cannot configure"), "No Databricks workspace is configured"),
        (ConnectionError("host"), "cannot be reached: check DATABRICKS_HOST"),
        (TimeoutError("host"), "cannot be reached: check DATABRICKS_HOST"),
        (ImportError("databricks"), "needs the package databricks-sdk"),
    ],
)
def test_a_client_that_cannot_be_made_is_told(failure: Exception, sentence: str) -> None:
    """What the SDK raises while it looks for a workspace becomes one sentence."""

    def failing() -> WorkspaceClient:
        raise failure

    with pytest.raises(ReportError, match=sentence):
        list(Warehouse("w", "main.agents", failing).rows(NUMBERS))


def test_a_client_that_is_never_made_is_left() -> None:
    """The SDK may block for minutes while a client is made: nobody waits for it that long."""
    done = threading.Event()

    def blocking() -> WorkspaceClient:
        done.wait(60)
        raise ValueError

    with pytest.raises(ReportError, match="cannot be reached"):
        list(Warehouse("w", "main.agents", blocking, build_seconds=0.01).rows(NUMBERS))
    done.set()
