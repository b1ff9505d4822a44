"""A report as plain text that fits a terminal; its first line says what a manager wants to know."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from agent_feedback.insight.content.report_values import Headline, Report
from agent_feedback.insight.formats import sentences
from agent_feedback.insight.formats.wording import (
    UNKNOWN,
    day_and_hour,
    duration,
    fraction,
    fraction_interval,
    interval,
    one_line,
    percent,
    percent_of,
    period,
    rating_words,
    scale_of,
    stars,
    stars_interval,
    whole,
    window_words,
    with_thin,
)

if TYPE_CHECKING:
    from rich.console import Console

_MAX_COMMENTS: Final = 8
_LONGEST: Final = 60
_SHORT: Final = 24
_ID_LENGTH: Final = 36
_INDENT: Final = 2
_HEADLINE: Final = ("", "positive", "95 %", "thumbs", "people", "answers", "rated")


def as_table(report: Report, *, min_count: int, by: str | None = None, width: int = 100) -> str:
    """The report as text.

    Args:
        report: What to show.
        min_count: Below this many ratings a number is called thin.
        by: What the groups have in common.
        width: How many columns there are.
    """
    page = _Page(report, min_count, width)
    page.line(sentences.headline_line(report, min_count, width))
    page.about()
    if report.headline.rated_traces:
        page.numbers()
        page.fix_first()
        page.dimensions()
        page.groups(sentences.groups_title(by))
        page.comparison()
        page.judges()
        page.coverage()
        page.comments()
    page.apart()
    page.gate()
    page.notes()
    return page.text()


class _Page:
    """The text so far. Each section is there only where it has something to say."""

    def __init__(self, report: Report, min_count: int, width: int) -> None:
        from rich.console import Console

        self._report = report
        self._min_count = min_count
        self._file = io.StringIO()
        # Whatever the environment says: the text may go to a file, and people's text is in it.
        self._console: Console = Console(
            file=self._file,
            width=width,
            color_system=None,
            force_terminal=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def text(self) -> str:
        lines = (line.rstrip() for line in self._file.getvalue().splitlines())
        return "\n".join(lines).rstrip() + "\n"

    def line(self, text: str, indent: int = 0) -> None:
        from rich.padding import Padding
        from rich.text import Text

        self._console.print(Padding(Text(one_line(text), overflow="fold"), (0, 0, 0, indent)))

    def about(self) -> None:
        names = ", ".join(one_line(each.name, _LONGEST) for each in self._report.experiments)
        about = " · ".join(filter(None, [names, window_words(self._report.window)]))
        self.line(about)
        self._lines(sentences.rated_sentence(self._report, self._min_count))

    def numbers(self) -> None:
        before = self._report.previous
        rows = [_headline_row("now", self._report.headline, self._min_count)]
        if before and before.rated_traces:
            name = f"the {period(self._report.window)} before"
            rows.append(_headline_row(name, before, self._min_count))
        self._table(None, _HEADLINE, rows)
        self._lines(sentences.change_sentence(self._report, self._min_count), indent=_INDENT)

    def fix_first(self) -> None:
        rows = [
            (
                f"{one_line(finding.what, _LONGEST)} ({finding.kind})",
                whole(finding.people),
                whole(finding.traces),
                percent(finding.negative_share),
                UNKNOWN if finding.lift is None else f"{finding.lift:.1f}",
                next(iter(finding.examples), UNKNOWN),
            )
            for finding in self._report.fix_first
        ]
        titles = ("", "people", "answers", "down", "x usual", "<for example")
        self._table("Fix first", titles, rows)

    def dimensions(self) -> None:
        scale = scale_of(self._report.dimensions)
        rows = [
            (
                one_line(name, _LONGEST),
                stars(dimension.stars),
                stars_interval(dimension.mean, scale),
                self._number(dimension.n),
                whole(dimension.people),
            )
            for name, dimension in self._report.dimensions.items()
        ]
        self._table(f"Stars, of {scale}", ("", "mean", "95 %", "ratings", "people"), rows)

    def groups(self, title: str) -> None:
        rows = [
            _headline_row(one_line(group.key, _LONGEST), group, self._min_count)
            for group in self._report.groups
        ]
        self._table(title, _HEADLINE, rows)

    def comparison(self) -> None:
        found = self._report.comparison
        if found is None:
            return
        scale = scale_of(self._report.dimensions)
        self._title(f"Comparison by {one_line(found.key, _LONGEST)}")
        self.line(sentences.comparison_sentence(found, self._min_count), _INDENT)
        a, b = (one_line(side, _SHORT) for side in (found.a, found.b))
        rows = [
            (one_line(name, _SHORT), *more)
            for name, *more in sentences.comparison_rows(found, scale, self._min_count)
        ]
        self._table(None, ("", a, b, "difference, 95 %", "<verdict"), rows)

    def judges(self) -> None:
        rows = [
            (
                one_line(judge.name, _LONGEST),
                percent_of(judge.agreement),
                interval(judge.agreement),
                percent(judge.majority),
                _with(fraction(judge.kappa.value), fraction_interval(judge.kappa)),
                fraction(judge.ac1.value),
                self._number(judge.n),
                whole(judge.ties),
            )
            for judge in self._report.judges
        ]
        titles = ("", "agree", "95 %", "majority", "κ", "AC1", "answers", "ties")
        self._table("Judges, beside people", titles, rows)

    def coverage(self) -> None:
        coverage, delay = self._report.coverage, self._report.time_to_rating
        rows = [
            (
                name,
                whole(part.traces),
                duration(part.seconds_median),
                with_thin(percent(part.error_rate, part.traces), part.traces, self._min_count),
            )
            for name, part in (("rated", coverage.rated), ("not rated", coverage.unrated))
        ]
        self._table("Who rates, and what", ("", "answers", "median time", "failed"), rows)
        self._lines(sentences.spread_sentence(self._report), indent=_INDENT)
        if delay.median is not None:
            self.line(
                f"From answer to rating: {duration(delay.median)} at the median,"
                f" nine of ten within {duration(delay.p90)}.",
                _INDENT,
            )

    def comments(self) -> None:
        scale = scale_of(self._report.dimensions)
        for number, comment in enumerate(self._report.comments[:_MAX_COMMENTS]):
            if number == 0:
                self._title("Newest comments, on bad ratings first")
            said = [rating_words(comment, scale), *comment.reasons]
            what = one_line(", ".join(said), 2 * _LONGEST)
            self.line(f"{day_and_hour(comment.at)} · {what} · {comment.trace_id}", _INDENT)
            if comment.rationale:
                self.line(f"“{one_line(comment.rationale, 200)}”", 2 * _INDENT)
            if comment.correction:
                self.line(f"Should be: {one_line(comment.correction, 200)}", 2 * _INDENT)

    def apart(self) -> None:
        apart = self._report.apart
        numbers = {"developers": apart.developer, "judges": apart.judge, "code": apart.code}
        found = {f"by {who}": number for who, number in numbers.items()} | dict(apart.signal)
        said = [
            f"{whole(number)} {one_line(who, _LONGEST)}" for who, number in found.items() if number
        ]
        if said:
            self._title("In no rate")
            self.line(f"Assessments: {', '.join(said)}.", _INDENT)

    def gate(self) -> None:
        gate = self._report.gate
        if gate is None:
            return
        rows = [
            (
                sentences.condition_words(condition, self._report.window),
                sentences.condition_value(condition),
                whole(condition.n),
                sentences.outcome(condition.met),
            )
            for condition in gate.conditions
        ]
        self._table(sentences.gate_sentence(gate), ("", "found", "from", "<"), rows)

    def notes(self) -> None:
        if self._report.notes:
            self._title("Notes")
        for note in self._report.notes:
            self.line(note, _INDENT)

    def _number(self, n: int) -> str:
        return _number(n, self._min_count)

    def _lines(self, *texts: str | None, indent: int = 0) -> None:
        for text in filter(None, texts):
            self.line(text, indent)

    def _title(self, title: str) -> None:
        self._console.print()
        self.line(title)

    def _table(
        self, title: str | None, titles: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> None:
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        cells = [[one_line(cell) for cell in row] for row in rows]
        if not cells:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for number, each in enumerate(titles):
            left = number == 0 or each.startswith("<")
            table.add_column(
                Text(each.removeprefix("<")),
                justify="left" if left else "right",
                overflow="fold",
                # Of a number or an id in two pieces nobody can copy the whole.
                no_wrap=number > 0 and all(len(row[number]) <= _ID_LENGTH for row in cells),
            )
        for row in cells:
            table.add_row(*map(Text, row))
        self._title(title) if title else self._console.print()
        self._console.print(Padding(table, (0, 0, 0, _INDENT)))


def _headline_row(name: str, found: Headline, min_count: int) -> tuple[str, ...]:
    rate = found.positive_rate
    return (
        name,
        percent_of(rate),
        interval(rate),
        _number(rate.n, min_count),
        whole(found.people),
        whole(found.traces),
        with_thin(percent_of(found.feedback_rate), found.feedback_rate.n, min_count),
    )


def _number(n: int, min_count: int) -> str:
    return with_thin(whole(n), n, min_count)


def _with(value: str, sure: str) -> str:
    return value if sure == UNKNOWN else f"{value} ({sure})"
