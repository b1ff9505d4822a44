"""A platform stops the app: what can be delivered is, the rest waits, and the end comes in time."""

from tests.faults.scenario import Scenario

MAX_STOP_SECONDS = 15.0
"""How long platforms wait before they kill."""


def test_a_stop_delivers_what_waits_for_its_traces(scenario: Scenario) -> None:
    """Asked, rated and stopped within a second: traces and ratings get to MLflow before the end."""
    app = scenario.start_app()
    users = scenario.users_of(app)
    for answer in users.ask_many(10):
        users.rate(answer)
    seconds = app.terminate()
    scenario.assert_kept(
        ("stop", "SIGTERM within the export gap"),
        users.promises(),
        within=5,
        stopped_after_s=round(seconds, 1),
    )
    assert seconds < MAX_STOP_SECONDS


def test_a_stop_in_an_outage_leaves_everything_for_the_next_start(own_scenario: Scenario) -> None:
    """MLflow hangs: the app still stops in time, and starts to deliver without being asked."""
    app = own_scenario.start_app()
    users = own_scenario.users_of(app)
    answers = own_scenario.ask_and_wait(users, 30)
    own_scenario.mlflow.freeze()
    for answer in answers:
        users.rate(answer)
    seconds = app.terminate()
    own_scenario.mlflow.thaw()
    assert own_scenario.audit(users.promises()).lost
    app.start()
    own_scenario.assert_kept(
        ("stop", "SIGTERM while MLflow hangs"),
        users.promises(),
        within=60,
        stopped_after_s=round(seconds, 1),
    )
    assert seconds < MAX_STOP_SECONDS
