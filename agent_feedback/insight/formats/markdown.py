"""A report as Markdown, for a pull request or a chat: short, with people's text as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent_feedback.insight.content.report_values import Gate, Report, ReportComment
from agent_feedback.insight.formats import sentences
from agent_feedback.insight.formats.trace_links import TraceLinks
from agent_feedback.insight.formats.wording import (
    UNKNOWN,
    interval,
    one_line,
    people,
    percent,
    percent_of,
    period,
    rating_words,
    scale_of,
    short_id,
    stars,
    stars_interval,
    whole,
    window_words,
    with_thin,
)
from agent_feedback.insight.statistics.estimates import Estimate

_MAX_FINDINGS: Final = 5
_MAX_COMMENTS: Final = 3
_MAX_GROUPS: Final = 10
_LONGEST: Final = 280
_NO_ID: Final = re.compile(r"[^A-Za-z0-9_:/.-]")
_JOINER: Final = "\N{WORD JOINER}"
_MARKUP: Final = re.compile(r"([\\`*_\[\]|~$])")
_BEGINS_BLOCK: Final = re.compile(r"^([0-9]{0,9})([-+=#.)])")
# What sites make a link, a mention or a reference of after rendering, so that no escape stops it.
_LINKED: Final = re.compile(r"(?<=[@#!$%&~:])(?=\w)|(?<=:)(?=//)|(?<=www)(?=\.)|^(?=/)", re.I)


def as_markdown(report: Report, *, min_count: int, by: str | None = None) -> str:
    """The report in short.

    Args:
        report: What to show.
        min_count: Below this many ratings a number is called thin.
        by: What the groups have in common.
    """
    links = TraceLinks(report)
    names = ", ".join(escaped(experiment.name) for experiment in report.experiments)
    about = " · ".join(filter(None, [names, window_words(report.window)]))
    blocks = [
        f"**{escaped(sentences.headline_sentence(report, min_count), longest=None)}**",
        *_escaped(sentences.rated_sentence(report, min_count)),
        *_numbers(report, min_count),
        *(_gate(report.gate, report) if report.gate else ()),
        *_fix_first(report, links),
        *_comparison(report, min_count),
        *_groups(report, min_count, by),
        *_judges(report, min_count),
        *_comments(report, links),
        "\n".join(f"- {escaped(note)}" for note in report.notes),
        f"*{about}*",
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def escaped(text: str, longest: int | None = _LONGEST) -> str:
    """People's text as text: no markup, link, picture, mention, reference or HTML comes of it."""
    line = _LINKED.sub(_JOINER, one_line(text, longest))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _BEGINS_BLOCK.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", line))


def _escaped(sentence: str | None) -> Iterator[str]:
    if sentence:
        yield escaped(sentence)


def _numbers(report: Report, min_count: int) -> Iterator[str]:
    now, before = report.headline, report.previous
    if not now.rated_traces:
        return
    scale = scale_of(report.dimensions)
    rows = [
        ("positive thumbs", now.positive_rate, before.positive_rate if before else None),
        ("rated answers", now.feedback_rate, before.feedback_rate if before else None),
    ]
    lines = [
        _row("", "now", "95 % interval", f"the {period(report.window)} before", "from"),
        _row("---", "--:", "--:", "--:", "--:"),
    ]
    for name, rate, earlier in rows:
        was = with_thin(percent_of(earlier), earlier.n, min_count) if earlier else UNKNOWN
        lines.append(_row(name, percent_of(rate), interval(rate), was, _from(rate, min_count)))
    for name, dimension in report.dimensions.items():
        mean = dimension.mean
        value, sure = f"{stars(dimension.stars)} of {scale}", stars_interval(mean, scale)
        lines.append(_row(escaped(name), value, sure, UNKNOWN, _from(mean, min_count)))
    yield "\n".join(lines)


def _gate(gate: Gate, report: Report) -> Iterator[str]:
    lines = [f"**{sentences.gate_sentence(gate)}**", ""]
    for condition in gate.conditions:
        asked = escaped(sentences.condition_words(condition, report.window))
        found = sentences.condition_value(condition)
        lines.append(f"- {asked}: {found}, **{sentences.outcome(condition.met)}**")
    yield "\n".join(lines)


def _fix_first(report: Report, links: TraceLinks) -> Iterator[str]:
    findings = report.fix_first[:_MAX_FINDINGS]
    if findings:
        lines = [
            f"{number}. {escaped(finding.what, 80)}: {people(finding.people)},"
            f" {percent(finding.negative_share)} thumbs down"
            f" ({', '.join(_trace(trace_id, links) for trace_id in finding.examples)})"
            for number, finding in enumerate(findings, 1)
        ]
        yield "\n".join(["**Fix first**", "", *lines])


def _comparison(report: Report, min_count: int) -> Iterator[str]:
    found = report.comparison
    if found is None:
        return
    yield escaped(sentences.comparison_sentence(found, min_count))
    rows = sentences.comparison_rows(found, scale_of(report.dimensions), min_count)
    lines = [
        _row("", escaped(found.a, 60), escaped(found.b, 60), "difference, 95 %", "verdict"),
        _row("---", "--:", "--:", "--:", "---"),
        *(_row(escaped(name, 60), *numbers) for name, *numbers in rows),
    ]
    yield "\n".join(lines)


def _groups(report: Report, min_count: int, by: str | None) -> Iterator[str]:
    if not report.groups:
        return
    yield f"**{escaped(sentences.groups_title(by))}**"
    lines = [
        _row("", "positive", "95 % interval", "thumbs", "answers"),
        _row("---", "--:", "--:", "--:", "--:"),
    ]
    for group in report.groups[:_MAX_GROUPS]:
        rate = group.positive_rate
        name, thumbs = escaped(group.key, 60), _from(rate, min_count)
        lines.append(_row(name, percent_of(rate), interval(rate), thumbs, whole(group.traces)))
    yield "\n".join(lines)
    if len(report.groups) > _MAX_GROUPS:
        yield f"{len(report.groups) - _MAX_GROUPS} more groups are in the other forms."


def _judges(report: Report, min_count: int) -> Iterator[str]:
    lines = [
        f"- judge {escaped(judge.name, 60)} agrees with people on {_sure(judge.agreement)}."
        f" {sentences.judge_sentence(judge, min_count)}"
        for judge in report.judges
        if judge.n
    ]
    yield "\n".join(lines)


def _comments(report: Report, links: TraceLinks) -> Iterator[str]:
    written = [comment for comment in report.comments if comment.rationale or comment.correction]
    scale = scale_of(report.dimensions)
    for comment in written[:_MAX_COMMENTS]:
        yield "\n".join(f"> {line}" for line in _comment_lines(comment, scale, links))


def _comment_lines(comment: ReportComment, scale: int, links: TraceLinks) -> Iterator[str]:
    if comment.rationale:
        yield escaped(comment.rationale) + "  "
    if comment.correction:
        yield f"Should be: {escaped(comment.correction)}  "
    reasons = "".join(f", {escaped(reason)}" for reason in comment.reasons)
    yield f"({escaped(rating_words(comment, scale))}{reasons}; {_trace(comment.trace_id, links)})"


def _from(rate: Estimate, min_count: int) -> str:
    return with_thin(whole(rate.n), rate.n, min_count)


def _sure(rate: Estimate) -> str:
    value, sure = percent_of(rate), interval(rate)
    return value if sure == UNKNOWN else f"{value} ({sure})"


def _trace(trace_id: str, links: TraceLinks) -> str:
    """A trace's id, linked to its page; whole where there is no link to follow."""
    link = links(trace_id)
    if link is None or one_line(link) != link or set(link) & set("<> "):
        return f"`{_NO_ID.sub('', trace_id) or UNKNOWN}`"
    return f"[`{_NO_ID.sub('', short_id(trace_id)) or UNKNOWN}`](<{link}>)"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
