"""Rates of thumbs and of traces, with their intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from agent_feedback.insight.definitions.aggregates import Sums
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.statistics.clusters import clustered_variance
from agent_feedback.insight.statistics.estimates import NOTHING, Estimate
from agent_feedback.insight.statistics.intervals import Evidence, evidence, sequence, wilson
from agent_feedback.model import THUMB


def positive_rate(sums: Sums, options: ReportOptions) -> Estimate:
    """The share of thumbs up among all thumbs."""
    numbers: dict[str, int] = defaultdict(int)
    positive: dict[str, int] = defaultdict(int)
    for (person, value), number in sums.ratings.get(THUMB, Counter()).items():
        numbers[person] += number
        positive[person] += number if value == 1.0 else 0
    return rate(((numbers[person], positive[person]) for person in numbers), options)


def rate(people: Iterable[tuple[int, int]], options: ReportOptions) -> Estimate:
    """A rate of thumbs.

    Args:
        people: How many thumbs each person gave, and how many of them are up.
        options: How intervals are made.
    """
    people = list(people)
    n = sum(number for number, _ in people)
    if n == 0:
        return NOTHING
    value = sum(positive for _, positive in people) / n
    deff = None
    if len(people) > 1 and 0 < value < 1:
        deff = clustered_variance(people, value) / (value * (1 - value) / n)
    return _estimate(value, evidence((number for number, _ in people), deff), options)


def feedback_rate(sums: Sums, options: ReportOptions) -> Estimate:
    """The share of traces that anybody rated: traces are not alike as one person's thumbs are."""
    if sums.traces == 0:
        return NOTHING
    found = Evidence(sums.traces, float(sums.traces), None)
    return _estimate(sums.rated_traces / sums.traces, found, options)


def _estimate(value: float, found: Evidence, options: ReportOptions) -> Estimate:
    if options.sequential:
        low, high = sequence(value, found, options.min_count)
    else:
        low, high = wilson(value, found)
    return Estimate(value, low, high, found.n, found.n_effective)
