"""``agent-feedback report``: its forms, its exit codes, and one sentence for each error."""

import io
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from agent_feedback.cli import main
from agent_feedback.insight import ReportError, report
from tests.insight.mlflow_rows import store_traces
from tests.insight.realistic import realistic_traces
from tests.support.mlflow_store import Tracking

UNTIL = 1_772_368_200_000
WINDOW = ("--since", "7d", "--until", "2026-03-01T12:30:00Z")

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run the command with a window that the traces of `rated` are in."""
    return lambda *words: CliRunner().invoke(main, ["report", *WINDOW, *words])


@pytest.fixture(scope="module")
def rated_store(empty_mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Store three weeks of traces and ratings in a store's first experiment."""
    path = tmp_path_factory.mktemp("rated") / "mlflow.db"
    shutil.copy(empty_mlflow_store, path)
    store_traces(f"sqlite:///{path}", "0", realistic_traces(UNTIL, traces=1_500))
    return f"sqlite:///{path}"


@pytest.fixture
def rated(rated_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set MLflow up on the store with ratings."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    with tracking_uri(rated_store):
        yield


@contextmanager
def tracking_uri(uri: str) -> Iterator[None]:
    """Point MLflow at a store, as its environment variable does."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def json_of(result: Result) -> Any:
    """Return the report that was printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_is_what_the_schema_says(rated: None, run: Run) -> None:
    """The schema that ships takes the report, and no member that is not in it."""
    schema = json.loads(run("--schema").stdout)
    counted = json_of(run("--format", "json", "--by", "version", "--compare", "version=m-1..m-2"))
    check = jsonschema_rs.Draft202012Validator(schema)
    check.validate(counted)
    assert counted["schema"] == "agent-feedback/report/1"
    assert not check.is_valid(counted | {"more": 1})
    assert not check.is_valid({name: counted[name] for name in counted if name != "headline"})
    assert counted["headline"]["rated_traces"] > 30


def test_a_gate_is_in_the_schema_too(rated: None, run: Run) -> None:
    """So is a report of nothing."""
    schema = jsonschema_rs.Draft202012Validator(json.loads(run("--schema").stdout))
    schema.validate(json_of(run("--format", "json", "--fail-under", "positive_rate=0.1")))
    nothing = ["--since", "1h", "--until", "2020-01-01", "--format", "json"]
    schema.validate(json_of(CliRunner().invoke(main, ["report", *nothing])))


def test_the_python_function_returns_the_same(rated: None, run: Run) -> None:
    """``report`` takes the options of the command; its forms are those of the command."""
    made = report(since="7d", until="2026-03-01T12:30:00Z", by="version")
    printed = json_of(run("--format", "json", "--by", "version"))
    assert made.to_dict() | {"made_at": ""} == printed | {"made_at": ""}
    assert "<html" in made.to_html()
    frame = made.to_pandas()
    assert list(frame[frame.part == "group"].key) == ["m-2"]
    assert frame.traces.iloc[0] == made.headline.traces


def test_the_table_begins_with_what_a_manager_wants_to_know(rated: None, run: Run) -> None:
    """It fits 100 columns."""
    result = run()
    assert result.exit_code == 0
    assert "positive" in result.stdout.splitlines()[0]
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_csv_has_a_row_for_each_rating(rated: None, run: Run) -> None:
    """As many thumbs as the report counts."""
    rows = pd.read_csv(io.StringIO(run("--format", "csv").stdout))
    headline = json_of(run("--format", "json"))["headline"]
    thumbs = rows[rows["name"] == "user_feedback"]
    assert len(thumbs) == headline["positive"] + headline["negative"]
    assert set(rows.version) == {"m-2"}


@pytest.mark.parametrize("form", ["table", "json", "csv", "html", "markdown"])
def test_a_file_is_written_whole_or_not_at_all(
    rated: None, run: Run, tmp_path: Path, form: str
) -> None:
    """What stood there before is replaced once the report is made; nothing else is left."""
    folder = tmp_path / "reports"
    folder.mkdir()
    target = folder / "report"
    target.write_text("before")
    failed = run("--format", form, "--output", str(target), "--experiment", "no such")
    assert failed.exit_code == 1
    assert target.read_text() == "before"
    assert run("--format", form, "--output", str(target)).exit_code == 0
    assert target.read_text() not in ("", "before")
    assert list(folder.iterdir()) == [target]


def test_a_file_that_cannot_be_written_is_one_sentence(rated: None, run: Run) -> None:
    """It names the file and the reason."""
    result = run("--output", "/nowhere/report.html")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: /nowhere/report.html cannot be written: No such file or directory.\n"
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-under", "positive_rate=0.1"], 0),
        (["--fail-under", "positive_rate=1"], 3),
        (["--fail-under", "dimension:tone=0.1"], 4),
        (["--fail-under", "dimension:tone=0.1", "--fail-under", "positive_rate=1"], 3),
        (["--fail-under", "positive_rate=0.1", "--min-count", "100000"], 4),
        (["--fail-if-worse"], 0),
        (["--fail-under", "positive_rate=1", "--format", "csv"], 3),
        (["--fail-under", "positive_rate=1", "--sequential"], 3),
    ],
)
def test_a_gate_ends_with_its_code(rated: None, run: Run, options: list[str], code: int) -> None:
    """The report is written all the same, and the standard error stream says what is not met."""
    result = run(*options)
    assert result.exit_code == code
    assert len(result.stdout.splitlines()) > 5
    assert bool(result.stderr) == (code != 0)


@pytest.mark.parametrize(
    "options",
    [
        *(["--since", "yesterday"], ["--until", "soon"], ["--by", "colour"], ["--compare", "x"]),
        *(["--compare", "version=a..a"], ["--fail-under", "speed=1"], ["--min-count", "0"]),
        *(["--alias", "User feedback"], ["--format", "pdf"], ["--warehouse-id", "w-1"]),
        *(["--tables", "main.support"], ["--no-such-option"], ["--experiment", ""]),
        *(["--by", ""], ["--link-base", "mlflow.example.com"]),
    ],
)
def test_a_wrong_option_is_one_sentence(tracking: Tracking, run: Run, options: list[str]) -> None:
    """Exit code 2; the last line says what is wrong."""
    result = run(*options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_an_experiment_that_does_not_exist_is_one_sentence(tracking: Tracking, run: Run) -> None:
    """Exit code 1; it names the experiment, and Python raises the same."""
    result = run("--experiment", "no such")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "no such" in result.stderr
    with pytest.raises(ReportError, match="no such"):
        report(experiments=["no such"])


@pytest.mark.parametrize("form", ["table", "json", "csv", "html", "markdown"])
def test_a_store_without_ratings_gets_a_report_that_says_how_to_get_some(
    tracking: Tracking, run: Run, form: str
) -> None:
    """No traces at all, or none that anybody rated: exit code 0 in each form."""
    assert run("--format", form).exit_code == 0
    # Ids are unique in a store, and the experiment's is this test's own.
    made = realistic_traces(UNTIL, traces=60, seed=int(tracking.experiment_id))
    specs = [spec for spec in made if not spec.assessments]
    store_traces(tracking.uri, tracking.experiment_id, specs)
    result = run("--format", form)
    assert result.exit_code == 0
    if form != "csv":
        assert "agent-feedback" in result.stdout


def test_a_missing_file_of_traces_is_not_made(run: Run, tmp_path: Path) -> None:
    """A mistyped tracking URI must not make a new, empty store, in which nobody rates."""
    with tracking_uri(f"sqlite:///{tmp_path}/slip.db"):
        result = run()
    assert result.exit_code == 1
    assert "slip.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_written_to(rated: None, run: Run, tmp_path: Path) -> None:
    """A device stays one; a link stays, and its file is written; a file keeps who may read it."""
    device = stat.S_IFMT(Path("/dev/null").stat().st_mode)
    assert run("--output", "/dev/null").exit_code == 0
    assert stat.S_IFMT(Path("/dev/null").stat().st_mode) == device
    target, link = tmp_path / "report.txt", tmp_path / "link"
    target.touch(mode=0o600)
    link.symlink_to(target)
    assert run("--output", str(link)).exit_code == 0
    assert link.is_symlink()
    assert target.stat().st_size > 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_has_no_password(rated: None, run: Run) -> None:
    """A page is passed on, and the tracking server's password is not."""
    base = "https://bob:hunter2@mlflow.example.com/team?x=1"
    printed = run("--format", "html", "--link-base", base).stdout
    assert "hunter2" not in printed
    assert "https://mlflow.example.com/team/#/experiments/0/traces" in printed
