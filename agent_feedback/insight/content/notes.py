"""What a reader of the numbers should know, one sentence each."""

from __future__ import annotations

from agent_feedback.insight.definitions.aggregates import MAX_COMMENTED, Aggregates
from agent_feedback.insight.definitions.options import ReportOptions

NO_TRACES = "No traces began in this window: widen it with --since, or check --experiment."
NO_RATINGS = (
    "Nobody has rated an answer in this window yet: show <agent-feedback> beside each answer"
    " (docs/widget.md), or send ratings to POST /feedback."
)

SEQUENTIAL = (
    "Intervals are confidence sequences: made for being looked at often, and wider than intervals"
    " for one look."
)


def notes(counts: Aggregates, options: ReportOptions) -> tuple[str, ...]:
    """The sentences, the most important first."""
    return tuple(sentence for sentence in _sentences(counts, options) if sentence)


def _sentences(counts: Aggregates, options: ReportOptions) -> list[str | None]:
    left_out = counts.left_out
    return [
        _emptiness(counts),
        _thinness(counts, options),
        SEQUENTIAL if options.sequential else None,
        _counted(
            left_out["unclear_thumbs"],
            "thumb is neither yes nor no and is in no positive rate.",
            "thumbs are neither yes nor no and are in no positive rate.",
        ),
        _counted(
            left_out["unclear_ratings"],
            "rating of a dimension is not a number from 0 to 1 and is in no mean.",
            "ratings of dimensions are not numbers from 0 to 1 and are in no mean.",
        ),
        _counted(
            left_out["excluded_people"],
            "assessment by an excluded person is left out.",
            "assessments by excluded people are left out.",
        ),
        *(
            _counted(
                table.unclear,
                f"value of the judge {name} is neither yes nor no and is not compared.",
                f"values of the judge {name} are neither yes nor no and are not compared.",
            )
            for name, table in sorted(counts.judges.items())
        ),
        f"Comments, reasons and themes are those of the newest {MAX_COMMENTED:,} traces that have"
        " some."
        if counts.more_commented
        else None,
    ]


def _emptiness(counts: Aggregates) -> str | None:
    if not counts.total.traces:
        return NO_TRACES
    return None if counts.total.rated_traces else NO_RATINGS


def _thinness(counts: Aggregates, options: ReportOptions) -> str | None:
    thumbs = sum(counts.total.thumbs())
    if not 0 < thumbs < options.min_count:
        return None
    return (
        f"The positive rate is thin: {thumbs} {'thumb' if thumbs == 1 else 'thumbs'}, fewer than"
        f" the {options.min_count} that it takes to judge by it."
    )


def _counted(number: int, one: str, several: str) -> str | None:
    return f"{number:,} {one if number == 1 else several}" if number else None
