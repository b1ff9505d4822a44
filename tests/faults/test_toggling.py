"""One impatient person, many processes: there is one rating, and it says the last word."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import GatherPeople, Note, StartReplica
from tests.faults.people import Audit, People, Promise, audit, audit_once_settled
from tests.faults.processes import Replica
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer
from tests.support.postgres import own_postgres

TOGGLES = 50


def test_toggling_through_four_workers(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """Fifty clicks as fast as they go, at four processes on one SQLite ledger: one rating."""
    app = replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id, workers=4)
    crowd = people(app)
    seconds = toggle(crowd, mlflow_server, experiment_id)
    seen = settled(crowd, [app], mlflow_server, experiment_id)
    note("4", "toggled 50 times, 4 workers", seen, in_seconds=seconds)
    assert seen.is_clean(), str(seen)


def test_toggling_through_two_replicas(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """The same with two replicas that share a PostgreSQL."""
    with own_postgres() as postgres:
        postgres.start()
        replicas = [
            replica(
                ledger_url=postgres.url,
                tracking_uri=mlflow_server.url,
                experiment_id=experiment_id,
            )
            for _ in range(2)
        ]
        crowd = people(*replicas)
        seconds = toggle(crowd, mlflow_server, experiment_id)
        seen = settled(crowd, replicas, mlflow_server, experiment_id)
    note("4", "toggled 50 times, 2 replicas on PostgreSQL", seen, in_seconds=seconds)
    assert seen.is_clean(), str(seen)


def toggle(crowd: People, mlflow_server: MlflowServer, experiment_id: str) -> float:
    """Click fifty times at one answer; returns how many seconds that took."""
    (answer,) = ask_and_wait(crowd, 1, mlflow_server.url, experiment_id)

    def click(number: int) -> Promise:
        return crowd.rate(answer, value=number % 2 == 0)

    begun = time.monotonic()
    with ThreadPoolExecutor(TOGGLES) as pool:
        promised = list(pool.map(click, range(TOGGLES)))
    took = round(time.monotonic() - begun, 2)
    assert sorted(promise.revision for promise in promised) == list(range(1, TOGGLES + 1))
    assert len({promise.assessment_id for promise in promised}) == 1
    return took


def settled(
    crowd: People, replicas: list[Replica], mlflow_server: MlflowServer, experiment_id: str
) -> Audit:
    """Wait until everything is delivered, and look."""
    for each in replicas:
        each.wait_until_settled(within=60)
    return audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=30
    )
