"""What to fix first: the reasons that people chose and the themes of what they wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent_feedback.insight.content.report_values import Finding
from agent_feedback.insight.content.themes import Said, themes_of
from agent_feedback.insight.definitions.aggregates import CommentedTrace, Sums

MAX_THEMES: Final = 10
_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Thumbs:
    """How many thumbs are negative, of how many."""

    negative: int
    all: int

    @property
    def negative_share(self) -> float | None:
        """``None`` where there are none."""
        return self.negative / self.all if self.all else None

    def lift(self, total: Thumbs) -> float | None:
        """How many times the share of ``total`` this share is; ``None`` where one is missing."""
        if not (self.all and total.negative):
            return None
        return (self.negative * total.all) / (self.all * total.negative)

    def is_praise(self, total: Thumbs) -> bool:
        """Whether people were content here, and more so than on the whole."""
        if not self.all or 2 * self.negative > self.all:
            return False
        return self.negative == 0 or self.negative * total.all < total.negative * self.all


def fix_first(commented: Sequence[CommentedTrace], total: Sums) -> tuple[Finding, ...]:
    """Find what people complain about: what most people do comes first, then by lift.

    Praise is not in it, as reasons such as "correct", and thanks, are frequent, and nothing to fix.
    A reason or theme is praise if at most half of the thumbs on its traces are negative, and fewer,
    as a share, than on the window's rated traces, or none. What is on traces without thumbs stays,
    as nobody knows. There are at most :data:`MAX_THEMES` themes; themes of one name are one.

    Args:
        commented: Traces with comments.
        total: The sums of the window.

    Raises:
        ReportError: There are comments, and scikit-learn, which finds their themes, is missing.
    """
    positive, negative = total.thumbs()
    of_window = Thumbs(negative, negative + positive)
    traces = {trace.trace_id: trace for trace in commented}
    reasons = _findings("reason", _reasons(commented), traces, of_window)
    themes = _findings("theme", _themes(commented), traces, of_window)
    return tuple(sorted([*reasons, *sorted(themes, key=_rank)[:MAX_THEMES]], key=_rank))


def _rank(finding: Finding) -> tuple[int, float, str, str]:
    lift = -1.0 if finding.lift is None else finding.lift
    return -finding.people, -lift, finding.kind, finding.what


_People = dict[str, set[str]]
"""The people of a reason or theme, by trace."""


def _reasons(commented: Iterable[CommentedTrace]) -> dict[str, _People]:
    by_reason: dict[str, _People] = {}
    for trace in commented:
        for comment in trace.comments:
            for reason in comment.reasons:
                if reason.strip():
                    people = by_reason.setdefault(reason, {})
                    people.setdefault(trace.trace_id, set()).add(comment.person)
    return by_reason


def _themes(commented: Iterable[CommentedTrace]) -> dict[str, _People]:
    by_theme: dict[str, _People] = {}
    for theme in themes_of(_said(commented)):
        people = by_theme.setdefault(theme.name, {})
        for comment in theme.comments:
            people.setdefault(comment.trace_id, set()).add(comment.person)
    return by_theme


def _said(commented: Iterable[CommentedTrace]) -> Iterator[Said]:
    for trace in commented:
        for comment in trace.comments:
            if comment.rationale:
                yield Said(comment.rationale, comment.person, trace.trace_id)


def _findings(
    kind: Literal["reason", "theme"],
    groups: dict[str, _People],
    traces: dict[str, CommentedTrace],
    of_window: Thumbs,
) -> Iterator[Finding]:
    for what, people in groups.items():
        on = [traces[trace_id] for trace_id in people]
        negative = sum(trace.negative for trace in on)
        thumbs = Thumbs(negative, negative + sum(trace.positive for trace in on))
        if not thumbs.is_praise(of_window):
            yield Finding(
                what=what,
                kind=kind,
                people=len(set().union(*people.values())),
                traces=len(on),
                negative_share=thumbs.negative_share,
                lift=thumbs.lift(of_window),
                examples=_examples(on),
            )


def _examples(traces: Iterable[CommentedTrace]) -> tuple[str, ...]:
    """Those that people were not content with, the newest first."""
    ordered = sorted(
        traces,
        key=lambda trace: (trace.negative <= trace.positive, -trace.started_at, trace.trace_id),
    )
    return tuple(trace.trace_id for trace in ordered[:_EXAMPLES])
