"""Made-up people for the tests of the statistics, and what the contract's formulas say of them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from hypothesis import settings
from hypothesis import strategies as st

from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window

PURE = settings(deadline=None, database=None, derandomize=True)
"""The same examples each time, however slow the machine is."""

OPTIONS = ReportOptions(window=Window(0, 1))
SEQUENTIAL = ReportOptions(window=Window(0, 1), sequential=True)

Thumbs = list[tuple[int, int]]
"""How many thumbs each person gave, and how many of them are up."""

Stars = list[list[float]]
"""Each person's ratings."""


def _person(number: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.just(number), st.integers(0, number))


teams: st.SearchStrategy[Thumbs] = st.lists(
    st.integers(1, 300).flatmap(_person), min_size=1, max_size=30
)
"""Hypothesis' choice of people and thumbs."""

stars: st.SearchStrategy[Stars] = st.lists(
    st.lists(st.integers(0, 1000).map(lambda number: number / 1000), min_size=1, max_size=8),
    min_size=1,
    max_size=12,
)
"""Hypothesis' choice of people and ratings."""


@dataclass(frozen=True)
class Sought:
    """What the contract says of ratings."""

    value: float
    n: int
    n_effective: float
    t: float
    """Of Student's t: how many standard errors an interval reaches to either side."""
    variance: float
    """Of one rating."""


def by_the_contract(people: Stars) -> Sought:
    """Follow the contract word for word; a thumb is a rating of 1 or 0."""
    numbers: Any = np.array([len(ratings) for ratings in people])
    sums: Any = np.array([np.sum(ratings) for ratings in people])
    every: Any = np.concatenate(people)
    n = numbers.sum()
    p = sums.sum() / n
    variance = ((every - p) ** 2).mean()
    alone = n**2 / (numbers**2).sum()
    n_effective = alone
    if len(people) > 1 and len(set(every)) > 1:
        clustered = ((sums - p * numbers) ** 2 / (1 - numbers / n)).sum() / n**2
        n_effective = n / max(1, clustered / (variance / n))
    t = scipy.stats.t.ppf(0.975, max(1, alone - 1))
    return Sought(float(p), int(n), float(n_effective), float(t), float(variance))


def each_thumb(people: Thumbs) -> Stars:
    """Write every thumb down."""
    return [[1.0] * positive + [0.0] * (number - positive) for number, positive in people]


def counted(people: Stars) -> Counter[tuple[str, float]]:
    """Count ratings by person and value, as the aggregates do."""
    return Counter(
        (f"person {place}", rating) for place, ratings in enumerate(people) for rating in ratings
    )
