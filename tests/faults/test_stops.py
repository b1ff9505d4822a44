"""A platform stops the app: what can be delivered is, the rest waits, and the end comes in time."""

from tests.faults.conftest import GatherPeople, Note, StartReplica, new_experiment
from tests.faults.people import audit, audit_once_settled
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer

PLATFORMS_PATIENCE_SECONDS = 15.0


def test_a_stop_delivers_what_waits_for_its_traces(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """Asked, rated and stopped within a second: traces and ratings get to MLflow before the end."""
    app = replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id)
    crowd = people(app)
    for answer in crowd.ask_many(10):
        crowd.rate(answer)
    seconds = app.terminate()
    seen = audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=5
    )
    note("stop", "SIGTERM within the export gap", seen, stopped_after_s=round(seconds, 1))
    assert seen.is_clean(), str(seen)
    assert seconds < PLATFORMS_PATIENCE_SECONDS


def test_a_stop_in_an_outage_leaves_everything_for_the_next_start(
    own_mlflow_server: MlflowServer, replica: StartReplica, people: GatherPeople, note: Note
) -> None:
    """MLflow hangs: the app still stops in time, and starts to deliver without being asked."""
    own_mlflow_server.start()
    experiment_id = new_experiment(own_mlflow_server.url)
    app = replica(tracking_uri=own_mlflow_server.url, experiment_id=experiment_id)
    crowd = people(app)
    answers = ask_and_wait(crowd, 30, own_mlflow_server.url, experiment_id)
    own_mlflow_server.freeze()
    for answer in answers:
        crowd.rate(answer)
    seconds = app.terminate()
    own_mlflow_server.thaw()
    assert audit(own_mlflow_server.url, experiment_id, crowd.promises()).lost
    app.start()
    seen = audit_once_settled(
        lambda: audit(own_mlflow_server.url, experiment_id, crowd.promises()), within=60
    )
    note("stop", "SIGTERM while MLflow hangs", seen, stopped_after_s=round(seconds, 1))
    assert seen.is_clean(), str(seen)
    assert seconds < PLATFORMS_PATIENCE_SECONDS
