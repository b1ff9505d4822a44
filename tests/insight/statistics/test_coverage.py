"""How often intervals hold the true rate: a short form of `python -m benchmarks.intervals`."""

import math

import numpy as np
import pytest

from benchmarks.intervals import SHAPES, Cell, Shape, simulate

TEAMS = 400
ASKED = [shape for shape in SHAPES if shape.bound]


@pytest.mark.parametrize("people", [10, 30, 100])
@pytest.mark.parametrize("shape", ASKED, ids=[shape.title for shape in ASKED])
def test_the_interval_holds_the_true_rate_as_often_as_was_promised(
    shape: Shape, people: int
) -> None:
    """As often as is asked of the shape, less three standard errors; Wilson's plain one does not.

    One person's thumbs are moderately alike, and four in five thumbs are up.
    """
    held = simulate(Cell(shape, people, 0.8, 0.3), TEAMS, np.random.default_rng(11))
    assert shape.bound
    slack = 3 * math.sqrt(shape.bound * (1 - shape.bound) / TEAMS)
    assert held.ours >= shape.bound - slack
    assert held.plain < 0.85


def test_independent_people_cost_nothing() -> None:
    """Where many people give as many thumbs each, which are not alike, it is Wilson's interval."""
    held = simulate(Cell(SHAPES[0], 100, 0.8, 0.0), TEAMS, np.random.default_rng(12))
    assert held.our_width == pytest.approx(held.plain_width, rel=0.1)
    assert held.plain >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / TEAMS)
