"""How far a judge agrees with people, beyond what chance would give.

Cohen, J. (1960), *A coefficient of agreement for nominal scales*; Gwet, K. L. (2008), *Computing
inter-rater reliability and its variance in the presence of high agreement*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_feedback.insight.libraries import needed
from agent_feedback.insight.statistics.estimates import NOTHING, Estimate

_DRAWS = 2_000
_SEED = 20_260_101
_CELLS = ((True, True), (True, False), (False, True), (False, False))


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge and people.

    Attributes:
        observed: On which share of the traces they agree.
        kappa: Cohen's; unknown where both always say the same one word.
        ac1: Gwet's, which does not fall where nearly everything is good.
        majority: What always saying people's more frequent word would reach; ``None`` of nothing.
    """

    observed: Estimate
    kappa: Estimate
    ac1: Estimate
    majority: float | None


def agreement(pairs: Counter[tuple[bool, bool]]) -> Agreement:
    """How far they agree, with intervals by bootstrap: each trace is a pair, so pairs are drawn.

    Args:
        pairs: How many traces there are of each (judge said yes, people said yes).
    """
    n = sum(pairs.values())
    if n == 0:
        return Agreement(NOTHING, NOTHING, NOTHING, None)
    numpy = needed("numpy")
    table = numpy.array([pairs[cell] for cell in _CELLS], dtype=float) / n
    draws = numpy.random.default_rng(_SEED).multinomial(n, table, size=_DRAWS) / n
    people_say_yes = float(table[0] + table[2])
    return Agreement(
        observed=_estimate(_observed, table, draws, n),
        kappa=_estimate(_kappa, table, draws, n),
        ac1=_estimate(_ac1, table, draws, n),
        majority=max(people_say_yes, 1 - people_say_yes),
    )


def _estimate(measure: Callable[[Any], Any], table: Any, draws: Any, n: int) -> Estimate:
    numpy = needed("numpy")
    value = float(measure(table))
    if numpy.isnan(value):
        return Estimate(None, None, None, n, float(n))
    low, high = numpy.nanpercentile(measure(draws), [2.5, 97.5])
    return Estimate(value, float(low), float(high), n, float(n))


def _observed(shares: Any) -> Any:
    return shares[..., 0] + shares[..., 3]


def _kappa(shares: Any) -> Any:
    judge, people = _say_yes(shares)
    return _beyond_chance(_observed(shares), judge * people + (1 - judge) * (1 - people))


def _ac1(shares: Any) -> Any:
    judge, people = _say_yes(shares)
    either = (judge + people) / 2
    return _beyond_chance(_observed(shares), 2 * either * (1 - either))


def _say_yes(shares: Any) -> tuple[Any, Any]:
    return shares[..., 0] + shares[..., 1], shares[..., 0] + shares[..., 2]


def _beyond_chance(observed: Any, by_chance: Any) -> Any:
    """Not a number where chance alone gives full agreement."""
    numpy = needed("numpy")
    room = 1 - by_chance
    certain = numpy.isclose(room, 0.0)
    return numpy.where(certain, numpy.nan, (observed - by_chance) / numpy.where(certain, 1.0, room))
