"""Whether one rate or mean is better than another.

Newcombe, R. G. (1998), *Interval estimation for the difference between independent proportions*:
his hybrid of the two intervals (method 10).
"""

from __future__ import annotations

import math

from agent_feedback.insight.statistics.estimates import Difference, Estimate, Verdict


def difference(a: Estimate, b: Estimate) -> Difference:
    """How far ``b`` is above ``a``; nothing where one of them is unknown or has no interval."""
    if a.value is None or b.value is None:
        return Difference(a, b, None, None, None, "undecided")
    found = b.value - a.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Difference(a, b, found, None, None, "undecided")
    low = found - math.hypot(b.value - b.low, a.high - a.value)
    high = found + math.hypot(b.high - b.value, a.value - a.low)
    return Difference(a, b, found, low, high, _verdict(low, high))


def _verdict(low: float, high: float) -> Verdict:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"
