"""A trace that MLflow dropped: its rating is kept and counted, and nothing else suffers."""

from tests.faults.scenario import Scenario
from tests.support.waiting import until


def test_ratings_of_dropped_traces_are_counted_and_the_others_delivered(
    own_scenario: Scenario,
) -> None:
    """MLflow gives traces up while its server is away: whatever it kept is rated all the same."""
    app = own_scenario.start_app(
        FAULTS_DAY_SECONDS="4",
        FAULTS_EXPORT_GAP_SECONDS="1",
        # Traces are given up within seconds, by MLflow itself.
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        MLFLOW_HTTP_REQUEST_TIMEOUT="1",
    )
    users = own_scenario.users_of(app)
    users.ask()  # MLflow makes no trace at all where its server is away at the very first
    own_scenario.mlflow.stop()
    dropped = users.ask_many(5)
    for answer in dropped:
        users.rate(answer)
    until(lambda: "refused" in app.log.read_text(), within=60, otherwise=app.log.read_text)
    own_scenario.mlflow.start()
    for answer in users.ask_many(20):
        users.rate(answer)
    app.wait_until_settled(within=90)
    lost = {answer.trace_id for answer in dropped} - own_scenario.stored_trace_ids()
    deliverable = {
        key: promise for key, promise in users.promises().items() if key.trace_id not in lost
    }
    status = app.status()
    own_scenario.assert_kept(
        ("8", "traces that MLflow dropped"),
        deliverable,
        within=20,
        undeliverable=status["undeliverable"],
    )
    assert lost
    assert status["undeliverable"] == len(lost)
    assert status["last_error"] == "RESOURCE_DOES_NOT_EXIST"
    assert len(deliverable) >= 20
