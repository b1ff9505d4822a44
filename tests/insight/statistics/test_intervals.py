"""Intervals by themselves: Wilson's beside scipy's, and what looking again and again does."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t

from agent_feedback.insight.statistics.intervals import (
    Evidence,
    Interval,
    evidence,
    sequence,
    wilson,
)
from tests.insight.statistics.people import PURE

MIN_COUNT = 30
RUNS = 200
THUMBS = 500
CHANCE = 3 * math.sqrt(0.05 * 0.95 / RUNS)
"""How far the share of some hundred runs may be from 5 % by chance."""


@PURE
@given(n=st.integers(1, 1_000_000), share=st.floats(0, 1))
def test_wilsons_interval_is_scipys(n: int, share: float) -> None:
    """Where every thumb is a person's of its own, both give the same."""
    positive = round(n * share)
    scipys = binomtest(positive, n).proportion_ci(method="wilson")
    ours = wilson(positive / n, Evidence(n, n, None))
    assert ours == pytest.approx((scipys.low, scipys.high), rel=1e-9, abs=1e-12)


@PURE
@given(degrees=st.floats(1, 1e6))
def test_the_quantile_is_students(degrees: float) -> None:
    """It is the one of scipy.stats, which takes longer."""
    assert Evidence(2, 2, degrees).quantile == pytest.approx(t.ppf(0.975, degrees), rel=1e-9)


def test_without_degrees_of_freedom_the_quantile_is_the_normal_distributions() -> None:
    """2.5 % lie above it."""
    assert Evidence(2, 2, None).quantile == pytest.approx(norm.ppf(0.975), rel=1e-14)


@pytest.mark.parametrize(
    ("numbers", "deff", "n_effective", "degrees"),
    [
        ([200], None, 1, 1),
        ([5, 5, 5, 5], None, 4, 3),
        ([5, 5, 5, 5], 2.0, 10, 3),
        ([5, 5, 5, 5], 0.1, 20, 3),
        ([1, 1], 1.0, 2, 1),
    ],
)
def test_evidence(
    numbers: list[int], deff: float | None, n_effective: float, degrees: float
) -> None:
    """What is unknown counts as all alike; what varies too little counts as independent."""
    assert evidence(numbers, deff) == Evidence(sum(numbers), n_effective, degrees)


@PURE
@given(mean=st.floats(0, 1), n=st.floats(1, 1e6), min_count=st.integers(1, 10_000))
def test_a_confidence_sequence_follows_the_contract(mean: float, n: float, min_count: int) -> None:
    """It is the contract's formula, cut to 0..1."""
    log = -2 * math.log(0.05)
    rho = math.sqrt((log + math.log(log) + 1) / min_count)
    tilde = (mean * n + 1) / (n + 2)
    half = math.sqrt(tilde * (1 - tilde)) * math.sqrt(
        2 * (n * rho**2 + 1) / (n**2 * rho**2) * math.log(math.sqrt(n * rho**2 + 1) / 0.05)
    )
    sought = max(0.0, mean - half), min(1.0, mean + half)
    assert sequence(mean, Evidence(1, n, None), min_count) == pytest.approx(sought, abs=1e-12)


@dataclass(frozen=True)
class Misled:
    """In which share of the runs some look misses the true rate."""

    too_high: float
    """An interval lies wholly above it."""
    too_low: float


def misled(make: Callable[[float, Evidence], Interval], rate: float) -> Misled:
    """Look after every thumb, from min_count on, in many runs."""
    generator = np.random.default_rng(7)
    too_high = too_low = 0
    numbers = np.arange(1, THUMBS + 1)
    evidences = [Evidence(n, n, None) for n in numbers.tolist()]
    for _ in range(RUNS):
        rates = (generator.binomial(1, rate, THUMBS).cumsum() / numbers).tolist()
        looks = list(zip(rates, evidences, strict=True))[MIN_COUNT - 1 :]
        intervals = [make(*look) for look in looks]
        too_high += any(low > rate for low, _ in intervals)
        too_low += any(high < rate for _, high in intervals)
    return Misled(too_high / RUNS, too_low / RUNS)


def a_sequence(mean: float, found: Evidence) -> Interval:
    """Make a confidence sequence with the default of --min-count."""
    return sequence(mean, found, MIN_COUNT)


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_looking_after_every_thumb_misleads_only_without_a_sequence(rate: float) -> None:
    """A sequence ever misses the true rate in 5 % of runs; the interval for one look in far more.

    The slack is three standard errors of as many runs.
    """
    by_sequence, by_interval = misled(a_sequence, rate), misled(wilson, rate)
    assert by_sequence.too_high + by_sequence.too_low <= 0.05 + CHANCE
    assert by_interval.too_high + by_interval.too_low > 0.2


def test_a_good_rate_is_hardly_ever_called_too_low() -> None:
    """Where nearly all thumbs are up, a sequence ends below the true rate in 5 % of runs at most.

    This is the side on which a gate says that a bound is missed. The other side is not as safe:
    after thirty thumbs that are all up, a sequence lies above 0.9. Near 0, the sides are swapped.
    """
    found = misled(a_sequence, 0.95)
    assert found.too_low <= 0.05 + CHANCE
    assert a_sequence(1.0, Evidence(30, 30, None))[0] > 0.9
