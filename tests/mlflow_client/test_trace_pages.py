"""Reading many traces page by page, and MLflow's own counts of them."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import mlflow
import pytest
from fastapi import FastAPI, Response
from mlflow.exceptions import MlflowException

from agent_feedback.mlflow_client import trace_pages
from agent_feedback.mlflow_client.bounded_store import READ_SECONDS, active_store
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.trace_pages import TracePages, has_assessment
from agent_feedback.model import TraceRecord
from tests.conftest import Serve
from tests.insight.mlflow_rows import store_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.mlflow_store import MlflowServer, Tracking

SINCE, UNTIL = 1_000, 2_000


@pytest.fixture(params=["SQLite", "mlflow server"])
def stored(request: pytest.FixtureRequest) -> Tracking:
    """Set MLflow up on SQLite, and on a server; `store_uri` says where its tables are."""
    name = "tracking" if request.param == "SQLite" else "tracking_server"
    found: Tracking = request.getfixturevalue(name)
    return found


@pytest.fixture
def store_uri(stored: Tracking, request: pytest.FixtureRequest) -> str:
    """Give the database that holds `stored`'s tables."""
    if stored.uri.startswith("sqlite"):
        return stored.uri
    server: MlflowServer = request.getfixturevalue("mlflow_server")
    return f"sqlite:///{server.log.with_name('mlflow.db')}"


def traces_at(moments: Sequence[int]) -> list[TraceSpec]:
    """Make a trace for each moment, of ids that no other test has."""
    return [TraceSpec(f"tr-{uuid.uuid4().hex}", moment) for moment in moments]


def rated(name: str, kind: Any = "feedback", *, valid: bool = True) -> TraceSpec:
    """Make a trace with one assessment."""
    assessment = AssessmentSpec(
        *(f"a-{uuid.uuid4().hex}", name, "HUMAN", "ann@x", True, 1, 2), kind=kind, valid=valid
    )
    return TraceSpec(f"tr-{uuid.uuid4().hex}", SINCE, assessments=(assessment,))


def read(pages: Iterator[list[TraceRecord]]) -> list[tuple[int, str]]:
    """Read all pages: when each trace began, and its id."""
    return [(trace.started_at, trace.trace_id) for trace in itertools.chain.from_iterable(pages)]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100, None])
def test_every_trace_of_the_window_comes_once_and_the_newest_first(
    stored: Tracking, store_uri: str, page_size: int | None
) -> None:
    """Neither a page's end nor many traces of one millisecond lose or double a trace."""
    inside = [1_000, 1_000, 1_001, *[1_500] * 8, 1_501, *[1_502] * 3, *[1_999] * 4]
    specs = traces_at([*inside, 999, 2_000, 2_000, 0])
    store_traces(store_uri, stored.experiment_id, specs)
    found = read(TracePages(page_size).search([stored.experiment_id], SINCE, UNTIL))
    assert [moment for moment, _ in found] == sorted(inside, reverse=True)
    assert {trace_id for _, trace_id in found} == {
        spec.trace_id for spec in specs if SINCE <= spec.started_at < UNTIL
    }


def test_traces_of_several_experiments_come_together(stored: Tracking, store_uri: str) -> None:
    """Several experiments are one stream, in the order of time; others' traces are not in it."""
    others = [mlflow.create_experiment(f"test-{uuid.uuid4()}") for _ in range(2)]
    for number, experiment in enumerate([stored.experiment_id, *others]):
        store_traces(store_uri, experiment, traces_at([1_100 + number, 1_200 + number]))
    pages = TracePages(2)
    found = read(pages.search([stored.experiment_id, others[0]], SINCE, UNTIL))
    assert [moment for moment, _ in found] == [1_201, 1_200, 1_101, 1_100]
    assert pages.count([stored.experiment_id, others[0]], SINCE, UNTIL) == 4


def test_an_empty_window_is_one_empty_page(stored: Tracking) -> None:
    """Nothing to find is no failure."""
    assert read(TracePages().search([stored.experiment_id], SINCE, UNTIL)) == []
    assert TracePages().count([stored.experiment_id], SINCE, UNTIL) == 0
    assert TracePages().assessment_names([stored.experiment_id]) == {}


def test_the_time_for_all_pages_is_not_that_of_offsets(
    stored: Tracking, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page asks the store to skip earlier ones, and there are as many as the traces need."""
    store_traces(store_uri, stored.experiment_id, traces_at(range(1_000, 1_050)))
    asked: list[dict[str, Any]] = []
    store = active_store(READ_SECONDS)
    search = store.search_traces

    def noted(**arguments: Any) -> Any:
        asked.append(arguments)
        return search(**arguments)

    monkeypatch.setattr(store, "search_traces", noted)
    assert len(read(TracePages(11).search([stored.experiment_id], SINCE, UNTIL))) == 50
    assert {call["page_token"] for call in asked} == {None}
    # Each page but the last repeats one trace of the page before.
    assert len(asked) == 5


def test_the_store_counts_the_window_to_the_millisecond(stored: Tracking, store_uri: str) -> None:
    """The first millisecond counts and the last does not, however a trace has ended."""
    specs = traces_at([999, 1_000, 1_500, 1_999, 2_000])
    store_traces(store_uri, stored.experiment_id, specs)
    unfinished = TraceSpec(f"tr-{uuid.uuid4().hex}", 1_600, duration_ms=None, state="IN_PROGRESS")
    store_traces(store_uri, stored.experiment_id, [unfinished])
    assert TracePages().count([stored.experiment_id], SINCE, UNTIL) == 4


def test_the_store_tells_the_names_of_assessments(stored: Tracking, store_uri: str) -> None:
    """Names are told whenever the trace began and whenever it was rated."""
    specs = [rated("user_a"), rated("user_b", "expectation"), rated("user_a")]
    store_traces(store_uri, stored.experiment_id, specs)
    assert TracePages().assessment_names([stored.experiment_id]) == {"user_a": 2, "user_b": 1}


@pytest.mark.parametrize("kind", ["feedback", "expectation"])
@pytest.mark.parametrize(
    "name", ["user_a", "User feedback", "user_it's", 'user_"a"', "user_a.b=c", "user_ü", "user_;--"]
)
def test_traces_are_found_by_the_name_of_an_assessment(
    tracking: Tracking, name: str, kind: Any
) -> None:
    """Whatever a name holds, the filter finds its traces, and none of another name or kind."""
    wanted, overridden = rated(name, kind), rated(name, kind, valid=False)
    other = "expectation" if kind == "feedback" else "feedback"
    store_traces(
        tracking.uri,
        tracking.experiment_id,
        [wanted, rated(f"{name}x", kind), rated(name, other), overridden],
    )
    condition = has_assessment(kind, name)
    assert condition is not None
    found = read(TracePages().search([tracking.experiment_id], SINCE, UNTIL, condition))
    # MLflow 3.10 also finds what was overridden; whoever counts looks at that anyway.
    assert {trace_id for _, trace_id in found} - {overridden.trace_id} == {wanted.trace_id}


@pytest.mark.parametrize("name", ["user_`a", "name", "Run_ID", "text", "timestamp"])
def test_a_name_that_the_filter_cannot_write_is_known(name: str) -> None:
    """MLflow would read these as something else, or not at all."""
    assert has_assessment("feedback", name) is None


def test_the_names_that_mlflow_takes_for_something_else_are_as_we_know_them() -> None:
    """A release that gives another name a meaning of its own fails here."""
    from mlflow.utils.search_utils import SearchTraceUtils

    tables = ("SEARCH_KEY_TO_TAG", "SEARCH_KEY_TO_METADATA", "SEARCH_KEY_TO_SPAN")
    taken = {
        name
        for table in (*tables, "SEARCH_KEY_TO_ATTRIBUTE")
        for name in getattr(SearchTraceUtils, table, {})
    }
    assert taken <= trace_pages._OTHER_THAN_NAMES


def test_assessments_that_do_not_count_are_read_too(stored: Tracking, store_uri: str) -> None:
    """What MLflow calls invalid comes with its trace, and says that it is."""
    store_traces(store_uri, stored.experiment_id, [rated("user_a", valid=False)])
    ((trace,),) = TracePages().search([stored.experiment_id], SINCE, UNTIL)
    assert [one.valid for one in trace.assessments] == [False]


@pytest.mark.parametrize("how", ["name", "id", "of the environment"])
def test_an_experiment_is_found(stored: Tracking, how: str) -> None:
    """An experiment is named by its name or id, or is the one that MLflow is set to."""
    named = {"name": stored.experiment_name, "id": stored.experiment_id}.get(how)
    assert TracePages().experiment(named) == (stored.experiment_id, stored.experiment_name)


@pytest.mark.parametrize("named", ["no such experiment", "987654321"])
@pytest.mark.usefixtures("stored")
def test_an_experiment_that_is_not_there_is_told(named: str) -> None:
    """Neither a name nor a number that MLflow does not know is taken for another failure."""
    with pytest.raises(StoreError) as failure:
        TracePages().experiment(named)
    assert failure.value.failure in (Failure.NOT_FOUND, Failure.IMPOSSIBLE)


def test_a_page_that_failed_is_asked_for_again(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short failure in the midst of a long reading does not end it."""
    store_traces(tracking.uri, tracking.experiment_id, traces_at([1_100]))
    store, pauses, failures = active_store(READ_SECONDS), list[float](), iter([1, 2])
    search = store.search_traces

    def sometimes(**arguments: Any) -> Any:
        if next(failures, None):
            raise MlflowException("away for a moment")
        return search(**arguments)

    monkeypatch.setattr(store, "search_traces", sometimes)
    pages = TracePages(pause=pauses.append)
    assert len(read(pages.search([tracking.experiment_id], SINCE, UNTIL))) == 1
    assert pauses == [1, 2]


def test_a_page_without_traces_that_is_not_the_last_is_no_end(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers with an empty page and a token, as its API allows, is asked further."""
    store_traces(tracking.uri, tracking.experiment_id, traces_at([1_100, 1_200]))
    store = active_store(READ_SECONDS)
    search = store.search_traces

    def hesitating(**arguments: Any) -> Any:
        if arguments["page_token"] is None:
            return [], "begin"
        return search(**(arguments | {"page_token": None}))

    monkeypatch.setattr(store, "search_traces", hesitating)
    assert len(read(TracePages().search([tracking.experiment_id], SINCE, UNTIL))) == 2


def test_a_server_that_is_away_is_given_up(
    own_mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, connections: list[object]
) -> None:
    """It is asked a few times, with short pauses, and no more."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_mlflow_server.url)
    mlflow.set_tracking_uri(own_mlflow_server.url)
    pauses: list[float] = []
    try:
        with pytest.raises(StoreError) as failure:
            TracePages(pause=pauses.append).experiment("any")
    finally:
        mlflow.set_tracking_uri("")
    assert failure.value.failure is Failure.UNKNOWN
    assert (len(connections), pauses) == (3, [1, 2])


def test_what_a_store_cannot_count_is_unknown(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without the metrics route (here it is taken away) gives no count, and no failure."""

    def lacking(**arguments: Any) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(active_store(READ_SECONDS), "query_trace_metrics", lacking)
    assert TracePages().count([tracking.experiment_id], SINCE, UNTIL) is None
    assert TracePages().assessment_names([tracking.experiment_id]) is None


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_the_route_lacks_it(serve: Serve, status: int) -> None:
    """MLflow's own server says 405 where another method of such a path is known, and no JSON."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    def answer(path: str) -> Response:
        return Response("<p>Method Not Allowed</p>", status, media_type="text/html")

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(serve(app))
    try:
        pages = TracePages(pause=lambda seconds: None)
        assert pages.count(["1"], 0, 1) is None
        assert pages.assessment_names(["1"]) is None
    finally:
        mlflow.set_tracking_uri(before)
