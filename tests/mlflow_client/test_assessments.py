"""The client for MLflow's assessments, on its SQLite store and over its tracking server."""

import json
import os
from dataclasses import replace

import mlflow
import pytest
from mlflow.entities import AssessmentSource
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracing.client import TracingClient
from mlflow.tracking import fluent

from agent_feedback.assessment_format import changed_at, is_marked
from agent_feedback.mlflow_client import assessments
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.bounded_store import bounded_store
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import (
    CORRECTION,
    Assessment,
    Content,
    Rating,
    RatingKey,
    StoredTrace,
    new_assessment_id,
)
from tests.support.rating import ANN, UNKNOWN_TRACE, assessments_of, stored_trace, value_of


@pytest.fixture(params=["tracking", "tracking_server"])
def client(request: pytest.FixtureRequest) -> Assessments:
    """Give the client, on each kind of real MLflow."""
    request.getfixturevalue(request.param)
    return Assessments(lambda: "ledger-1")


UP = Content(True)


def rating(trace_id: str, content: Content = UP, name: str = "user_feedback") -> Rating:
    """Build a rating of Ann's."""
    return Rating(RatingKey(trace_id, ANN, name), content, new_assessment_id(), changed_at=7)


def seen(client: Assessments, trace_id: str) -> Assessment:
    """Fetch the one assessment of a trace."""
    trace = client.fetch(trace_id)
    assert trace is not None
    (only,) = trace.assessments
    return only


def test_an_assessment_keeps_our_id_and_names_its_source(client: Assessments) -> None:
    """What is created has the id that was chosen, and reads back as it was written."""
    wanted = rating(stored_trace(), Content(0.8, "good", ("complete",)), "user_accuracy")
    assert client.create(wanted) == wanted.assessment_id
    found = seen(client, wanted.key.trace_id)
    assert found.assessment_id == wanted.assessment_id
    assert (found.kind, found.name, found.content) == ("feedback", "user_accuracy", wanted.content)
    assert (found.source_type, found.source_id) == ("HUMAN", ANN)
    assert (found.valid, found.on_trace, changed_at(found)) == (True, True, 7)
    assert is_marked(found)
    assert not client.is_foreign(found)
    assert Assessments(lambda: "ledger-2").is_foreign(found)
    (in_mlflow,) = assessments_of(wanted.key.trace_id)
    assert json.loads((in_mlflow.metadata or {})["agent_feedback.reasons"]) == ["complete"]


def test_several_traces_are_fetched_by_one_request(client: Assessments) -> None:
    """They are as each by itself; what MLflow does not know is left out."""
    first, second = rating(stored_trace()), rating(stored_trace())
    client.create(first)
    client.create(second)
    asked = [first.key.trace_id, UNKNOWN_TRACE, second.key.trace_id]
    one_by_one = {trace_id: client.fetch(trace_id) for trace_id in asked}
    assert one_by_one.pop(UNKNOWN_TRACE) is None
    assert client.fetch_many(asked) == one_by_one
    assert client.fetch_many(asked[:1]) == {}


def test_a_store_without_the_batch_request_is_asked_one_by_one(
    client: Assessments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Databricks: the answer is empty, nothing fails, and it is not asked again at once."""
    two = [stored_trace(), stored_trace()]
    store = type(bounded_store(mlflow.get_tracking_uri()))
    refused = []

    def refuse(self: object, trace_ids: list[str]) -> None:
        refused.append(trace_ids)
        raise MlflowException("", error_code=databricks_pb2.NOT_IMPLEMENTED)

    monkeypatch.setattr(store, "batch_get_trace_infos", refuse)
    assert client.fetch_many(two) == {}
    assert client.fetch_many(two) == {}
    assert len(refused) == 1
    monkeypatch.delattr(store, "batch_get_trace_infos")  # an older MLflow
    monkeypatch.setattr(assessments, "_ONE_BY_ONE_SECONDS", 0.0)
    assert Assessments(lambda: "ledger-1").fetch_many(two) == {}


def test_an_id_is_not_taken_twice(client: Assessments) -> None:
    """A repeated create fails at once, as one of unknown outcome, and makes no second row."""
    wanted = rating(stored_trace())
    client.create(wanted)
    with pytest.raises(StoreError) as refused:
        client.create(wanted)
    assert refused.value.failure is Failure.UNKNOWN
    assert len(assessments_of(wanted.key.trace_id)) == 1


def test_a_change_leaves_nothing_of_the_rating_before(client: Assessments) -> None:
    """Value, rationale and reasons are replaced; id and person stay."""
    first = rating(stored_trace(), Content(True, "good", ("complete",)))
    client.create(first)
    client.update(replace(first, content=Content(False), changed_at=8), first.assessment_id)
    found = seen(client, first.key.trace_id)
    assert found.assessment_id == first.assessment_id
    assert (found.content, changed_at(found)) == (Content(False), 8)
    assert (found.source_type, found.source_id) == ("HUMAN", ANN)


def test_a_correction_is_an_expectation(client: Assessments) -> None:
    """Created, changed and found as MLflow's own kind for what an answer should have been."""
    first = rating(stored_trace(), Content("16 KiB"), CORRECTION)
    client.create(first)
    client.update(replace(first, content=Content("32 KiB")), first.assessment_id)
    (found,) = assessments_of(first.key.trace_id)
    assert (found.name, value_of(found)) == ("expected_response", "32 KiB")
    assert seen(client, first.key.trace_id).kind == "expectation"


def test_deleting_twice_is_fine(client: Assessments) -> None:
    """What is gone already is gone."""
    first = rating(stored_trace())
    client.create(first)
    for _ in range(2):
        client.delete(first.key.trace_id, first.assessment_id)
    assert assessments_of(first.key.trace_id) == []


def test_what_is_not_there_is_told_apart(client: Assessments) -> None:
    """An unknown trace is None to a fetch, and not found to a write; so is a lost assessment."""
    assert client.fetch(UNKNOWN_TRACE) is None
    with pytest.raises(StoreError) as refused:
        client.create(rating(UNKNOWN_TRACE))
    assert refused.value.failure is Failure.NOT_FOUND
    with pytest.raises(StoreError) as refused:
        client.update(rating(stored_trace()), "a-lost")
    assert refused.value.failure is Failure.NOT_FOUND


def test_a_fetched_trace_has_the_mark_of_who_asked(client: Assessments) -> None:
    """Ownership comes with the trace, and is absent where nobody noted it."""
    marked = client.fetch(stored_trace(ANN, client_request_id="request-1"))
    assert marked is not None
    assert (marked.asker, marked.client_request_id) == (ANN, "request-1")
    unmarked = client.fetch(stored_trace(None))
    assert unmarked is not None
    assert (unmarked.asker, unmarked.assessments) == (None, ())


def test_other_clients_assessments_are_seen_for_what_they_are(client: Assessments) -> None:
    """Judges, overridden rows and spans' or runs' assessments can be told from a person's own."""
    trace_id = stored_trace()
    person = AssessmentSource(source_type="HUMAN", source_id="Ann@Example.com")
    first = mlflow.log_feedback(trace_id=trace_id, name="a", value=True, source=person)
    assert first.assessment_id is not None
    mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first.assessment_id, value=False, source=person
    )
    trace = mlflow.get_trace(trace_id)
    assert trace is not None
    span_id = trace.data.spans[0].span_id
    mlflow.log_feedback(trace_id=trace_id, name="b", value=1.5, span_id=span_id)
    run = {"mlflow.assessment.sourceRunId": "run-1"}
    mlflow.log_feedback(trace_id=trace_id, name="c", value="x", metadata=run)
    fetched = client.fetch(trace_id)
    assert fetched is not None
    rows = {
        (each.name, each.valid, each.on_trace, each.source_type) for each in fetched.assessments
    }
    assert rows == {
        ("a", False, True, "HUMAN"),
        ("a", True, True, "HUMAN"),
        ("b", True, False, "CODE"),
        ("c", True, False, "CODE"),
    }
    assert not any(is_marked(each) for each in fetched.assessments)


def test_traces_are_found_by_request_and_session(client: Assessments) -> None:
    """Newest first, within the active experiment, and never by letters that end a filter."""
    first = stored_trace(client_request_id="request-1", session_id="session-1")
    second = stored_trace(client_request_id="request-1", session_id="session-1")
    stored_trace(client_request_id="request-2", session_id="session-2")
    assert [each.trace_id for each in TraceSearch().by_request("request-1")] == [second, first]
    assert [each.trace_id for each in TraceSearch().by_session("session-1")] == [second, first]
    assert TraceSearch().by_request("request-9") == []
    for odd in ("x' OR '1'='1", "\\", "%", "session-_", "`", "\x00", "Zoë\N{GRINNING FACE}"):
        assert TraceSearch().by_session(odd) == []


def test_only_traces_of_the_active_experiment_are_local(client: Assessments) -> None:
    """What the store holds for other applications is told apart, wherever it is asked for."""
    here = fluent._active_experiment_id
    mlflow.set_experiment(f"elsewhere-{new_assessment_id()}")
    elsewhere = stored_trace()
    mlflow.set_experiment(experiment_id=here)
    for trace_id, is_home in ((stored_trace(), True), (elsewhere, False)):
        trace = client.fetch(trace_id)
        assert trace is not None
        assert TraceSearch().is_at_home(trace) is is_home


@pytest.mark.parametrize(
    ("home", "is_home"), [("main.support.agent", True), ("main.other.agent", False), (None, True)]
)
def test_in_unity_catalog_the_id_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch, home: str | None, is_home: bool
) -> None:
    """Another place is not at home; where ours is not known, its tables' grants decide."""
    search = TraceSearch()
    monkeypatch.setattr(search, "location", lambda: home)
    trace = StoredTrace(f"trace:/main.support.agent/{'0' * 32}", None, ANN)
    assert search.is_at_home(trace) is is_home


def test_this_experiment_keeps_no_traces_in_unity_catalog(client: Assessments) -> None:
    """A plain experiment has no location, and its store answers."""
    assert TraceSearch().location() is None
    assert client.is_there()


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize(
    ("raised", "failure"),
    [
        (MlflowException("x", databricks_pb2.RESOURCE_DOES_NOT_EXIST), Failure.NOT_FOUND),
        (MlflowException("x", databricks_pb2.PERMISSION_DENIED), Failure.REFUSED),
        (MlflowException("x", databricks_pb2.INVALID_PARAMETER_VALUE), Failure.IMPOSSIBLE),
        (MlflowException("x", databricks_pb2.ENDPOINT_NOT_FOUND), Failure.UNKNOWN),
        (MlflowException("x", databricks_pb2.REQUEST_LIMIT_EXCEEDED), Failure.BUSY),
        (MlflowException("x", databricks_pb2.INTERNAL_ERROR), Failure.UNKNOWN),
        (MlflowException("x", databricks_pb2.TEMPORARILY_UNAVAILABLE), Failure.UNKNOWN),
        (TimeoutError("s3cret"), Failure.UNKNOWN),
    ],
)
def test_a_failure_says_what_may_be_done_about_it(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, failure: Failure
) -> None:
    """MLflow's word becomes a meaning, and its text stays behind."""

    def fail(*_: object) -> None:
        raise raised

    store = bounded_store(mlflow.get_tracking_uri())
    monkeypatch.setattr(store, "create_assessment", fail, raising=True)
    with pytest.raises(StoreError) as refused:
        Assessments(lambda: "ledger-1").create(rating(UNKNOWN_TRACE))
    assert refused.value.failure is failure
    assert "s3cret" not in str(refused.value)


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize("reasons", ["not json", "5", '{"a": 1}', "null"])
def test_strange_metadata_breaks_no_fetch(reasons: str) -> None:
    """What another program wrote under our keys is read as nothing."""
    trace_id = stored_trace()
    metadata = {"agent_feedback.reasons": reasons, "agent_feedback.changed_at": reasons}
    mlflow.log_feedback(trace_id=trace_id, name="user_feedback", value=True, metadata=metadata)
    found = seen(Assessments(lambda: "ledger-1"), trace_id)
    assert found.content == Content(True)


@pytest.mark.usefixtures("tracking_server")
def test_nothing_process_wide_changes() -> None:
    """Other users of MLflow keep their patience: no variable, class or store of theirs changes."""
    environment = dict(os.environ)
    stock_method = RestStore._call_endpoint
    uri = mlflow.get_tracking_uri()
    bounded = bounded_store(uri)
    with pytest.raises(Exception, match="not found"):
        bounded.get_trace_info("tr-0")
    assert dict(os.environ) == environment
    assert RestStore._call_endpoint is stock_method
    stock = TracingClient(uri).store
    assert stock is not bounded
    assert stock._call_endpoint.__func__ is stock_method
