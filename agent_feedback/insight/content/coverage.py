"""Who rates and who does not."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from agent_feedback.insight.content.report_values import Coverage, Part
from agent_feedback.insight.definitions.aggregates import Aggregates, TraceStatistics


def coverage(counts: Aggregates) -> Coverage:
    """How rated traces differ from the others, and how much of the rating few people do."""
    answers = sorted(counts.total.answers.values(), reverse=True)
    return Coverage(
        rated=_part(counts.rated),
        unrated=_part(counts.unrated),
        top_rater_share=answers[0] / sum(answers) if answers else None,
        people_for_half=_people_for_half(answers) if answers else None,
    )


def _people_for_half(answers: Iterable[int]) -> int:
    sums = list(accumulate(answers))
    return next(people for people, sum_ in enumerate(sums, 1) if 2 * sum_ >= sums[-1])


def _part(traces: TraceStatistics) -> Part:
    return Part(
        traces=traces.traces,
        seconds_median=traces.seconds_median,
        error_rate=traces.errors / traces.traces if traces.traces else None,
    )
