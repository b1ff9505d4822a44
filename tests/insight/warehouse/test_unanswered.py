"""What a warehouse does not answer to its end is no report, and one sentence says why."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent_feedback.cli import main
from agent_feedback.insight.definitions.window import iso
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.warehouse.source import WarehouseSource
from tests.insight.realistic import realistic_traces
from tests.insight.warehouse.conftest import TABLES
from tests.insight.warehouse.stored import PLAIN, UNTIL, store
from tests.support.fake_warehouse import FOR_EVER, FakeWarehouse

MakeSource = Callable[..., WarehouseSource]


@pytest.mark.parametrize(
    ("changed", "sentence", "state"),
    [
        ({"pending_polls": FOR_EVER}, "did not begin within 60 s", "CANCELED"),
        ({"running_polls": FOR_EVER}, "took longer than 60 s and was cancelled", "CANCELED"),
        (
            {"running_polls": 2, "fails_while_running": "[OUT_OF_MEMORY] bob@x.org\n  at row 7"},
            r"could not execute a statement over main\.agents\.bot \(error class OUT_OF_MEMORY\)",
            "FAILED",
        ),
        ({"rows_per_chunk": 2, "broken_chunk": 1}, "The workspace could not answer", "SUCCEEDED"),
        ({"rows_per_chunk": 2, "closed_chunk": 1}, "is no longer there", "SUCCEEDED"),
    ],
)
def test_a_warehouse_that_does_not_answer_to_the_end_is_one_sentence(
    fake: FakeWarehouse,
    source: MakeSource,
    changed: dict[str, object],
    sentence: str,
    state: str,
) -> None:
    """Neither half a report nor half of the rows passes for all; what still executes is ended."""
    store(fake, tuple(realistic_traces(UNTIL, traces=200)))
    asked = source()
    asked.view()
    for name, value in changed.items():
        setattr(fake, name, value)
    for ask in (asked.aggregate, lambda options: list(asked.ratings(options))):
        fake.statements.clear()
        with pytest.raises(ReportError, match=sentence) as failed:
            ask(PLAIN)
        told = str(failed.value)
        assert (len(told.splitlines()), told[-1], "bob" in told) == (1, ".", False)
        assert [seen.state for seen in fake.statements] == [state]


@pytest.mark.parametrize(
    "part", ["Assessments by class", "Each judge beside", "All ratings of the newest"]
)
def test_a_report_that_fails_halfway_is_one_sentence(
    fake: FakeWarehouse, source: MakeSource, part: str
) -> None:
    """What was counted before one of its later statements failed is no report."""
    store(fake, tuple(realistic_traces(UNTIL, traces=200)))
    fake.running_polls, fake.refusals = 1, {part: "[DIVIDE_BY_ZERO] bob@x.org"}
    with pytest.raises(ReportError, match=r"\(error class DIVIDE_BY_ZERO\): its query history"):
        source().aggregate(PLAIN)
    assert part in fake.texts()[-1]


@pytest.mark.parametrize("form", ["table", "csv"])
def test_the_command_says_what_failed(
    fake: FakeWarehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    """It exits with 1 and one sentence, and writes no file, where a result breaks off."""
    store(fake, tuple(realistic_traces(UNTIL, traces=200)))
    monkeypatch.setenv("DATABRICKS_HOST", fake.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", "a-token")
    window = ("--since", "14d", "--until", iso(UNTIL))
    words = ("--tables", TABLES, "--warehouse-id", fake.warehouse_id, "--format", form)
    file = tmp_path / "report"
    fake.rows_per_chunk, fake.broken_chunk = 20, 1
    result = CliRunner().invoke(main, ["report", *words, *window, "--output", str(file)])
    assert result.exit_code == 1
    assert result.stderr == "Error: The workspace could not answer: try again in a few minutes.\n"
    assert list(tmp_path.iterdir()) == []
