"""Numbers that say how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate or a mean with its 95 % interval.

    Attributes:
        value: Between 0 and 1 (-1 and 1 for an agreement beyond chance); ``None`` where ``n`` is 0.
        low: Where the interval begins; ``None`` where nothing can be said.
        high: Where it ends.
        n: How many ratings (traces, for a rate of traces) it is made of.
        n_effective: The effective sample size: how many ratings of as many independent people
            would say as much.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_effective: float


NOTHING: Final = Estimate(None, None, None, 0, 0.0)
"""The estimate of no ratings at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far ``b`` is above ``a``, with a 95 % interval.

    Attributes:
        verdict: ``better`` or ``worse`` where the interval leaves 0 out.
    """

    a: Estimate
    b: Estimate
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict
