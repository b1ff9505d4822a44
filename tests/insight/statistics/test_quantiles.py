"""Medians and other quantiles."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_feedback.insight.statistics.quantiles import quantile
from tests.insight.statistics.people import PURE

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@PURE
@given(values)
def test_the_median_is_that_of_the_standard_library(values: list[float]) -> None:
    """Of an even number of values, it is halfway between the two in the middle."""
    assert quantile(values, 0.5) == pytest.approx(statistics.median(values), abs=1e-6)


@PURE
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_p90_is_that_of_the_standard_library(values: list[float]) -> None:
    """It is interpolated linearly between the values, the least and the greatest included."""
    ninth = statistics.quantiles(values, n=10, method="inclusive")[8]
    assert quantile(values, 0.9) == pytest.approx(ninth, abs=1e-6)


@PURE
@given(values=values, share=st.floats(0, 1))
def test_a_quantile_is_numpys(values: list[float], share: float) -> None:
    """Whatever the share."""
    assert quantile(values, share) == float(np.quantile(values, share))


def test_there_is_none_of_nothing() -> None:
    """It is absent knowledge, not 0."""
    assert quantile([], 0.5) is None
