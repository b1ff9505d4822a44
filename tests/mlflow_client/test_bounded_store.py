"""MLflow's store with timeouts, and the private parts of MLflow that it relies on."""

import inspect
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from fastapi import FastAPI, Request, Response
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracing.client import TracingClient
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import http_request, verify_rest_response

from agent_feedback.mlflow_client import bounded_store as bounded
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.bounded_store import bounded_store
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import Content, Rating
from tests.conftest import Serve
from tests.support.ledgers import KEY
from tools.processes import free_port

RATING = Rating(KEY, Content(True), "a-1")
CALLS: dict[str, Callable[[Assessments], object]] = {
    "fetch": lambda client: client.fetch(KEY.trace_id),
    "create": lambda client: client.create(RATING),
    "update": lambda client: client.update(RATING, "a-1"),
    "delete": lambda client: client.delete(KEY.trace_id, "a-1"),
    "by_request": lambda client: TraceSearch().by_request("request-1"),
    "by_session": lambda client: TraceSearch().by_session("session-1"),
    "location": lambda client: TraceSearch().location(),
    "is_there": lambda client: client.is_there(),
}
EXPERIMENTS = ["set", "by id", "by name"]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Open a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Assessments]]:
    """Point MLflow at a port, with the experiment chosen in one of the usual ways."""
    before = os.environ.get("MLFLOW_TRACKING_URI", "")

    def at(port: int, experiment: str = "set") -> Assessments:
        mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
        active = "1" if experiment == "set" else None
        monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", active)
        if experiment == "by id":
            monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "1")
        if experiment == "by name":
            monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "support")
        return Assessments(lambda: "ledger-1")

    yield at
    mlflow.set_tracking_uri(before)


def fails(call: Callable[[Assessments], object], client: Assessments) -> None:
    """Check that a call fails, or says that nobody is there."""
    try:
        assert call(client) is False
    except StoreError as error:
        assert error.failure is Failure.UNKNOWN  # noqa: PT017


def test_a_server_that_never_answers_is_given_up_at_the_deadline(
    use: Callable[..., Assessments],
    silent_port: int,
    connections: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every call gives up a server that never answers, by its own deadline and at its first try."""
    monkeypatch.setattr(bounded, "ATTEMPT_SECONDS", 1.0)
    client = use(silent_port)
    with ThreadPoolExecutor(len(CALLS)) as pool:
        calls = [pool.submit(fails, call, client) for call in CALLS.values()]
        for each in calls:  # MLflow's own patience with one attempt is 120 s
            each.result(60)
    assert len(connections) == len(CALLS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_refused_connection_costs_nothing(
    use: Callable[..., Assessments],
    connections: list[object],
    call: Callable[[Assessments], object],
    experiment: str,
) -> None:
    """No call repeats what was refused, however the experiment is chosen."""
    fails(call, use(free_port(), experiment))
    assert len(connections) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_failing_server_is_asked_once(
    use: Callable[..., Assessments], serve: Serve, call: Callable[[Assessments], object]
) -> None:
    """An answer of 500 or 503 is final for this attempt: a repeated write could be a second one."""
    asked: list[str] = []
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PATCH", "DELETE"])
    async def fail(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(status_code=503)

    client = use(int(serve(app).rpartition(":")[2]))
    fails(call, client)
    assert len(asked) == 1


@pytest.mark.parametrize("body", ["{}", '{"assessment": {"assessment_id": "a-1"}}', "[]", "<p>"])
@pytest.mark.parametrize("call", ["fetch", "create", "update"])
def test_an_answer_that_is_not_mlflows_is_an_unknown_outcome(
    use: Callable[..., Assessments], serve: Serve, call: str, body: str
) -> None:
    """A 200 from whatever stands before MLflow proves neither success nor failure."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PATCH"])
    async def answer(request: Request) -> Response:
        return Response(body, media_type="application/json")

    client = use(int(serve(app).rpartition(":")[2]))
    with pytest.raises(StoreError) as failure:
        CALLS[call](client)
    assert failure.value.failure is Failure.UNKNOWN


@pytest.mark.usefixtures("tracking")
def test_a_database_is_used_as_it_is() -> None:
    """A store without a server in between has nothing to be patient with."""
    uri = mlflow.get_tracking_uri()
    assert bounded_store(uri) is TracingClient(uri).store


def test_what_is_private_in_mlflow_is_as_we_know_it() -> None:
    """A release that changes what the bounded store replaces or calls fails here, by name."""
    assert list(inspect.signature(RestStore._call_endpoint).parameters) == [
        "self",
        "api",
        "json_body",
        "endpoint",
        "retry_timeout_seconds",
        "response_proto",
    ]
    for table in ("_METHOD_TO_INFO", "_V3_METHOD_TO_INFO"):
        assert all(len(row) == 2 for row in getattr(RestStore, table).values())
    assert {"max_retries", "retry_timeout_seconds", "raise_on_status"} <= set(
        inspect.signature(http_request).parameters
    )
    assert list(inspect.signature(verify_rest_response).parameters)[:2] == ["response", "endpoint"]
    assert {"js_dict", "message"} <= set(inspect.signature(parse_dict).parameters)
