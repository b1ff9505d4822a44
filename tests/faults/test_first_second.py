"""The most natural click: within a second of the answer's end, while MLflow has no trace yet."""

from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import GatherPeople, Note, Scale, StartReplica
from tests.faults.people import Promise, audit, audit_once_settled
from tests.support.mlflow_store import MlflowServer


def test_ratings_in_the_first_second_all_land(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    scale: Scale,
    note: Note,
) -> None:
    """Asked and rated at once, with MLflow's default settings: accepted, and delivered alone."""
    app = replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id)
    crowd = people(app)

    def ask_and_rate(_: int) -> Promise:
        return crowd.rate(crowd.ask())

    with ThreadPoolExecutor(8) as pool:
        promised = list(pool.map(ask_and_rate, range(scale.first_second_ratings)))
    seconds = app.wait_until_settled(within=30)
    seen = audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=10
    )
    accepted = sum(promise.status_code == 202 for promise in promised)
    note(
        "3",
        "rated in the first second after the answer",
        seen,
        answered_202=accepted,
        delivered_within_seconds=round(seconds, 1),
    )
    assert seen.is_clean(), str(seen)
    assert crowd.refused == []
    assert seen.promised == scale.first_second_ratings
