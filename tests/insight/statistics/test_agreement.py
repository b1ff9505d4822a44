"""Agreement of a judge with people, against scikit-learn and formulas written differently."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from agent_feedback.insight.statistics.agreement import Agreement, agreement
from agent_feedback.insight.statistics.estimates import Estimate
from tests.insight.statistics.people import PURE

Pairs = Counter[tuple[bool, bool]]
"""How many traces there are of each (judge said yes, people said yes)."""


def pairs_of(both: int, judge: int, people: int, neither: int) -> Pairs:
    """Count: both said yes, only the judge, only the people, neither."""
    return Counter(
        {
            (True, True): both,
            (True, False): judge,
            (False, True): people,
            (False, False): neither,
        }
    )


def estimates(found: Agreement) -> tuple[Estimate, Estimate, Estimate]:
    """Return what has an interval."""
    return found.observed, found.kappa, found.ac1


tables = st.builds(pairs_of, *[st.integers(0, 60)] * 4).filter(lambda pairs: pairs.total() > 0)


@PURE
@given(tables)
def test_kappa_is_scikit_learns(pairs: Pairs) -> None:
    """On every table on which both words occur."""
    judge, people = zip(*pairs.elements(), strict=True)
    assume(len({*judge, *people}) == 2)
    assert agreement(pairs).kappa.value == pytest.approx(
        cohen_kappa_score(judge, people), abs=1e-12
    )


@PURE
@given(tables)
def test_ac1_follows_gwets_own_words(pairs: Pairs) -> None:
    """Chance is the sum of π(1-π) over the categories, divided by their number less one.

    π is a category's share among all that both raters said.
    """
    said = [word for pair in pairs.elements() for word in pair]
    shares = [said.count(word) / len(said) for word in (True, False)]
    by_chance = sum(share * (1 - share) for share in shares) / (len(shares) - 1)
    agree = sum(judge == people for judge, people in pairs.elements()) / pairs.total()
    sought = (agree - by_chance) / (1 - by_chance)
    assert agreement(pairs).ac1.value == pytest.approx(sought, abs=1e-12)


def test_a_published_example() -> None:
    """Gwet (2008), table 1: where nearly all is positive, κ falls below 0 and AC1 does not."""
    found = agreement(pairs_of(118, 5, 2, 0))
    assert found.observed.value == pytest.approx(0.944)
    assert found.kappa.value == pytest.approx(-0.0234, abs=5e-5)
    assert found.ac1.value == pytest.approx(0.9408, abs=5e-5)


@PURE
@given(tables)
def test_the_rest_is_counted(pairs: Pairs) -> None:
    """Observed agreement, the majority baseline, and n are those of the traces."""
    found = agreement(pairs)
    n = pairs.total()
    people = sum(said for _, said in pairs.elements())
    assert found.observed.value == pytest.approx((pairs[True, True] + pairs[False, False]) / n)
    assert found.majority == pytest.approx(max(people, n - people) / n)
    assert all((one.n, one.n_effective) == (n, n) for one in estimates(found))


@PURE
@given(tables)
@example(pairs_of(1, 0, 0, 0))
@example(pairs_of(29, 0, 0, 1))
@example(pairs_of(0, 0, 1, 1))
def test_an_interval_holds_its_agreement(pairs: Pairs) -> None:
    """It is within -1 and 1, and the same each time: the draws have a fixed seed."""
    found = agreement(pairs)
    assert found == agreement(pairs)
    for one in estimates(found):
        if one.value is not None:
            assert one.low is not None
            assert one.high is not None
            assert -1 - 1e-12 <= one.low <= one.value <= one.high <= 1 + 1e-12


def test_an_interval_is_that_of_drawing_traces_again() -> None:
    """Tables drawn at once spread as traces do that are drawn one by one."""
    pairs = pairs_of(40, 10, 5, 25)
    traces = np.array(list(pairs.elements()))
    generator = np.random.default_rng(5)
    draws = [
        cohen_kappa_score(*traces[generator.integers(0, len(traces), len(traces))].T)
        for _ in range(500)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    found = agreement(pairs).kappa
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)


def test_an_interval_holds_95_per_cent_of_the_draws() -> None:
    """Of many traces it reaches to 1.96 standard errors, which are then the binomial's."""
    found = agreement(pairs_of(20_000, 5_000, 5_000, 10_000)).observed
    assert found.low is not None
    assert found.high is not None
    error = math.sqrt(0.75 * 0.25 / 40_000)
    assert (found.high - found.low) / (2 * error) == pytest.approx(1.96, rel=0.08)


def test_an_interval_is_narrower_with_more_traces() -> None:
    """A hundred times as many traces of the same kind: about a tenth of the width."""
    few, many = agreement(pairs_of(40, 10, 5, 25)), agreement(pairs_of(4000, 1000, 500, 2500))
    for wide, narrow in zip(estimates(few), estimates(many), strict=True):
        assert wide.low is not None
        assert wide.high is not None
        assert narrow.low is not None
        assert narrow.high is not None
        assert (narrow.high - narrow.low) / (wide.high - wide.low) == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("pairs", [pairs_of(30, 0, 0, 0), pairs_of(0, 0, 0, 30)])
def test_where_both_say_one_word_kappa_is_unknown(pairs: Pairs) -> None:
    """Chance alone would agree as well: κ is null with its interval; the others are known."""
    found = agreement(pairs)
    assert (found.kappa.value, found.kappa.low, found.kappa.high) == (None, None, None)
    assert (found.observed.value, found.ac1.value, found.majority) == (1, 1, 1)


def test_of_no_traces_nothing_is_known() -> None:
    """All of it is absent knowledge, not 0."""
    found = agreement(Counter())
    assert found.majority is None
    assert all(
        (one.value, one.low, one.high, one.n) == (None,) * 3 + (0,) for one in estimates(found)
    )
    assert not any(one.n_effective or math.isnan(one.n_effective) for one in estimates(found))
