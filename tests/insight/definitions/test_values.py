"""What an assessment's value says."""

from typing import Any

import pytest

from agent_feedback.insight.definitions.values import share, thumb


@pytest.mark.parametrize(
    "value", [True, 1, 1.0, "true", "True", "yes", "YES", "1", "1.0", "+1", "01", "1.000"]
)
def test_these_are_thumbs_up(value: Any) -> None:
    """Booleans, MLflow's yes, the number 1, and their strings."""
    assert thumb(value) is True


@pytest.mark.parametrize(
    "value", [False, 0, 0.0, -0.0, "false", "no", "No", "0", "0.0", "-0", "000"]
)
def test_these_are_thumbs_down(value: Any) -> None:
    """Booleans, MLflow's no, the number 0, and their strings."""
    assert thumb(value) is False


@pytest.mark.parametrize(
    "value",
    [
        *(None, 2, -1, 0.5, float("nan"), float("inf"), "", " ", " true", "y", "maybe", "1_0"),
        *("1e0", "0x1", "inf", "nan", "1.", ".5", "\u0661", [True], {"value": True}, "2", 10**400),
    ],
)
def test_anything_else_is_no_thumb(value: Any) -> None:
    """Nothing is guessed, and what only some languages read as a number is none."""
    assert thumb(value) is None


@pytest.mark.parametrize("value", [0, 1, 0.0, 0.2, 1.0, 0.333333333333])
def test_these_are_shares(value: Any) -> None:
    """Numbers from 0 to 1."""
    assert share(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "0.5", "1", 1.0000001, -0.1, 5, 10**400, float("nan"), float("inf")),
        [1],
    ],
)
def test_anything_else_is_no_share(value: Any) -> None:
    """A boolean or a string is not a number of stars, and 5 is on another scale."""
    assert share(value) is None
