"""The variance of a mean whose ratings are clustered: people gave several each."""

from __future__ import annotations

import math
from collections.abc import Sequence


def clustered_variance(people: Sequence[tuple[int, float]], mean: float) -> float:
    """The variance of the mean of all ratings, from how far people's sums are from it.

    Each person's part is divided by ``1 - n_i/n``: without that, whoever gave most of the ratings
    would pull the mean towards themselves and then seem to agree with it.

    Args:
        people: How many ratings each person gave, and their sum; at least two people.
        mean: Of all ratings.
    """
    n = sum(number for number, _ in people)
    parts = ((sum_ - mean * number) ** 2 / (1 - number / n) for number, sum_ in people)
    return math.fsum(parts) / (n * n)
