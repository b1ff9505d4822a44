"""The most natural click: within a second of the answer's end, while MLflow has no trace yet."""

from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import Scale
from tests.faults.scenario import Scenario
from tests.faults.users import Promise


def test_ratings_in_the_first_second_all_land(scenario: Scenario, scale: Scale) -> None:
    """Asked and rated at once, with MLflow's default settings: accepted, and delivered alone."""
    app = scenario.start_app()
    users = scenario.users_of(app)

    def ask_and_rate(_: int) -> Promise:
        return users.rate(users.ask())

    with ThreadPoolExecutor(8) as pool:
        promised = list(pool.map(ask_and_rate, range(scale.first_second_ratings)))
    seconds = app.wait_until_settled(within=30)
    scenario.assert_kept(
        ("3", "rated in the first second after the answer"),
        users.promises(),
        within=10,
        answered_202=sum(promise.status_code == 202 for promise in promised),
        delivered_within_seconds=round(seconds, 1),
    )
    assert users.refused == []
    assert len(users.promises()) == scale.first_second_ratings
