"""MLflow away under load: nothing is lost, and its return is noticed within seconds."""

import time
from collections.abc import Callable

import mlflow
import pytest
from mlflow.entities import AssessmentSource

from tests.faults.bystanders import bystanders_of
from tests.faults.conftest import GatherPeople, Note, Scale, StartReplica, new_experiment
from tests.faults.people import audit, audit_once_settled
from tests.faults.processes import Replica, until
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer

PER_SECOND = 20.0
WAYS: dict[str, tuple[Callable[[MlflowServer], None], Callable[[MlflowServer], None]]] = {
    "stopped": (MlflowServer.stop, MlflowServer.start),
    "taking connections, never answering": (MlflowServer.freeze, MlflowServer.thaw),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_loses_nothing(
    own_mlflow_server: MlflowServer,
    replica: StartReplica,
    people: GatherPeople,
    scale: Scale,
    note: Note,
    way: str,
) -> None:
    """Rated all the while MLflow is away: taken, and delivered soon and fast once it is back."""
    mlflow_server = own_mlflow_server
    mlflow_server.start()
    experiment_id = new_experiment(mlflow_server.url)
    app = replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id)
    crowd = people(app)
    count = int(PER_SECOND * scale.outage_seconds)
    answers = ask_and_wait(crowd, count, mlflow_server.url, experiment_id)
    take_away, bring_back = WAYS[way]
    # They are few: what MLflow exports of their traces once it is back takes its server's time,
    # and the loop with which delivery is compared has the server for itself.
    pause = scale.outage_seconds / 10
    asked = bystanders_of(app, before_seconds=2.5 * pause, pause_seconds=pause)
    with asked as others, others.during(way):
        take_away(mlflow_server)
        promised = crowd.rate_steadily(answers, per_second=PER_SECOND, seconds=scale.outage_seconds)
    waiting = app.status()["pending"]
    bring_back(mlflow_server)
    first, all_of_them = seconds_until_delivered(app)
    seen = audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=10
    )
    plain = plain_loop_per_second(mlflow_server.url, experiment_id, answers[0].trace_id)
    ours = waiting / max(all_of_them - first, 0.01)
    note(
        "1",
        f"MLflow {way} for {scale.outage_seconds:.0f} s",
        seen,
        ratings=len(promised),
        first_delivery_after_s=round(first, 1),
        per_second=round(ours, 1),
        plain_loop_per_second=round(plain, 1),
        **others.figures(way),
    )
    assert seen.is_clean(), str(seen)
    assert len({answer.person for answer in answers}) >= 20
    assert crowd.refused == []
    assert crowd.unavailable == 0
    others.assert_unaffected(way)
    if scale.full:  # in CI the machine does other things meanwhile
        assert first < 5
        assert ours / plain >= 0.7


def seconds_until_delivered(app: Replica) -> tuple[float, float]:
    """How long from now until the first rating is delivered, and until all are."""
    begun = time.monotonic()
    until(
        lambda: app.status()["deliveries_per_minute"] > 0,
        within=30,
        otherwise=lambda: str(app.status()),
    )
    first = time.monotonic() - begun
    app.wait_until_settled(within=120)
    return first, time.monotonic() - begun


def plain_loop_per_second(tracking_uri: str, experiment_id: str, trace_id: str) -> float:
    """How fast a loop of ``mlflow.log_feedback`` writes: what a route without us would do."""
    mlflow.set_tracking_uri(tracking_uri)
    count = 100
    source = AssessmentSource(source_type="CODE", source_id="plain-loop")
    begun = time.monotonic()
    for _ in range(count):
        mlflow.log_feedback(trace_id=trace_id, name="plain", value=True, source=source)
    return count / (time.monotonic() - begun)
