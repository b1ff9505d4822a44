"""Whether MLflow is worth asking: noticed when it goes, and within a probe when it is back."""

import pytest

from agent_feedback.delivery import mlflow_availability
from agent_feedback.delivery.mlflow_availability import Availability


class Mlflow:
    """Answers or not, and counts how often it is asked, and how often it came back."""

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0
        self.returns = 0
        self.known = Availability(self._is_there, self._on_return)

    def _is_there(self) -> bool:
        self.asked += 1
        return self.answers

    def _on_return(self) -> None:
        self.returns += 1


def test_a_server_that_answers_is_asked_once() -> None:
    """After the first answer nothing is in doubt."""
    mlflow = Mlflow()
    assert [mlflow.known.seconds_to_wait() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert (mlflow.asked, mlflow.returns) == (1, 1)
    assert mlflow.known.is_open


def test_an_outage_is_probed_until_its_end() -> None:
    """While it is away every call is a probe; the first answer is its return."""
    mlflow = Mlflow()
    mlflow.known.seconds_to_wait()
    mlflow.known.doubt()
    assert not mlflow.known.is_open
    mlflow.answers = False
    waits = [mlflow.known.seconds_to_wait() for _ in range(3)]
    assert waits == [mlflow_availability._PROBE_SECONDS] * 3
    assert mlflow.known.is_away
    mlflow.answers = True
    assert mlflow.known.seconds_to_wait() == 0.0
    assert mlflow.returns == 2
    assert (mlflow.known.is_away, mlflow.known.is_open) == (False, True)


def test_a_doubt_that_was_none_is_no_return() -> None:
    """One failed attempt at a server that answers makes nothing due."""
    mlflow = Mlflow()
    mlflow.known.seconds_to_wait()
    mlflow.known.doubt()
    assert mlflow.known.seconds_to_wait() == 0.0
    assert (mlflow.asked, mlflow.returns) == (2, 1)


def test_a_busy_server_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is attempted for as long as it asked for, at the longest; then again."""
    now = [100.0]
    monkeypatch.setattr(
        "agent_feedback.delivery.mlflow_availability.time.monotonic", lambda: now[0]
    )
    mlflow = Mlflow()
    mlflow.known.seconds_to_wait()
    mlflow.known.be_quiet(30)
    mlflow.known.be_quiet(10)
    assert mlflow.known.seconds_to_wait() == 30
    opens = [mlflow.known.is_open]
    now[0] += 31
    opens.append(mlflow.known.is_open)
    assert opens == [False, True]
    assert mlflow.known.seconds_to_wait() == 0
