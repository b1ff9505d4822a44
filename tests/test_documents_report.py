"""docs/report.md: its commands and its code are run on three weeks of ratings."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from agent_feedback.cli import main
from agent_feedback.insight.formats.json_form import json_schema
from tests.insight.mlflow_rows import store_traces
from tests.insight.realistic import realistic_traces
from tests.support.documents import PROJECT, blocks, commands

DOCUMENT = "docs/report.md"


@pytest.fixture(scope="module")
def rated_store(
    empty_mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Store ratings up to now in the experiment of the document, and set MLflow up on it."""
    folder = tmp_path_factory.mktemp("report")
    store = folder / "mlflow.db"
    shutil.copy(empty_mlflow_store, store)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    experiment = mlflow.create_experiment("agent_app", artifact_location=str(folder))
    traces = realistic_traces(int(time.time() * 1000), traces=1_500)
    store_traces(f"sqlite:///{store}", experiment, traces)
    yield store
    mlflow.set_tracking_uri(before)


def test_its_commands_do_what_it_says(rated_store: Path) -> None:
    """The report is printed; the gate ends with one of the codes that the document lists."""
    report, gate = (each.line.split()[1:] for each in commands(DOCUMENT))
    done = CliRunner().invoke(main, report)
    assert done.exit_code == 0, done.output
    assert "thumbs are positive" in done.stdout.splitlines()[0]
    assert CliRunner().invoke(main, gate).exit_code in (0, 3, 4)


def test_its_code_runs(rated_store: Path) -> None:
    """What is used of the report in Python is there."""
    (code,) = (each.text for each in blocks(DOCUMENT) if each.language == "python")
    names: dict[str, object] = {}
    exec(compile(code, DOCUMENT, "exec"), names)
    assert "<html" in str(names["page"])


def test_every_part_of_the_report_is_explained() -> None:
    """Each member of the JSON is named, or its part has a heading."""
    text = (PROJECT / DOCUMENT).read_text(encoding="utf-8").lower()
    plain = {"schema", "made_at", "experiments", "window", "source", "previous", "gate"}
    for member in json_schema()["properties"].keys() - plain:
        assert member.replace("_", " ") in text, member
