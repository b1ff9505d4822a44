"""One impatient user, many processes: there is one rating, and it is the last that was sent."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.processes import Replica
from tests.faults.scenario import Scenario
from tests.faults.users import Promise
from tests.support.postgres import own_postgres

TOGGLES = 50


def test_toggling_through_four_workers(scenario: Scenario) -> None:
    """Fifty clicks as fast as they go, at four processes on one SQLite ledger: one rating."""
    assert_one_rating_remains(scenario, "4 workers", [scenario.start_app(workers=4)])


def test_toggling_through_two_replicas(scenario: Scenario) -> None:
    """The same with two replicas that share a PostgreSQL."""
    with own_postgres() as postgres:
        postgres.start()
        replicas = [scenario.start_app(ledger_url=postgres.url) for _ in range(2)]
        assert_one_rating_remains(scenario, "2 replicas on PostgreSQL", replicas)


def assert_one_rating_remains(scenario: Scenario, where: str, replicas: list[Replica]) -> None:
    """Click fifty times at one answer: one rating with one id, and MLflow holds the last."""
    users = scenario.users_of(*replicas)
    (answer,) = scenario.ask_and_wait(users, 1)

    def click(number: int) -> Promise:
        return users.rate(answer, value=number % 2 == 0)

    begun = time.monotonic()
    with ThreadPoolExecutor(TOGGLES) as pool:
        promised = list(pool.map(click, range(TOGGLES)))
    took = round(time.monotonic() - begun, 2)
    assert sorted(promise.revision for promise in promised) == list(range(1, TOGGLES + 1))
    assert len({promise.assessment_id for promise in promised}) == 1
    for each in replicas:
        each.wait_until_settled(within=60)
    scenario.assert_kept(
        ("4", f"toggled {TOGGLES} times, {where}"), users.promises(), within=30, in_seconds=took
    )
