"""Differences of two rates or means."""

import math

import pytest
from hypothesis import given

from agent_feedback.insight.statistics.differences import difference
from agent_feedback.insight.statistics.estimates import NOTHING, Estimate
from agent_feedback.insight.statistics.intervals import Evidence, wilson
from agent_feedback.insight.statistics.means import mean
from agent_feedback.insight.statistics.rates import rate
from tests.insight.statistics.people import OPTIONS, PURE, Thumbs, counted, teams


def of_independent(positive: int, n: int) -> Estimate:
    """Return a rate whose thumbs are each a person's of its own, with Wilson's interval."""
    low, high = wilson(positive / n, Evidence(n, n, None))
    return Estimate(positive / n, low, high, n, n)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (0, 10), -0.1611, 0.2775),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(
    a: tuple[int, int], b: tuple[int, int], low: float, high: float
) -> None:
    """The intervals are those of method 10 in the table II of his article of 1998."""
    found = difference(of_independent(*a), of_independent(*b))
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


@PURE
@given(a=teams, b=teams)
def test_a_difference_follows_the_contract(a: Thumbs, b: Thumbs) -> None:
    """It is between -1 and 1, in its interval, and turned round when the two swap places."""
    found = difference(rate(a, OPTIONS), rate(b, OPTIONS))
    turned = difference(rate(b, OPTIONS), rate(a, OPTIONS))
    assert found.difference is not None
    assert found.low is not None
    assert found.high is not None
    assert -1 - 1e-12 <= found.low <= found.difference <= found.high <= 1 + 1e-12
    assert turned.difference == -found.difference
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-12)


@PURE
@given(a=teams, b=teams)
def test_a_verdict_says_on_which_side_of_0_the_interval_is(a: Thumbs, b: Thumbs) -> None:
    """`better` and `worse` only where 0 is left out, and each the other's reverse."""
    found = difference(rate(a, OPTIONS), rate(b, OPTIONS))
    assert found.low is not None
    assert found.high is not None
    sought = "better" if found.low > 0 else "worse" if found.high < 0 else "undecided"
    assert found.verdict == sought
    reverse = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert difference(found.b, found.a).verdict == reverse[found.verdict]
    assert difference(found.a, found.a).verdict == "undecided"


def test_means_differ_as_rates_do() -> None:
    """The same hybrid, of the intervals of two means."""
    a, b = (mean(counted(people), OPTIONS) for people in ([[0.2], [0.4]] * 9, [[0.8], [1.0]] * 9))
    found = difference(a, b)
    assert a.value is not None
    assert a.high is not None
    assert b.value is not None
    assert b.low is not None
    assert found.difference == pytest.approx(0.6)
    assert found.low == pytest.approx(0.6 - math.hypot(b.value - b.low, a.high - a.value))
    assert found.verdict == "better"


def test_what_is_unknown_leaves_a_difference_unknown() -> None:
    """Without a value there is no difference; without an interval, no interval and no verdict."""
    known, bare = of_independent(9, 10), Estimate(0.2, None, None, 3, 1.0)
    for a, b in ((NOTHING, known), (known, NOTHING), (NOTHING, NOTHING)):
        found = difference(a, b)
        assert (found.difference, found.low, found.high) == (None, None, None)
        assert found.verdict == "undecided"
    for a, b in ((bare, known), (known, bare)):
        found = difference(a, b)
        assert found.difference is not None
        assert (found.low, found.high, found.verdict) == (None, None, "undecided")
