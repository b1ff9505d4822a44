"""The commands over traces in Unity Catalog: a FAKE workspace, whose warehouse executes the SQL."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent_feedback.cli import main
from agent_feedback.insight import report
from tests.insight.realistic import realistic_traces
from tests.support.fake_warehouse import FakeWarehouse, running_fake_warehouse
from tests.support.warehouse_tables import create_trace_tables

UNTIL = 1_772_368_200_000
WINDOW = ("--since", "21d", "--until", "2026-03-01T12:30:00Z")
TABLES = "main.support.agent"

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def served() -> Iterator[FakeWarehouse]:
    """Serve a workspace with three weeks of ratings."""
    with running_fake_warehouse() as warehouse:
        create_trace_tables(
            warehouse, realistic_traces(UNTIL, traces=600), "main", "support", "agent"
        )
        yield warehouse


@pytest.fixture
def fake(served: FakeWarehouse, monkeypatch: pytest.MonkeyPatch) -> FakeWarehouse:
    """Name the workspace in the environment; what a test changes of it is undone."""
    monkeypatch.setenv("DATABRICKS_HOST", served.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", "a-token")
    monkeypatch.setenv("MLFLOW_TRACING_SQL_WAREHOUSE_ID", served.warehouse_id)
    return served


@pytest.fixture
def run() -> Run:
    """Run the report over the tables."""
    return lambda *words: CliRunner().invoke(main, ["report", "--tables", TABLES, *WINDOW, *words])


def test_the_report_is_made_by_the_warehouse(fake: FakeWarehouse, run: Run) -> None:
    """In every form, from the command and from Python."""
    result = run("--format", "json", "--by", "version")
    assert result.exit_code == 0, result.output
    counted = json.loads(result.stdout)
    assert counted["source"] == "warehouse"
    assert counted["headline"]["rated_traces"] > 20
    made = report(tables=TABLES, since="21d", until="2026-03-01T12:30:00Z", by="version")
    assert made.to_dict() | {"made_at": ""} == counted | {"made_at": ""}
    assert run("--format", "csv").exit_code == 0


def test_a_gate_works_there_too(fake: FakeWarehouse, run: Run) -> None:
    """With the same exit codes."""
    assert run("--fail-under", "positive_rate=0.1").exit_code == 0
    assert run("--fail-under", "positive_rate=1").exit_code == 3
    assert run("--fail-under", "dimension:tone=0.5").exit_code == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"deleted": True}, "warehouse"),
        ({"forbidden": "warehouse"}, "CAN USE"),
        ({"forbidden": "table"}, "SELECT"),
    ],
)
def test_what_fails_is_one_sentence(
    fake: FakeWarehouse,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    said: str,
) -> None:
    """Exit code 1, and what to do."""
    for name, value in change.items():
        monkeypatch.setattr(fake, name, value)
    result = run()
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


def test_tables_that_are_not_there_are_one_sentence(fake: FakeWarehouse) -> None:
    """It names them."""
    result = CliRunner().invoke(main, ["report", "--tables", "main.support.other"])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "main.support.other" in result.stderr


@pytest.mark.parametrize("tables", ["support", "a.b.c.d", "a.b;DROP TABLE x", ""])
def test_a_name_that_is_none_is_a_wrong_option(fake: FakeWarehouse, tables: str) -> None:
    """Exit code 2, before anything is asked."""
    asked = len(fake.statements)
    result = CliRunner().invoke(main, ["report", "--tables", tables])
    assert result.exit_code == 2
    assert len(fake.statements) == asked


def test_a_dashboard_is_written(fake: FakeWarehouse, tmp_path: Path) -> None:
    """It is JSON with the statements of its charts; without tables there is none."""
    target = tmp_path / "ratings.lvdash.json"
    words = ["dashboard", "--tables", TABLES, "--output", str(target)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    written = json.loads(target.read_text(encoding="utf-8"))
    assert len(written["datasets"]) == 3
    assert CliRunner().invoke(main, ["dashboard"]).exit_code == 2
