"""The experiment that the environment names: asked for once, and not for every trace."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from mlflow.entities.trace_location import MlflowExperimentLocation
from mlflow.tracing.provider import _MLFLOW_TRACE_USER_DESTINATION
from mlflow.tracking import fluent

from agent_feedback.mlflow_client.experiment import (
    active_experiment,
    choose_experiment_of_environment,
)
from tests.support.mlflow_store import MlflowServer, Tracking
from tools.processes import free_port

Name = Callable[[str], None]


@pytest.fixture
def environment_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Name]:
    """Give a function that lets the environment alone name an experiment."""

    def named(experiment_id: str) -> None:
        monkeypatch.setattr(fluent, "_active_experiment_id", None)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)

    yield named
    _MLFLOW_TRACE_USER_DESTINATION.reset()


def test_it_is_remembered(tracking: Tracking, environment_names: Name) -> None:
    """Chosen once, MLflow knows it without asking, and traces go there."""
    environment_names(tracking.experiment_id)
    assert choose_experiment_of_environment()
    assert active_experiment() == tracking.experiment_id == str(fluent._active_experiment_id)
    assert not choose_experiment_of_environment()
    with mlflow.start_span("turn") as span:
        pass
    assert tracking.trace(span.trace_id).info.experiment_id == tracking.experiment_id


def test_traces_begin_while_the_server_is_away(
    own_mlflow_server: MlflowServer, environment_names: Name
) -> None:
    """With the experiment remembered, a trace begins at once and has an id, server or no server."""
    own_mlflow_server.start()
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(own_mlflow_server.url)
        environment_names("0")
        assert choose_experiment_of_environment()
        own_mlflow_server.freeze()
        # The server answers nobody: whoever asks it is still waiting then.
        with ThreadPoolExecutor(1) as pool:
            span = pool.submit(mlflow.start_span_no_context, "turn").result(60)
        assert span.trace_id.startswith("tr-")
    finally:
        own_mlflow_server.thaw()
        span.end()
        mlflow.flush_trace_async_logging(terminate=True)
        mlflow.tracing.reset()
        mlflow.set_tracking_uri(before)


def test_what_the_application_chose_stays(tracking: Tracking, environment_names: Name) -> None:
    """Neither its experiment nor its destination for traces is touched."""
    assert not choose_experiment_of_environment()
    environment_names("0")
    there = MlflowExperimentLocation(tracking.experiment_id)
    mlflow.tracing.set_destination(there)
    assert not choose_experiment_of_environment()
    assert fluent._active_experiment_id is None
    assert _MLFLOW_TRACE_USER_DESTINATION.get() is there


def test_a_server_that_is_away_fails_the_choice_within_seconds(
    tracking: Tracking,
    environment_names: Name,
    connections: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At start, an outage fails the choice at once instead of holding the start for minutes."""
    environment_names("7")
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Exception, match=r"Max retries|Connection|refused"):
        choose_experiment_of_environment()
    assert len(connections) == 1
    assert fluent._active_experiment_id is None


@pytest.mark.parametrize("named", ["", "0"])
def test_without_a_name_no_experiment_is_chosen(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Without a name there is nothing to remember."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setattr(fluent, "_active_experiment_id", named or None)
    assert not choose_experiment_of_environment()
