"""Conditions that a report has to meet, for a deployment to go on."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.content.report_values import Condition, Gate, Report
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.statistics.estimates import NOTHING, Difference, Estimate

_FORM = re.compile(r"(positive_rate|feedback_rate|dimension:.+)=([0-9]*\.?[0-9]+)")


@dataclass(frozen=True, slots=True)
class Bound:
    """``--fail-under METRIC=VALUE``: the least value that will do."""

    metric: str
    least: float


def bound(text: str) -> Bound:
    """A bound as a person writes it.

    Raises:
        ConfigurationError: there is no such metric, or the value is not one from 0 to 1.
    """
    found = _FORM.fullmatch(text)
    if found is None or float(found[2]) > 1:
        raise ConfigurationError(
            "--fail-under is METRIC=VALUE: positive_rate, feedback_rate or dimension:NAME, and a"
            " number from 0 to 1."
        )
    return Bound(found[1], float(found[2]))


def with_gate(
    report: Report, options: ReportOptions, bounds: Sequence[Bound], *, fail_if_worse: bool
) -> Report:
    """The report with the outcome of these conditions; as it is where there are none."""
    conditions = [_not_under(report, one, options) for one in bounds]
    if fail_if_worse:
        conditions.append(_not_worse(report, options))
    if not conditions:
        return report
    outcomes = {condition.met for condition in conditions}
    passed = False if False in outcomes else None if None in outcomes else True
    return replace(report, gate=Gate(passed=passed, conditions=tuple(conditions)))


def value_of(report: Report, metric: str) -> Estimate:
    """The estimate that a metric names; that of no ratings for a dimension that has none."""
    if metric == "positive_rate":
        return report.headline.positive_rate
    if metric == "feedback_rate":
        return report.headline.feedback_rate
    dimension = report.dimensions.get(metric.removeprefix("dimension:"))
    return dimension.mean if dimension else NOTHING


def _not_under(report: Report, one: Bound, options: ReportOptions) -> Condition:
    found = value_of(report, one.metric)
    return Condition(
        metric=one.metric,
        bound=one.least,
        value=found.value,
        n=found.n,
        met=_is_met(found, one.least, options),
    )


def _is_met(found: Estimate, least: float, options: ReportOptions) -> bool | None:
    if found.value is None or found.n < options.min_count:
        return None
    # Looked at often, a value falls below by chance: only an interval below it is a miss.
    best = found.high if options.sequential and found.high is not None else found.value
    # A mean of stars that is its bound may be a last digit beside it.
    return best >= least or math.isclose(best, least, rel_tol=1e-12)


def _not_worse(report: Report, options: ReportOptions) -> Condition:
    compared: Difference | None
    if report.comparison:
        metric, compared = "comparison.positive_rate", report.comparison.positive_rate
    else:
        metric, compared = "change.positive_rate", report.change.positive_rate
    n = min(compared.a.n, compared.b.n) if compared else 0
    return Condition(
        metric=metric,
        bound=0.0,
        value=compared.difference if compared else None,
        n=n,
        met=compared.verdict != "worse" if compared and n >= options.min_count else None,
    )
