"""The app killed without a warning, at any moment: under load, in the export gap, amid a write."""

import os
import random
import time
from pathlib import Path

import httpx

from tests.faults.audit import Audit
from tests.faults.conftest import Scale
from tests.faults.load import rating_load
from tests.faults.scenario import Note, Scenario

SEED = int(os.environ.get("FAULTS_SEED") or random.randrange(10**6))
"""Shown in the table; the same again by `FAULTS_SEED`."""


def test_kills_under_load_lose_nothing(scenario: Scenario, scale: Scale) -> None:
    """Killed at random moments while users rate, and started again: every 2xx is kept, once."""
    app = scenario.start_app()
    users = scenario.users_of(app, seed=SEED)
    answers = scenario.ask_and_wait(users, 60)
    with rating_load(users, answers):
        for _ in range(scale.kills):
            time.sleep(users.random.uniform(0.5, 3.0))
            app.kill()
            app.start()
        time.sleep(1)
    app.wait_until_settled(within=60)
    scenario.assert_kept(
        ("2", f"killed {scale.kills} times under load"),
        users.promises(),
        within=100,
        ratings=sum(map(len, users.made.values())),
        seed=SEED,
    )
    assert users.refused == []


def test_a_rating_of_a_trace_that_was_never_exported_is_counted(
    scenario: Scenario, note: Note
) -> None:
    """Killed inside the export gap: the rating stays pending, then undeliverable, never gone."""
    app = scenario.start_app(FAULTS_DAY_SECONDS="4", FAULTS_EXPORT_GAP_SECONDS="1")
    users = scenario.users_of(app)
    answer = users.ask()
    users.rate(answer, value=False)
    app.kill()
    app.start()
    assert app.status()["pending"] == 1
    app.wait_for(lambda status: status["undeliverable"] == 1, within=60)
    (kept,) = users.fetch(answer)
    log = app.log.read_text()
    note("2", "killed inside the export gap (the trace is gone)", Audit(1), kept_and_counted=1)
    assert (kept["value"], kept["status"]) == (False, "pending")
    assert app.status()["last_error"] == "RESOURCE_DOES_NOT_EXIST"
    assert log.count("a rating cannot be delivered and is kept") == 1
    assert answer.user not in log


def test_death_between_mlflows_write_and_ours_doubles_nothing(
    scenario: Scenario, tmp_path: Path, scale: Scale
) -> None:
    """MLflow has written, and we die before we can note it: the next start finds it there."""
    dies = tmp_path / "dies"
    app = scenario.start_app(FAULTS_DIE_AFTER_CREATE=str(dies))
    users = scenario.users_of(app)
    for answer in scenario.ask_and_wait(users, scale.deaths_amid_a_write):
        dies.touch()
        rate_async(app.url, answer.trace_id, answer.user)
        app.wait_until_dead(within=60)
        app.start()
        users.rate(answer)  # the same user rates once more, whoever answers now
    app.wait_until_settled(within=60)
    scenario.assert_kept(
        ("2", "killed between MLflow's write and the ledger's"), users.promises(), within=100
    )


def rate_async(url: str, trace_id: str, user: str) -> None:
    """Rate, and do not wait for MLflow: the app dies before it could say more."""
    try:
        httpx.post(
            f"{url}/feedback",
            json={"trace_id": trace_id, "value": True},
            headers={"x-forwarded-email": user, "prefer": "respond-async"},
            timeout=30,
        )
    except httpx.TransportError:
        return  # it died even before it answered
