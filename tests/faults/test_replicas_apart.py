"""Replicas that share MLflow and nothing else: one rating remains, the person's newest."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as changed

from tests.faults.conftest import GatherPeople, Note, StartReplica
from tests.faults.people import Answer, Audit, Key, Promise, audit, audit_once_settled, ratings_in
from tests.faults.processes import until
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer

CLICKS = 6


def test_the_newest_of_two_ledgers_remains(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """The same people rate the same answers at either: in the end the last word stands, once."""
    apps = [replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id) for _ in range(2)]
    crowds = [people(app) for app in apps]
    answers = ask_and_wait(crowds[0], 20, mlflow_server.url, experiment_id)
    newest: dict[Key, Promise] = {}
    lock = threading.Lock()

    def click_here_and_there(answer: Answer) -> None:
        key = Key(answer.trace_id, answer.person)
        for _ in range(CLICKS):
            promise = random.choice(crowds).rate(answer)
            with lock:
                newest[key] = promise
            time.sleep(random.uniform(0.002, 0.2))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(click_here_and_there, answers))
    for app in apps:
        until(
            lambda app=app: app.status()["pending"] == 0,  # type: ignore[misc]
            within=90,
            otherwise=lambda app=app: str(app.status()),  # type: ignore[misc]
        )
    seen = audit_once_settled(
        lambda: audit_whatever_the_id(mlflow_server.url, experiment_id, newest), within=60
    )
    note("10", "two replicas with ledgers of their own", seen, clicks=CLICKS * len(answers))
    assert seen.is_clean(), str(seen)


def audit_whatever_the_id(
    tracking_uri: str, experiment_id: str, promises: dict[Key, Promise]
) -> Audit:
    """Audit what is said and by whom: which replica's id it has is nobody's promise."""
    there = ratings_in(tracking_uri, experiment_id)
    return audit(
        tracking_uri,
        experiment_id,
        {
            key: changed(promise, assessment_id=there[key][0].assessment_id)
            if there.get(key)
            else promise
            for key, promise in promises.items()
        },
    )
