"""The app killed without a warning, at any moment: under load, in the export gap, amid a write."""

import os
import random
import time
from pathlib import Path

import httpx

from tests.faults.conftest import GatherPeople, Note, Scale, StartReplica
from tests.faults.load import being_rated
from tests.faults.people import Audit, audit, audit_once_settled
from tests.faults.processes import until
from tests.faults.stored import ask_and_wait
from tests.support.mlflow_store import MlflowServer

SEED = int(os.environ.get("FAULTS_SEED") or random.randrange(10**6))
"""Shown in the table; the same again by `FAULTS_SEED`."""


def test_kills_under_load_lose_nothing(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    scale: Scale,
    note: Note,
) -> None:
    """Killed at random moments while people rate, and started again: every 2xx is kept, once."""
    app = replica(tracking_uri=mlflow_server.url, experiment_id=experiment_id)
    crowd = people(app, seed=SEED)
    answers = ask_and_wait(crowd, 60, mlflow_server.url, experiment_id)
    with being_rated(crowd, answers):
        for _ in range(scale.kills):
            time.sleep(crowd.random.uniform(0.5, 3.0))
            app.kill()
            app.start()
        time.sleep(1)
    app.wait_until_settled(within=60)
    seen = audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=100
    )
    said = sum(map(len, crowd.made.values()))
    note("2", f"killed {scale.kills} times under load", seen, ratings=said, seed=SEED)
    assert seen.is_clean(), str(seen)
    assert crowd.refused == []


def test_a_trace_that_dies_unexported_leaves_its_rating_counted(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    note: Note,
) -> None:
    """Killed inside the export gap: the rating stays pending, then undeliverable, never gone."""
    app = replica(
        tracking_uri=mlflow_server.url,
        experiment_id=experiment_id,
        FAULTS_DAY_SECONDS="4",
        FAULTS_EXPORT_GAP_SECONDS="1",
    )
    crowd = people(app)
    crowd.rate(crowd.ask(), value=False)
    answer = crowd.answers[0]
    app.kill()
    app.start()
    assert app.status()["pending"] == 1
    until(
        lambda: app.status()["undeliverable"] == 1,
        within=60,
        otherwise=lambda: str(app.status()),
    )
    (kept,) = httpx.get(
        f"{app.url}/feedback",
        params={"trace_id": answer.trace_id},
        headers={"x-forwarded-email": answer.person},
        timeout=30,
    ).json()
    log = app.log.read_text()
    note("2", "killed inside the export gap (the trace is gone)", Audit(1), kept_and_counted=1)
    assert (kept["value"], kept["status"]) == (False, "pending")
    assert app.status()["last_error"] == "RESOURCE_DOES_NOT_EXIST"
    assert log.count("a rating cannot be delivered and is kept") == 1
    assert answer.person not in log


def test_death_between_mlflows_write_and_ours_doubles_nothing(
    mlflow_server: MlflowServer,
    experiment_id: str,
    replica: StartReplica,
    people: GatherPeople,
    tmp_path: Path,
    scale: Scale,
    note: Note,
) -> None:
    """MLflow has written, and we die before we can note it: the next start finds it there."""
    dies = tmp_path / "dies"
    app = replica(
        tracking_uri=mlflow_server.url,
        experiment_id=experiment_id,
        FAULTS_DIE_AFTER_CREATE=str(dies),
    )
    crowd = people(app)
    answers = ask_and_wait(crowd, scale.deaths_amid_a_write, mlflow_server.url, experiment_id)
    for answer in answers:
        dies.touch()
        rate_async(app.url, answer.trace_id, answer.person)
        app.wait_until_dead(within=60)
        app.start()
        crowd.rate(answer)  # the same person says it once more, to whoever answers now
    app.wait_until_settled(within=60)
    seen = audit_once_settled(
        lambda: audit(mlflow_server.url, experiment_id, crowd.promises()), within=100
    )
    note("2", "killed between MLflow's write and the ledger's", seen)
    assert seen.is_clean(), str(seen)


def rate_async(url: str, trace_id: str, person: str) -> None:
    """Rate, and do not wait for MLflow: the app dies before it could say more."""
    try:
        httpx.post(
            f"{url}/feedback",
            json={"trace_id": trace_id, "value": True},
            headers={"x-forwarded-email": person, "prefer": "respond-async"},
            timeout=30,
        )
    except httpx.TransportError:
        return  # it died even before it answered
