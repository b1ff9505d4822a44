"""The contract's statistics once more, in fractions and by the letter of its formulas.

Nothing of ``agent_feedback.insight`` is used here.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import scipy.stats

NOTHING = {"value": None, "low": None, "high": None, "n": 0, "n_effective": 0.0}
Clusters = Mapping[str, Sequence[float]]
"""People's ratings, by person."""


def rate_of_thumbs(thumbs: Clusters, sequential: int | None) -> dict[str, Any]:
    """Make the R of a positive rate; ``sequential`` is ``--min-count`` where it is asked for."""
    n, p, kish = _sizes(thumbs)
    if not n:
        return NOTHING
    n_effective = _n_effective(thumbs, p * (1 - p))
    if sequential:
        low, high = _sequence(p, n_effective, sequential)
    else:
        low, high = _wilson(float(p), float(n_effective), _t(kish))
    return _r(p, low, high, n, n_effective)


def rate_of_traces(rated: int, traces: int, sequential: int | None) -> dict[str, Any]:
    """Make the R of a feedback rate: every trace counts for itself."""
    if not traces:
        return NOTHING
    p = Fraction(rated, traces)
    if sequential:
        low, high = _sequence(p, Fraction(traces), sequential)
    else:
        low, high = _wilson(float(p), traces, float(scipy.stats.norm.ppf(0.975)))
    return _r(p, low, high, traces, Fraction(traces))


def mean_of_ratings(ratings: Clusters, sequential: int | None) -> dict[str, Any]:
    """Make the R of a dimension's mean."""
    n, mean, kish = _sizes(ratings)
    if not n:
        return NOTHING
    every = [Fraction(value) for values in ratings.values() for value in values]
    spread = sum(((value - mean) ** 2 for value in every), Fraction(0)) / n
    n_effective = _n_effective(ratings, spread)
    low: float | None = None
    high: float | None = None
    if len(ratings) > 1:
        if sequential:
            low, high = _sequence(mean, n_effective, sequential)
        elif not spread:
            low, high = _wilson(float(mean), float(n_effective), _t(kish))
        else:
            # As for a rate: of people who contradict themselves no more is known than of others.
            half = _t(kish) * math.sqrt(spread / n_effective)
            low, high = max(0.0, float(mean) - half), min(1.0, float(mean) + half)
    return _r(mean, low, high, n, n_effective)


def difference(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Make the D of two R by Newcombe's hybrid."""
    found = {"a": a, "b": b, "difference": None, "low": None, "high": None, "verdict": "undecided"}
    if a["value"] is None or b["value"] is None:
        return found
    found["difference"] = between = b["value"] - a["value"]
    if a["low"] is None or b["low"] is None:
        return found
    low = between - math.hypot(b["value"] - b["low"], a["high"] - a["value"])
    high = between + math.hypot(b["high"] - b["value"], a["value"] - a["low"])
    verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
    return found | {"low": low, "high": high, "verdict": verdict}


def agreement(tp: int, fp: int, fn: int, tn: int) -> dict[str, float | None]:
    """Give the observed agreement, Cohen's kappa, Gwet's AC1 and the majority baseline."""
    n = tp + fp + fn + tn
    if not n:
        return {"agreement": None, "kappa": None, "ac1": None, "majority": None}
    observed = Fraction(tp + tn, n)
    judge, people = Fraction(tp + fp, n), Fraction(tp + fn, n)
    chance = judge * people + (1 - judge) * (1 - people)
    yes = (judge + people) / 2
    gwet = 2 * yes * (1 - yes)
    return {
        "agreement": float(observed),
        "kappa": float((observed - chance) / (1 - chance)) if chance != 1 else None,
        "ac1": float((observed - gwet) / (1 - gwet)),
        "majority": float(max(people, 1 - people)),
    }


def _r(p: Fraction, low: Any, high: Any, n: int, n_effective: Fraction) -> dict[str, Any]:
    return {
        "value": float(p),
        "low": low,
        "high": high,
        "n": n,
        "n_effective": float(n_effective),
    }


def _sizes(clusters: Clusters) -> tuple[int, Fraction, Fraction]:
    """Give n, the mean, and n² / Σn_i²."""
    n = sum(map(len, clusters.values()))
    if not n:
        return 0, Fraction(0), Fraction(0)
    every = [Fraction(value) for values in clusters.values() for value in values]
    total = sum(every, Fraction(0))
    return n, total / n, Fraction(n * n, sum(len(values) ** 2 for values in clusters.values()))


def _n_effective(clusters: Clusters, variance: Fraction) -> Fraction:
    n, mean, kish = _sizes(clusters)
    if len(clusters) < 2 or not variance:
        return kish
    return n / max(Fraction(1), _clustered_variance(clusters, n, mean) / (variance / n))


def _clustered_variance(clusters: Clusters, n: int, mean: Fraction) -> Fraction:
    found = Fraction(0)
    for values in clusters.values():
        residual = sum(map(Fraction, values)) - mean * len(values)
        found += residual**2 / (1 - Fraction(len(values), n))
    return found / n**2


def _t(kish: Fraction) -> float:
    return float(scipy.stats.t.ppf(0.975, max(1.0, float(kish - 1))))


def _wilson(p: float, n: float, z: float) -> tuple[float, float]:
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _sequence(p: Fraction, n: Fraction, min_count: int) -> tuple[float, float]:
    size = float(n)
    log = -2 * math.log(0.05)
    rho2 = (log + math.log(log) + 1) / min_count
    shrunk = (float(p) * size + 1) / (size + 2)
    width = 2 * (size * rho2 + 1) / (size**2 * rho2) * math.log(math.sqrt(size * rho2 + 1) / 0.05)
    half = math.sqrt(shrunk * (1 - shrunk)) * math.sqrt(width)
    return max(0.0, float(p) - half), min(1.0, float(p) + half)
