"""A trace that MLflow dropped: its rating is kept and counted, and nothing else suffers."""

from tests.faults.conftest import GatherPeople, Note, StartReplica, new_experiment
from tests.faults.people import Key, audit, audit_once_settled
from tests.faults.processes import until
from tests.faults.stored import stored_trace_ids
from tests.support.mlflow_store import MlflowServer


def test_a_dropped_trace_is_shown_and_hurts_nobody(
    own_mlflow_server: MlflowServer,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """MLflow gives traces up while its server is away: whatever it kept is rated all the same."""
    own_mlflow_server.start()
    experiment_id = new_experiment(own_mlflow_server.url)
    app = replica(
        tracking_uri=own_mlflow_server.url,
        experiment_id=experiment_id,
        FAULTS_DAY_SECONDS="4",
        FAULTS_EXPORT_GAP_SECONDS="1",
        # Traces are given up within seconds, by MLflow itself.
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        MLFLOW_HTTP_REQUEST_TIMEOUT="1",
    )
    crowd = people(app)
    crowd.ask()  # MLflow makes no trace at all where its server is away at the very first
    own_mlflow_server.stop()
    dropped = crowd.ask_many(5)
    for answer in dropped:
        crowd.rate(answer)
    until(lambda: "refused" in app.log.read_text(), within=60, otherwise=app.log.read_text)
    own_mlflow_server.start()
    kept = crowd.ask_many(20)
    for answer in kept:
        crowd.rate(answer)
    until(lambda: app.status()["pending"] == 0, within=90, otherwise=lambda: str(app.status()))
    gone = {a.trace_id for a in dropped} - stored_trace_ids(own_mlflow_server.url, experiment_id)
    deliverable = {
        key: promise for key, promise in crowd.promises().items() if key.trace_id not in gone
    }
    seen = audit_once_settled(
        lambda: audit(own_mlflow_server.url, experiment_id, deliverable), within=20
    )
    status = app.status()
    note("8", "traces that MLflow dropped", seen, undeliverable=status["undeliverable"])
    assert gone
    assert status["undeliverable"] == len(gone)
    assert status["last_error"] == "RESOURCE_DOES_NOT_EXIST"
    assert seen.is_clean(), str(seen)
    assert seen.promised >= 20
    assert all(isinstance(key, Key) for key in deliverable)
