"""Rates and their intervals, against other implementations and by their properties."""

import math
import random
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from agent_feedback.insight.definitions.aggregates import Sums
from agent_feedback.insight.statistics.estimates import NOTHING, Estimate
from agent_feedback.insight.statistics.rates import feedback_rate, positive_rate, rate
from tests.insight.statistics.people import (
    OPTIONS,
    PURE,
    SEQUENTIAL,
    Thumbs,
    by_the_contract,
    counted,
    each_thumb,
    teams,
)


def bounds(found: Estimate) -> tuple[float, float]:
    """Return the interval of an estimate that has one."""
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@PURE
@given(traces=st.integers(1, 1_000_000), share=st.floats(0, 1))
@example(traces=1, share=0)
@example(traces=1, share=1)
def test_a_rate_of_traces_has_the_interval_that_scipy_gives(traces: int, share: float) -> None:
    """It is Wilson's over traces, with n_effective = n."""
    rated = round(traces * share)
    found = feedback_rate(Sums(traces=traces, rated_traces=rated), OPTIONS)
    scipys = binomtest(rated, traces).proportion_ci(method="wilson")
    assert found.value == rated / traces
    assert bounds(found) == pytest.approx((scipys.low, scipys.high), rel=1e-9, abs=1e-12)
    assert (found.n, found.n_effective) == (traces, traces)


@PURE
@given(teams)
@example([(3, 3)])
@example([(1, 1), (1, 0)])
@example([(2, 1), (2, 1)])
@example([(1, 0), (9, 0)])
def test_a_rate_of_thumbs_follows_the_contract(people: Thumbs) -> None:
    """Its value, effective number and interval are those of the formulas, written differently."""
    found = rate(people, OPTIONS)
    sought = by_the_contract(each_thumb(people))
    p, n, t = sought.value, sought.n_effective, sought.t
    middle = (p + t**2 / (2 * n)) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * math.sqrt(p * (1 - p) / n + t**2 / (4 * n**2))
    assert found.n == sought.n
    assert found.value == pytest.approx(p, abs=1e-12)
    assert found.n_effective == pytest.approx(n, rel=1e-9)
    assert bounds(found) == pytest.approx((middle - half, middle + half), abs=1e-9)


@PURE
@given(teams)
def test_a_sequential_rate_follows_the_contract(people: Thumbs) -> None:
    """The confidence sequence takes the effective number too, and is cut to 0..1."""
    found = rate(people, SEQUENTIAL)
    sought = by_the_contract(each_thumb(people))
    p, n = sought.value, sought.n_effective
    squared = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05)) + 1) / SEQUENTIAL.min_count
    smoothed = (p * n + 1) / (n + 2)
    half = math.sqrt(smoothed * (1 - smoothed)) * math.sqrt(
        2 * (n * squared + 1) / (n**2 * squared) * math.log(math.sqrt(n * squared + 1) / 0.05)
    )
    assert bounds(found) == pytest.approx((max(0, p - half), min(1, p + half)), abs=1e-9)


@PURE
@given(people=teams, seed=st.integers())
def test_the_order_of_people_does_not_matter(people: Thumbs, seed: int) -> None:
    """The same thumbs give the same rate, to the last bit."""
    shuffled = people.copy()
    random.Random(seed).shuffle(shuffled)
    assert rate(shuffled, OPTIONS) == rate(people, OPTIONS)
    assert rate(shuffled, SEQUENTIAL) == rate(people, SEQUENTIAL)


@PURE
@given(people=teams, seed=st.integers())
def test_the_order_in_which_thumbs_came_does_not_matter(people: Thumbs, seed: int) -> None:
    """Sums that were filled in another order give the same rate, to the last bit."""
    items = list(counted(each_thumb(people)).items())
    sums = Sums(ratings={"user_feedback": Counter(dict(items))})
    random.Random(seed).shuffle(items)
    shuffled = Sums(ratings={"user_feedback": Counter(dict(items))})
    assert positive_rate(shuffled, OPTIONS) == positive_rate(sums, OPTIONS) == rate(people, OPTIONS)


@PURE
@given(teams)
def test_an_interval_holds_its_rate(people: Thumbs) -> None:
    """Whatever the thumbs: 0 <= low <= value <= high <= 1, and it has a width."""
    for options in (OPTIONS, SEQUENTIAL):
        found = rate(people, options)
        low, high = bounds(found)
        assert found.value is not None
        assert 0 <= low <= found.value <= high <= 1
        assert low < high


@PURE
@given(teams)
def test_nothing_is_known_better_than_by_as_many_people(people: Thumbs) -> None:
    """At least one person spoke, and n thumbs never say more than n people would."""
    found = rate(people, OPTIONS)
    assert 1 - 1e-9 <= found.n_effective <= found.n


@PURE
@given(positive=st.integers(0, 200))
def test_one_person_is_one_person(positive: int) -> None:
    """Two hundred clicks of one person say as much as one person says."""
    assert rate([(200, positive)], OPTIONS).n_effective == 1


def test_one_person_who_clicks_two_hundred_times_does_not_decide() -> None:
    """Beside ten others, the interval still holds what these say."""
    others = [(1, 1)] * 5 + [(1, 0)] * 5
    found = rate([*others, (200, 200)], OPTIONS)
    low, _ = bounds(found)
    assert found.n_effective < 3
    assert low < 0.5


@PURE
@given(teams)
def test_ups_and_downs_are_treated_alike(people: Thumbs) -> None:
    """Where every thumb is turned round, so is the interval."""
    turned = [(number, number - positive) for number, positive in people]
    for options in (OPTIONS, SEQUENTIAL):
        low, high = bounds(rate(people, options))
        assert bounds(rate(turned, options)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@PURE
@given(teams)
def test_twice_as_many_people_know_more(people: Thumbs) -> None:
    """Where everybody has a double of the same mind, the interval is narrower."""
    low, high = bounds(rate(people, OPTIONS))
    narrower_low, narrower_high = bounds(rate(people * 2, OPTIONS))
    assert narrower_high - narrower_low < high - low


@PURE
@given(number=st.integers(1, 50), ups=st.integers(0, 12), downs=st.integers(0, 12))
def test_people_who_always_say_the_same_count_once(number: int, ups: int, downs: int) -> None:
    """However often each says it: clicking more adds nothing."""
    if ups + downs == 0:
        return
    once = rate([(1, 1)] * ups + [(1, 0)] * downs, OPTIONS)
    often = rate([(number, number)] * ups + [(number, 0)] * downs, OPTIONS)
    assert often.n_effective == pytest.approx(once.n_effective)
    assert bounds(often) == pytest.approx(bounds(once))


def test_of_nothing_nothing_is_known() -> None:
    """No thumbs and no traces are absent knowledge, not 0."""
    assert positive_rate(Sums(), OPTIONS) == rate([], OPTIONS) == NOTHING
    assert feedback_rate(Sums(), OPTIONS) == NOTHING
    assert (NOTHING.value, NOTHING.low, NOTHING.high, NOTHING.n) == (None, None, None, 0)


def test_a_rate_is_of_thumbs_only() -> None:
    """Ratings of a dimension are in no rate."""
    sums = Sums()
    sums.rate("user_feedback", "ann", 1.0, 3)
    sums.rate("user_feedback", "ann", 0.0)
    sums.rate("user_feedback", "bob", 0.0, 2)
    sums.rate("user_accuracy", "bob", 1.0, 9)
    assert positive_rate(sums, OPTIONS) == rate([(4, 3), (2, 0)], OPTIONS)
