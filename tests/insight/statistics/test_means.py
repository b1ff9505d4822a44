"""Means of stars and their intervals."""

import math
import random
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_feedback.insight.statistics.estimates import NOTHING
from agent_feedback.insight.statistics.means import mean
from agent_feedback.insight.statistics.rates import rate
from tests.insight.statistics.people import (
    OPTIONS,
    PURE,
    SEQUENTIAL,
    Stars,
    Thumbs,
    by_the_contract,
    counted,
    each_thumb,
    stars,
    teams,
)


@PURE
@given(stars)
@example([[0.2, 0.8], [0.2, 0.8]])
@example([[0.2], [0.4], [1.0] * 8])
def test_a_mean_follows_the_contract(people: Stars) -> None:
    """Its value, effective number and interval are those of the formulas, written differently."""
    found = mean(counted(people), OPTIONS)
    sought = by_the_contract(people)
    assert found.n == sought.n
    assert found.value == pytest.approx(sought.value, abs=1e-12)
    assert found.n_effective == pytest.approx(sought.n_effective, rel=1e-9)
    if len(people) > 1 and sought.variance == 0:
        # The contract is silent: as of a rate of 0 or 1, others may say something else.
        weight = sought.t**2 / found.n_effective
        middle = (sought.value + weight / 2) / (1 + weight)
        room = sought.value * (1 - sought.value) * weight + weight**2 / 4
        half = math.sqrt(room) / (1 + weight)
        low, high = max(0, middle - half), min(1, middle + half)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    elif len(people) > 1:
        half = sought.t * math.sqrt(sought.variance / sought.n_effective)
        low, high = max(0, sought.value - half), min(1, sought.value + half)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@PURE
@given(teams)
def test_thumbs_and_stars_are_counted_alike(people: Thumbs) -> None:
    """The mean of ones and zeros has the value and the effective number of the rate."""
    by_mean, by_rate = mean(counted(each_thumb(people)), OPTIONS), rate(people, OPTIONS)
    assert by_mean.value == pytest.approx(by_rate.value)
    assert by_mean.n == by_rate.n
    assert by_mean.n_effective == pytest.approx(by_rate.n_effective)


@PURE
@given(people=stars, seed=st.integers())
def test_the_order_in_which_ratings_came_does_not_matter(people: Stars, seed: int) -> None:
    """The same ratings give the same mean, to the last bit."""
    items = list(counted(people).items())
    random.Random(seed).shuffle(items)
    shuffled = Counter(dict(items))
    for options in (OPTIONS, SEQUENTIAL):
        assert mean(shuffled, options) == mean(counted(people), options)


@PURE
@given(people=stars, seed=st.integers())
def test_the_names_of_people_do_not_matter(people: Stars, seed: int) -> None:
    """People who swap their ratings leave the mean as it is, to the last bit."""
    shuffled = people.copy()
    random.Random(seed).shuffle(shuffled)
    assert mean(counted(shuffled), OPTIONS) == mean(counted(people), OPTIONS)


@PURE
@given(stars)
def test_an_interval_holds_its_mean(people: Stars) -> None:
    """Whatever the ratings: 0 <= low <= value <= high <= 1."""
    for options in (OPTIONS, SEQUENTIAL):
        found = mean(counted(people), options)
        assert found.value is not None
        assert 0 <= found.value <= 1
        if len(people) > 1:
            assert found.low is not None
            assert found.high is not None
            assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("tiny", [5e-324, 1e-162, 4e-162, 1e-161, 1e-155])
def test_ratings_that_hardly_differ_have_a_mean(tiny: float) -> None:
    """Also where their variance is the least number that a computer knows, or less."""
    found = mean(counted([[0.0], [tiny]]), OPTIONS)
    assert 1 <= found.n_effective <= 2
    assert found.low == 0
    assert found.high is not None
    # Wide where nothing differs: two people do not show that all others agree.
    assert found.high <= 1


@PURE
@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_the_mean_of_one_person_has_no_interval(ratings: list[float]) -> None:
    """Nothing shows how much people differ; the ratings say as much as one person does."""
    for options in (OPTIONS, SEQUENTIAL):
        found = mean(counted([ratings]), options)
        assert (found.low, found.high) == (None, None)
        assert (found.n, found.n_effective) == (len(ratings), 1)


def test_a_sequential_mean_is_wider() -> None:
    """What holds however often one looks says less than what holds for one look."""
    ratings = counted([[0.2, 0.4], [0.8], [0.6, 1.0]] * 20)
    once, always = mean(ratings, OPTIONS), mean(ratings, SEQUENTIAL)
    assert once.low is not None
    assert once.high is not None
    assert always.low is not None
    assert always.high is not None
    assert always.low < once.low < once.high < always.high


def test_the_mean_of_nothing_is_unknown() -> None:
    """It is absent knowledge, not 0."""
    assert mean(Counter(), OPTIONS) == NOTHING
