"""How an interval is made around a rate or a mean, of how much there is to go by.

Wilson, E. B. (1927), *Probable inference, the law of succession, and statistical inference*; with
Student's t, because few people tell little of how much people differ. The confidence sequence is
that of Robbins' normal mixture in its asymptotic form: Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas (2024), *Time-uniform central limit theory and asymptotic confidence sequences*.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agent_feedback.insight.libraries import needed

_ERROR = 0.05
_Z = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much a number of ratings says.

    Attributes:
        n: How many there are.
        n_effective: The effective sample size: how many ratings of as many independent people
            would say as much.
        degrees_of_freedom: Of Student's t; ``None`` where how much people differ is not estimated.
    """

    n: int
    n_effective: float
    degrees_of_freedom: float | None

    @property
    def quantile(self) -> float:
        """How many standard errors an interval reaches to either side."""
        return _Z if self.degrees_of_freedom is None else _student(self.degrees_of_freedom)


def evidence(numbers: Iterable[int], deff: float | None) -> Evidence:
    """What people's ratings say together.

    Args:
        numbers: How many ratings each person gave.
        deff: The design effect (Kish): how many times the variance of their mean is that of as
            many independent ratings; ``None`` where nothing shows how alike one person's ratings
            are: then as if they were all the same.
    """
    numbers = list(numbers)
    n = sum(numbers)
    effective_people = n * n / sum(number * number for number in numbers)
    n_effective = effective_people if deff is None else n / max(1.0, deff)
    return Evidence(n, n_effective, max(1.0, effective_people - 1))


def wilson(rate: float, found: Evidence) -> Interval:
    """Wilson's score interval on the effective sample size."""
    t, n = found.quantile, found.n_effective
    weight = 1 + t * t / n
    centre = (rate + t * t / (2 * n)) / weight
    half = t / weight * math.sqrt(rate * (1 - rate) / n + t * t / (4 * n * n))
    # At a rate of 0 or 1 rounding may put the bound beside it.
    return _cut(min(centre - half, rate)), _cut(max(centre + half, rate))


def around(mean: float, variance: float, found: Evidence) -> Interval:
    """The interval of a mean of numbers from 0 to 1 with this variance."""
    half = found.quantile * math.sqrt(variance / found.n_effective)
    return _cut(mean - half), _cut(mean + half)


def sequence(mean: float, found: Evidence, min_count: int) -> Interval:
    """A confidence sequence: it holds however often one looks, and is tightest at ``min_count``.

    Numbers from 0 to 1 vary at most as much as thumbs of the same mean do.
    """
    n = found.n_effective
    log = -2 * math.log(_ERROR)
    rho2 = (log + math.log(log) + 1) / min_count
    smoothed = (mean * n + 1) / (n + 2)
    mixed = n * rho2 + 1
    width = math.sqrt(2 * mixed / (n * n * rho2) * math.log(math.sqrt(mixed) / _ERROR))
    half = math.sqrt(smoothed * (1 - smoothed)) * width
    return _cut(mean - half), _cut(mean + half)


@lru_cache(maxsize=65_536)
def _student(degrees_of_freedom: float) -> float:
    # Not scipy.stats, whose import and whose calls take many times as long.
    return float(needed("scipy.special").stdtrit(degrees_of_freedom, 1 - _ERROR / 2))


def _cut(bound: float) -> float:
    return min(1.0, max(0.0, bound))
