"""Means of stars, with their intervals."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.statistics.clusters import clustered_variance
from agent_feedback.insight.statistics.estimates import NOTHING, Estimate
from agent_feedback.insight.statistics.intervals import around, evidence, sequence, wilson

Ratings = Counter[tuple[str, float]]
"""How many ratings there are of each person and value."""


def mean(ratings: Ratings, options: ReportOptions) -> Estimate:
    """The mean of ratings from 0 to 1; with fewer than two people it has no interval."""
    n = sum(ratings.values())
    if n == 0:
        return NOTHING
    value = _mean(ratings, n)
    people = _people(ratings)
    variance = _variance(ratings, value, n)
    deff = None
    if len(people) > 1 and variance > 0:
        # In this order: a share of the least variance that there is would be 0.
        deff = clustered_variance(people, value) * n / variance
    found = evidence((number for number, _ in people), deff)
    if len(people) < 2:
        return Estimate(value, None, None, n, found.n_effective)
    if options.sequential:
        low, high = sequence(value, found, options.min_count)
    elif variance == 0:
        # All the same: as for a rate of 0 or 1, that does not mean that all others would agree.
        low, high = wilson(value, found)
    else:
        low, high = around(value, variance, found)
    return Estimate(value, low, high, n, found.n_effective)


def _mean(ratings: Ratings, n: int) -> float:
    values = {value for _, value in ratings}
    if len(values) == 1:
        return values.pop()
    # fsum is exact: the same ratings give the same bits, whatever order they came in.
    return math.fsum(value * number for (_, value), number in ratings.items()) / n


def _variance(ratings: Ratings, mean: float, n: int) -> float:
    if len({value for _, value in ratings}) == 1:
        return 0.0
    parts = ((value - mean) ** 2 * number for (_, value), number in ratings.items())
    return math.fsum(parts) / n


def _people(ratings: Ratings) -> list[tuple[int, float]]:
    numbers: dict[str, int] = defaultdict(int)
    parts: dict[str, list[float]] = defaultdict(list)
    for (person, value), number in ratings.items():
        numbers[person] += number
        parts[person].append(value * number)
    return [(numbers[person], math.fsum(parts[person])) for person in numbers]
