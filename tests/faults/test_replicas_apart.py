"""Replicas that share MLflow and nothing else: one rating remains, the user's newest."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.faults.audit import Audit, ratings_in
from tests.faults.scenario import Note, Scenario
from tests.faults.users import Answer, Key, Promise
from tests.support.waiting import eventually

CLICKS = 6


def test_the_newest_of_two_ledgers_remains(scenario: Scenario, note: Note) -> None:
    """The same users rate the same answers at either: in the end the last rating remains, once."""
    apps = [scenario.start_app() for _ in range(2)]
    groups = [scenario.users_of(app) for app in apps]
    answers = scenario.ask_and_wait(groups[0], 20)
    newest: dict[Key, Promise] = {}
    lock = threading.Lock()

    def click_here_and_there(answer: Answer) -> None:
        key = Key(answer.trace_id, answer.user)
        for _ in range(CLICKS):
            promise = random.choice(groups).rate(answer)
            with lock:
                newest[key] = promise
            time.sleep(random.uniform(0.002, 0.2))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(click_here_and_there, answers))
    for app in apps:
        app.wait_until_settled(within=90)
    found = eventually(lambda: audit_whatever_the_id(scenario, newest), Audit.is_clean, within=60)
    note("10", "two replicas with ledgers of their own", found, clicks=CLICKS * len(answers))
    assert found.is_clean(), str(found)


def audit_whatever_the_id(scenario: Scenario, promises: dict[Key, Promise]) -> Audit:
    """Audit what was rated and by whom: which replica's id it has is nobody's promise."""
    there = ratings_in(scenario.mlflow.url, scenario.experiment_id)
    return scenario.audit(
        {
            key: replace(promise, assessment_id=there[key][0].assessment_id)
            if there.get(key)
            else promise
            for key, promise in promises.items()
        }
    )
