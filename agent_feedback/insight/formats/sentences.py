"""The sentence that a report begins with: how good, how sure, and what to fix first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from agent_feedback.insight.content.report_values import (
    ComparisonResult,
    Condition,
    Gate,
    Judge,
    Report,
    ReportWindow,
)
from agent_feedback.insight.formats.wording import (
    MANY_RATINGS,
    MINUS,
    UNKNOWN,
    changed,
    counted,
    ends,
    interval,
    is_difference_thin,
    is_thin,
    one_line,
    people,
    percent,
    percent_of,
    period,
    points,
    points_difference,
    points_interval,
    stars,
    stars_difference,
    verdict_words,
    whole,
    with_thin,
)
from agent_feedback.insight.statistics.estimates import Difference

_METRICS: Final[Mapping[str, str]] = MappingProxyType(
    {"positive_rate": "positive rate", "feedback_rate": "rated answers"}
)


_SHORTEST_FIX: Final = 8
"""Of what to fix first, fewer columns say nothing."""


def headline_sentence(report: Report, min_count: int) -> str:
    """What a manager wants to know, with how sure it is."""
    return f"{'; '.join(filter(None, [verdict(report, min_count), _fix(report, 60)]))}."


def headline_line(report: Report, min_count: int, width: int) -> str:
    """The same on one line of ``width`` columns: the longest form that fits."""
    from rich.cells import cell_len

    short = verdict(report, min_count, short=True)
    forms = [
        headline_sentence(report, min_count),
        _with_fix(report, short, width) or "",
        f"{short}.",
        f"{_shortest(report, min_count)}.",
    ]
    fitting = (form for form in forms if form and cell_len(form) <= width)
    return next(fitting, cut(forms[-1], width))


def cut(text: str, columns: int) -> str:
    """``text`` in so many columns of a terminal, where a Chinese letter takes two."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text, max(0, columns - 1)).rstrip()}…"


def verdict(report: Report, min_count: int, *, short: bool = False) -> str:
    """How good, how sure, and whether that changed: without its full stop."""
    said = _nothing(report, short=short) or _thin(report, min_count, short=short)
    if said:
        return said
    rate = report.headline.positive_rate
    sure = interval(rate) if short else f"95 %: {interval(rate)}"
    said = f"{percent_of(rate)} of {_thumbs(rate.n)} are positive ({sure})"
    change = _change(report, min_count, short=short)
    return f"{said}, {change}" if change else said


def rated_sentence(report: Report, min_count: int) -> str | None:
    """How many people rated how much of it."""
    headline = report.headline
    if not headline.rated_traces:
        return None
    rate = headline.feedback_rate
    return (
        f"{people(headline.people)} rated {whole(headline.rated_traces)} of"
        f" {_answers(headline.traces)}: {with_thin(percent_of(rate), rate.n, min_count)}."
    )


def change_sentence(report: Report, min_count: int) -> str | None:
    """How far the window is from the one before, in points with their intervals."""
    change = report.change
    found = ((change.positive_rate, "positive"), (change.feedback_rate, "rated"))
    said = [
        f"{what}{' (thin)' if is_difference_thin(each, min_count) else ''}"
        f" {points_difference(each)}"
        for each, what in found
        if each is not None
    ]
    return f"Since the {period(report.window)} before: {', '.join(said)}." if said else None


def change_since(
    found: Difference | None,
    window: ReportWindow,
    min_count: int,
    words: tuple[str, str] = ("better", "worse"),
) -> str | None:
    """Whether a rate changed, and what it was before."""
    said = changed(found, *words)
    if found is None or said is None:
        return None
    before = f"the {period(window)} before ({percent_of(found.a)}"
    if is_difference_thin(found, min_count):
        return f"too thin to compare with {before} of {whole(found.a.n)})"
    return f"{said} {'from' if found.verdict == 'undecided' else 'than'} {before})"


def groups_title(by: str | None) -> str:
    """``By version``."""
    return f"By {one_line(by, 60)}" if by else "Groups"


def comparison_sentence(comparison: ComparisonResult, min_count: int) -> str:
    """Which of two groups is better, if one is."""
    a, b = one_line(comparison.a, 40), one_line(comparison.b, 40)
    found = comparison.positive_rate
    if found.difference is None:
        return f"{b} and {a} cannot be compared: one of them has no thumbs."
    if is_difference_thin(found, min_count):
        thin = [side for side in (found.a, found.b) if is_thin(side.n, min_count)]
        have = "both have" if len(thin) == 2 else "one of them has"
        return (
            f"Too thin to say which of {b} and {a} is better: {have} fewer than {min_count} thumbs"
            f" (95 %: {points_interval(found)})."
        )
    if found.verdict == "undecided":
        return f"No clear difference between {b} and {a} (95 %: {points_interval(found)})."
    return f"{b} is {changed(found)} than {a} (95 %: {points_interval(found)})."


def comparison_rows(
    comparison: ComparisonResult, scale: int, min_count: int
) -> Iterator[tuple[str, str, str, str, str]]:
    """What is compared, one side and the other, how far they are apart, and the verdict."""
    found = comparison.positive_rate
    sides = [_side(percent_of(side), side.n, min_count) for side in (found.a, found.b)]
    apart, said = points_difference(found), verdict_words(found, min_count)
    yield "positive thumbs", sides[0], sides[1], apart, said
    for name, each in comparison.dimensions.items():
        sides = [
            _side(stars(None if side.value is None else side.value * scale), side.n, min_count)
            for side in (each.a, each.b)
        ]
        apart, said = stars_difference(each, scale), verdict_words(each, min_count)
        yield name, sides[0], sides[1], apart, said


def spread_sentence(report: Report) -> str | None:
    """Whether few people speak for all."""
    coverage = report.coverage
    if coverage.top_rater_share is None or coverage.people_for_half is None:
        return None
    share = f"{100 * coverage.top_rater_share:.0f} %"
    half = people(coverage.people_for_half)
    return f"The person who rated most gave {share} of the ratings; {half} gave half of them."


def judge_sentence(judge: Judge, min_count: int) -> str:
    """Whether a judge says more than people's more frequent word would, if that can be said."""
    answers = _answers(judge.n)
    if is_thin(judge.n, min_count):
        return f"On {answers}: thin, fewer than {min_count}, so it says nothing about the judge."
    if judge.majority is None or judge.agreement.low is None or judge.agreement.high is None:
        return f"On {answers}."
    reach = percent(judge.majority, judge.agreement.n_effective)
    if judge.agreement.low > judge.majority:
        return f"On {answers}: better than always saying the more frequent word ({reach})."
    if judge.agreement.high < judge.majority:
        return f"On {answers}: worse than always saying the more frequent word ({reach})."
    return f"On {answers}: not clearly better than always saying the more frequent word ({reach})."


def condition_words(condition: Condition, window: ReportWindow) -> str:
    """What a condition of the gate asks for."""
    metric, bound = condition.metric, f"{100 * condition.bound:g} %"
    if metric == "change.positive_rate":
        return f"positive rate not worse than the {period(window)} before"
    if metric == "comparison.positive_rate":
        return "positive rate not worse in the comparison"
    if metric.startswith("dimension:"):
        name = one_line(metric.removeprefix("dimension:"), 60)
        return f"{name} at least {condition.bound:g} of 1"
    return f"{_METRICS.get(metric, metric)} at least {bound}"


def condition_value(condition: Condition) -> str:
    """What a condition found."""
    if condition.value is None:
        return UNKNOWN
    if condition.metric.endswith(".positive_rate"):
        return f"{'+' if condition.value > 0 else MINUS}{points(condition.value)}"
    if condition.metric.startswith("dimension:"):
        return f"{condition.value:.2f} of 1"
    # Beside its bound a value needs a decimal, however few ratings it is made of.
    return percent(condition.value, MANY_RATINGS)


def outcome(met: bool | None) -> str:
    """Whether a condition is met."""
    return {True: "met", False: "not met", None: "too little data to say"}[met]


def gate_sentence(gate: Gate) -> str:
    """The outcome of all conditions."""
    if gate.passed is None:
        return "The gate is undecided: there is too little data to say."
    return "The gate is passed." if gate.passed else "The gate is not passed."


def _nothing(report: Report, *, short: bool) -> str | None:
    headline = report.headline
    if not headline.traces:
        said, more = "No answers in this window", ", so there is nothing to rate"
    elif not headline.rated_traces:
        said, more = "No ratings yet", f": nobody has rated one of {_answers(headline.traces)}"
    elif not headline.positive_rate.n:
        rated = f"{whole(headline.rated_traces)} of {_answers(headline.traces)}"
        said, more = "No thumbs yet", f": {people(headline.people)} rated {rated} in other ways"
    else:
        return None
    return said if short else said + more


def _thin(report: Report, min_count: int, *, short: bool) -> str | None:
    headline, rate = report.headline, report.headline.positive_rate
    if not is_thin(rate.n, min_count):
        return None
    sure = "" if short or ends(rate) is None else f" (95 %: {interval(rate)})"
    verb = "is" if rate.n == 1 else "are"
    return (
        f"{whole(headline.positive)} of {_thumbs(rate.n)} {verb} positive{sure}:"
        f" thin, fewer than {min_count}"
    )


def _shortest(report: Report, min_count: int) -> str:
    """The verdict in some twenty letters."""
    rate = report.headline.positive_rate
    return _nothing(report, short=True) or with_thin(
        f"{percent_of(rate)} positive", rate.n, min_count
    )


def _change(report: Report, min_count: int, *, short: bool) -> str | None:
    found = report.change.positive_rate
    said = changed(found)
    # Of a thin rate before, nothing is worth a headline.
    if found is None or said is None or found.a.n < min_count:
        return None
    if short:
        return said
    link = "from" if found.verdict == "undecided" else "than"
    return f"{said} {link} the {period(report.window)} before"


def _fix(report: Report, longest: int) -> str | None:
    first = next(iter(report.fix_first), None)
    if first is None:
        return None
    return f"fix first: “{one_line(first.what, longest)}” ({people(first.people)})"


def _with_fix(report: Report, said: str, width: int) -> str | None:
    """``said`` and what to fix first, cut to the room that is left; ``None`` where that is none."""
    from rich.cells import cell_len

    first = next(iter(report.fix_first), None)
    if first is None:
        return None
    before, after = f"{said}; fix first: “", f"” ({people(first.people)})."
    what, room = one_line(first.what, 60), width - cell_len(before + after)
    if room < min(cell_len(what), _SHORTEST_FIX):
        return None
    return f"{before}{cut(what, room)}{after}"


def _side(value: str, n: int, min_count: int) -> str:
    return with_thin(f"{value} from {whole(n)}", n, min_count) if n else UNKNOWN


def _thumbs(number: int) -> str:
    return counted(number, "thumb", "thumbs")


def _answers(number: int) -> str:
    return counted(number, "answer", "answers")
