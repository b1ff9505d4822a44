"""The source that reads an MLflow tracking store."""

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND, INVALID_PARAMETER_VALUE, ErrorCode

from agent_feedback.insight.definitions.aggregates import Aggregates
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.sources import mlflow_source
from agent_feedback.insight.sources.counting import TraceCounter
from agent_feedback.insight.sources.mlflow_source import MlflowSource, _asked, rating_rows
from agent_feedback.mlflow_client.bounded_store import READ_SECONDS, active_store
from agent_feedback.mlflow_client.trace_pages import TracePages, has_assessment
from agent_feedback.model import TraceRecord
from tests.insight.mlflow_rows import store_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.mlflow_store import MlflowServer, Tracking

DAY = 86_400_000
WINDOW = Window(20_000 * DAY, 20_001 * DAY)
OPTIONS = ReportOptions(
    window=WINDOW,
    by=trace_key("session"),
    aliases={"User feedback": "user_feedback", "answer": "expected_response", "user_x": "mine"},
    developers=frozenset({"dev@x"}),
    excluded=frozenset({"bot"}),
)
NAMES = (
    *("user_feedback", "user_feedback", "user_accuracy", "user_comment", "User feedback"),
    *("expected_response", "answer", "user_x", "implicit_copy", "correct", "user_it's odd"),
)


@pytest.fixture(params=["SQLite", "mlflow server"])
def stored(request: pytest.FixtureRequest) -> Tracking:
    """Set MLflow up with many odd traces, of this window and the days around it."""
    name = "tracking" if request.param == "SQLite" else "tracking_server"
    tracking: Tracking = request.getfixturevalue(name)
    store_uri = tracking.uri
    if name == "tracking_server":
        server: MlflowServer = request.getfixturevalue("mlflow_server")
        store_uri = f"sqlite:///{server.log.with_name('mlflow.db')}"
    store_traces(store_uri, tracking.experiment_id, specs(random.Random(13)))
    return tracking


def specs(chance: random.Random) -> Iterator[TraceSpec]:
    """Make traces that differ in everything, many of them at the same few moments."""
    for _ in range(250):
        started_at = WINDOW.since + chance.choice([-DAY - 1, -DAY, -9, -1, 0, 7, 7, DAY - 1, DAY])
        session = chance.choice([{}, {"mlflow.trace.session": chance.choice("abc")}])
        yield TraceSpec(
            f"tr-{uuid.UUID(int=chance.getrandbits(128)).hex}-{uuid.uuid4().hex[:8]}",
            started_at,
            duration_ms=chance.choice([None, 10, 2_500]),
            state=chance.choice(["OK", "ERROR", "IN_PROGRESS"]),
            metadata=session,
            assessments=tuple(
                assessment(chance, started_at) for _ in range(chance.choice([0, 0, 1, 2, 4]))
            ),
        )


def assessment(chance: random.Random, started_at: int) -> AssessmentSpec:
    """Make an assessment that may be anybody's, and may not count."""
    created_at = started_at + chance.randrange(3 * DAY)
    kind: Literal["feedback", "expectation"] = chance.choice(
        ["feedback", "feedback", "expectation"]
    )
    return AssessmentSpec(
        f"a-{uuid.uuid4().hex}",
        chance.choice(NAMES),
        chance.choice(["HUMAN", "HUMAN", "HUMAN", "LLM_JUDGE", "CODE"]),
        chance.choice(["ann@x", "ANN@x", "bob", "anonymous", "dev@x", "bot"]),
        chance.choice([True, False, "yes", 0.4, 1, 7, "text", {"a": None}, [1]]),
        created_at,
        created_at + chance.randrange(9),
        kind=kind,
        rationale=chance.choice([None, "words"]),
        metadata=chance.choice([{}, {"agent_feedback.ledger": "l"}, {"mlflow.trace.session": "a"}]),
        # MLflow 3.17's client drops what its server says of an expectation: it is always valid.
        valid=chance.choice([None, True, True, False]) if kind == "feedback" else None,
        span_id=chance.choice([None, None, None, "f" * 16]),
        run_id=chance.choice([None, None, None, "r"]),
    )


def counted_one_by_one(tracking: Tracking, window: Window) -> Aggregates:
    """Count every trace of a window that MLflow has, without a filter or a page's end."""
    counter = TraceCounter(replace(OPTIONS, window=window))
    for trace in every_trace(tracking, window):
        counter.add(trace)
    return counter.aggregates()


def every_trace(tracking: Tracking, window: Window) -> list[TraceRecord]:
    """Read the traces of a window, newest first, then by id."""
    pages = TracePages(500).search([tracking.experiment_id], 0, 2 * WINDOW.until)
    inside = [
        trace for page in pages for trace in page if window.since <= trace.started_at < window.until
    ]
    return sorted(inside, key=lambda trace: (-trace.started_at, trace.trace_id))


def take_away_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store, which is real otherwise, have no metrics route."""

    def lacking(**arguments: Any) -> Any:
        raise MlflowException("no such route", ENDPOINT_NOT_FOUND)

    monkeypatch.setattr(active_store(READ_SECONDS), "query_trace_metrics", lacking)


def take_away_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store, which is real otherwise, refuse to filter by assessments."""
    search = active_store(READ_SECONDS).search_traces

    def refusing(**arguments: Any) -> Any:
        if "IS NOT NULL" in arguments["filter_string"]:
            raise MlflowException("no such filter", INVALID_PARAMETER_VALUE)
        return search(**arguments)

    monkeypatch.setattr(active_store(READ_SECONDS), "search_traces", refusing)


def leave_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the store as it is."""


STORES = pytest.mark.parametrize("lacking", [leave_all, take_away_metrics, take_away_filter])


@STORES
@pytest.mark.parametrize("page_size", [16, None])
def test_a_headline_is_that_of_all_traces(
    stored: Tracking,
    lacking: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    page_size: int | None,
) -> None:
    """Counting what the filter finds gives what counting every trace gives."""
    lacking(monkeypatch)
    source = MlflowSource([stored.experiment_name], TracePages(page_size))
    for window in (WINDOW, WINDOW.previous):
        counted = counted_one_by_one(stored, window)
        assert source.headline(OPTIONS, window) == counted.total
        assert counted.total.rated_traces > 5


@STORES
@pytest.mark.parametrize("page_size", [16, None])
def test_the_aggregates_are_those_of_all_traces(
    stored: Tracking,
    lacking: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    page_size: int | None,
) -> None:
    """Everything is counted in one pass over this window, and the headline of the one before."""
    lacking(monkeypatch)
    told: list[tuple[str, int, int | None]] = []
    source = MlflowSource((), TracePages(page_size))
    counts = source.aggregate(OPTIONS, lambda *progress: told.append(progress))
    expected = counted_one_by_one(stored, WINDOW)
    expected.previous = counted_one_by_one(stored, WINDOW.previous).total
    assert counts == expected
    traces = counts.total.traces
    assert told[0][1] == 0
    assert told[-2][1:] == (traces, None if lacking is take_away_metrics else traces)
    assert told[-1][0] == "Reading the window before"


@STORES
@pytest.mark.parametrize("page_size", [16, None])
def test_ratings_come_in_order(
    stored: Tracking,
    lacking: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    page_size: int | None,
) -> None:
    """Every rating comes once: by trace, the newest first, then by name and person."""
    lacking(monkeypatch)
    expected = [row for trace in every_trace(stored, WINDOW) for row in rating_rows(trace, OPTIONS)]
    assert list(MlflowSource((), TracePages(page_size)).ratings(OPTIONS)) == expected
    assert len({row.name for row in expected}) > 2


def test_no_trace_is_asked_for_by_itself(stored: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report makes as many calls as there are pages, names and counts: none for each trace."""
    asked: list[str] = []
    stores = {"get_experiment": active_store()}
    for name in ("search_traces", "query_trace_metrics", "get_experiment"):
        store = stores.get(name, active_store(READ_SECONDS))
        call = getattr(store, name)

        def noted(*arguments: Any, name: str = name, call: Any = call, **named: Any) -> Any:
            asked.append(name)
            return call(*arguments, **named)

        monkeypatch.setattr(store, name, noted)
    for name in ("get_trace", "get_trace_info", "batch_get_traces", "batch_get_trace_infos"):
        monkeypatch.setattr(active_store(READ_SECONDS), name, None)
    # Nearly all of these traces are rated: else, all would be read for the window before too.
    monkeypatch.setattr(mlflow_source, "_MANY_RATINGS", 100)
    counts = MlflowSource().aggregate(OPTIONS)
    assert counts.total.traces > 50
    # All traces, and of the window before: `user_feedback`, `User feedback`, `user_accuracy`,
    # `user_comment` and the odd one as feedback and expectation; `expected_response`, `answer`.
    assert asked.count("search_traces") == 1 + 5 * 2 + 2
    # The traces of both windows and all of them, and the names of assessments.
    assert asked.count("query_trace_metrics") == 4
    assert asked.count("get_experiment") == 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["correct", "implicit_copy", "mine"], []),
        (["user_a"], ["feedback.`user_a` IS NOT NULL", "expectation.`user_a` IS NOT NULL"]),
        (["expected_response"], ["expectation.`expected_response` IS NOT NULL"]),
        (["answer"], ["expectation.`answer` IS NOT NULL"]),
        (["user_x"], []),
        (["user_`a"], None),
        ([f"user_{number}" for number in range(26)], None),
    ],
)
def test_only_names_that_can_be_an_end_users_are_searched(
    names: list[str], expected: list[str] | None
) -> None:
    """Aliases count as what they stand for; without a filter, all traces have to be read."""
    asked = _asked(names, OPTIONS.aliases)
    found = None if asked is None else [has_assessment(*one) for one in asked]
    assert found == expected


def test_where_most_traces_are_rated_all_are_read_once(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for each name would read every trace several times."""
    store_traces(tracking.uri, tracking.experiment_id, specs(random.Random(3)))
    source = MlflowSource()
    few = source.headline(OPTIONS, OPTIONS.window)
    monkeypatch.setattr(mlflow_source, "_MANY_RATINGS", 0)
    asked: list[str] = []
    search = active_store(READ_SECONDS).search_traces

    def seen(*, filter_string: str, **arguments: Any) -> Any:
        asked.append(filter_string)
        return search(filter_string=filter_string, **arguments)

    monkeypatch.setattr(active_store(READ_SECONDS), "search_traces", seen)
    assert source.headline(OPTIONS, OPTIONS.window) == few
    assert len(asked) == 1
    assert "NULL" not in asked[0]


@pytest.mark.parametrize("name", ["user_`a", "user_a"])
def test_a_rating_is_found_whatever_its_name_holds(tracking: Tracking, name: str) -> None:
    """Where the filter cannot write a name, the headline counts by reading all traces."""
    rating = AssessmentSpec(f"a-{uuid.uuid4().hex}", name, "HUMAN", "ann@x", 0.4, 1, 2)
    spec = TraceSpec(f"tr-{uuid.uuid4().hex}", WINDOW.since, assessments=(rating,))
    store_traces(tracking.uri, tracking.experiment_id, [spec])
    assert MlflowSource().headline(OPTIONS, WINDOW).ratings == {name: {("ann@x", 0.4): 1}}


def test_experiments_are_named_once(stored: Tracking) -> None:
    """An experiment that is named twice, by name and id, is counted once."""
    found = MlflowSource([stored.experiment_name, stored.experiment_id]).experiments()
    assert [(one.id, one.name) for one in found] == [(stored.experiment_id, stored.experiment_name)]


def test_an_experiment_that_is_not_there_is_named(stored: Tracking) -> None:
    """The sentence says which experiment MLflow does not have."""
    with pytest.raises(ReportError, match="no experiment whose name or id is nowhere: "):
        MlflowSource(["nowhere"]).experiments()


def test_an_environment_that_names_no_experiment_is_told(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment names and MLflow does not have is one sentence too."""
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "nowhere")
    with pytest.raises(ReportError, match="set MLFLOW_EXPERIMENT_NAME to one that does"):
        MlflowSource().headline(OPTIONS, WINDOW)


@pytest.mark.parametrize("method", ["experiments", "headline", "aggregate", "ratings"])
def test_a_server_that_is_away_is_one_sentence(
    own_mlflow_server: MlflowServer, method: str
) -> None:
    """Whatever is asked first says that MLflow does not answer, and how to go on."""
    arguments: dict[str, tuple[Any, ...]] = {"headline": (OPTIONS, WINDOW), "experiments": ()}
    mlflow.set_tracking_uri(own_mlflow_server.url)
    source = MlflowSource(["any"], TracePages(pause=lambda seconds: None))
    try:
        with pytest.raises(
            ReportError, match=r"did not answer as it should: .* MLFLOW_TRACKING_URI"
        ):
            list(getattr(source, method)(*arguments.get(method, (OPTIONS,))))
    finally:
        mlflow.set_tracking_uri("")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("PERMISSION_DENIED", "ask for the permission"),
        ("UNAUTHENTICATED", "sign in again"),
        ("REQUEST_LIMIT_EXCEEDED", "fewer requests"),
        ("INVALID_PARAMETER_VALUE", r"MLflow 3\.10 or newer"),
        ("ENDPOINT_NOT_FOUND", r"MLflow 3\.10 or newer"),
        ("RESOURCE_DOES_NOT_EXIST", "no longer has the experiment"),
        ("INTERNAL_ERROR", "did not answer as it should"),
    ],
)
def test_a_search_that_fails_says_what_to_do(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, code: str, sentence: str
) -> None:
    """Each failure is a sentence of ours, without what the server said."""

    def failing(**arguments: Any) -> Any:
        raise MlflowException("token=secret", ErrorCode.Value(code))

    monkeypatch.setattr(active_store(READ_SECONDS), "search_traces", failing)
    source = MlflowSource((), TracePages(pause=lambda seconds: None))
    with pytest.raises(ReportError, match=sentence) as failure:
        source.aggregate(OPTIONS)
    assert "secret" not in str(failure.value)
