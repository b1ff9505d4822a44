"""MLflow away under load: nothing is lost, and its return is noticed within seconds."""

import time
from collections.abc import Callable

import mlflow
import pytest
from mlflow.entities import AssessmentSource

from tests.faults.audit import Audit
from tests.faults.conftest import Scale
from tests.faults.latency_probe import probing
from tests.faults.processes import Replica
from tests.faults.scenario import Note, Scenario
from tests.support.mlflow_store import MlflowServer
from tests.support.waiting import eventually

PER_SECOND = 20.0
WAYS: dict[str, tuple[Callable[[MlflowServer], None], Callable[[MlflowServer], None]]] = {
    "stopped": (MlflowServer.stop, MlflowServer.start),
    "accepting connections, never answering": (MlflowServer.freeze, MlflowServer.thaw),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_loses_nothing(
    own_scenario: Scenario, scale: Scale, note: Note, way: str
) -> None:
    """Rated all the while MLflow is away: taken, and delivered soon and fast once it is back."""
    app = own_scenario.start_app()
    users = own_scenario.users_of(app)
    answers = own_scenario.ask_and_wait(users, int(PER_SECOND * scale.outage_seconds))
    take_away, bring_back = WAYS[way]
    # The probe's requests are few: what MLflow exports of their traces once it is back takes its
    # server's time, and the loop with which delivery is compared has the server for itself.
    pause = scale.outage_seconds / 10
    probing_app = probing(app, before_seconds=2.5 * pause, pause_seconds=pause)
    with probing_app as probe, probe.during(way):
        take_away(own_scenario.mlflow)
        promised = users.rate_steadily(answers, per_second=PER_SECOND, seconds=scale.outage_seconds)
    waiting = app.status()["pending"]
    bring_back(own_scenario.mlflow)
    first, all_of_them = seconds_until_delivered(app)
    found = eventually(lambda: own_scenario.audit(users.promises()), Audit.is_clean, within=10)
    ours = waiting / max(all_of_them - first, 0.01)
    plain = plain_loop_per_second(own_scenario, answers[0].trace_id)
    note(
        "1",
        f"MLflow {way} for {scale.outage_seconds:.0f} s",
        found,
        ratings=len(promised),
        first_delivery_after_s=round(first, 1),
        per_second=round(ours, 1),
        plain_loop_per_second=round(plain, 1),
        **probe.figures(way),
    )
    assert found.is_clean(), str(found)
    assert len({answer.user for answer in answers}) >= 20
    assert users.refused == []
    assert users.unavailable == 0
    probe.assert_unaffected(way)
    if scale.full:  # in CI the machine does other things meanwhile
        assert first < 5
        assert ours / plain >= 0.7


def seconds_until_delivered(app: Replica) -> tuple[float, float]:
    """How long from now until the first rating is delivered, and until all are."""
    first = app.wait_for(lambda status: status["deliveries_per_minute"] > 0, within=30)
    return first, first + app.wait_until_settled(within=120)


def plain_loop_per_second(scenario: Scenario, trace_id: str) -> float:
    """How fast a loop of ``mlflow.log_feedback`` writes: what a route without us would do."""
    mlflow.set_tracking_uri(scenario.mlflow.url)
    count = 100
    source = AssessmentSource(source_type="CODE", source_id="plain-loop")
    begun = time.monotonic()
    for _ in range(count):
        mlflow.log_feedback(trace_id=trace_id, name="plain", value=True, source=source)
    return count / (time.monotonic() - begun)
