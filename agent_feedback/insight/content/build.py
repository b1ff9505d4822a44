"""Makes a report of what was counted: the statistics are applied here, whatever the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, TypedDict

from agent_feedback.insight.content.coverage import coverage
from agent_feedback.insight.content.findings import fix_first
from agent_feedback.insight.content.links import trace_link
from agent_feedback.insight.content.notes import notes
from agent_feedback.insight.content.report_values import (
    AgreementTable,
    Apart,
    Bucket,
    Change,
    ComparisonResult,
    Dimension,
    ExperimentName,
    Group,
    Headline,
    Judge,
    Report,
    ReportComment,
    ReportWindow,
    TimeToRating,
)
from agent_feedback.insight.definitions.aggregates import Aggregates, Comment, JudgeTable, Sums
from agent_feedback.insight.definitions.classes import is_dimension, shown_person
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import OTHER
from agent_feedback.insight.definitions.values import share
from agent_feedback.insight.definitions.window import iso
from agent_feedback.insight.statistics.agreement import agreement
from agent_feedback.insight.statistics.differences import difference
from agent_feedback.insight.statistics.estimates import Difference, Estimate
from agent_feedback.insight.statistics.means import mean
from agent_feedback.insight.statistics.rates import feedback_rate, positive_rate
from agent_feedback.model import DIMENSION_PREFIX, THUMB

MAX_COMMENTS: Final = 50


def build_report(
    counts: Aggregates,
    options: ReportOptions,
    *,
    experiments: tuple[ExperimentName, ...],
    source: Literal["mlflow", "warehouse"],
    made_at: int,
) -> Report:
    """The report of what was counted, without a gate.

    Args:
        counts: What the source counted.
        options: The options that it counted by.
        experiments: Whose traces they are.
        source: Where they are.
        made_at: The present time, in milliseconds since the epoch.
    """
    total, window = counts.total, options.window
    now = headline(total, options)
    before = headline(counts.previous, options) if counts.previous else None
    return Report(
        made_at=iso(made_at),
        experiments=experiments,
        window=ReportWindow(since=iso(window.since), until=iso(window.until)),
        source=source,
        headline=now,
        previous=before,
        change=_change(before, now),
        dimensions=dimensions(total, options),
        trend=_trend(counts, options),
        groups=_groups(counts, options),
        comparison=_comparison(counts, options),
        coverage=coverage(counts),
        time_to_rating=TimeToRating(median=counts.delay.median, p90=counts.delay.p90),
        fix_first=fix_first(counts.commented, total),
        comments=_comments(counts, options, experiments),
        judges=tuple(_judge(name, counts.judges[name]) for name in sorted(counts.judges)),
        apart=_apart(counts),
        gate=None,
        notes=notes(counts, options),
    )


def headline(sums: Sums, options: ReportOptions) -> Headline:
    """How many traces were rated, and how well."""
    return Headline(**_headline(sums, options))


def dimensions(sums: Sums, options: ReportOptions) -> dict[str, Dimension]:
    """The stars, by dimension."""
    return {
        _dimension(name): _dimension_of(sums.ratings[name], options)
        for name in sorted(sums.ratings)
        if name != THUMB
    }


class _Headline(TypedDict):
    """The members that a headline, a bucket and a group have in common."""

    traces: int
    rated_traces: int
    feedback_rate: Estimate
    people: int
    positive: int
    negative: int
    positive_rate: Estimate


def _headline(sums: Sums, options: ReportOptions) -> _Headline:
    positive, negative = sums.thumbs()
    return {
        "traces": sums.traces,
        "rated_traces": sums.rated_traces,
        "feedback_rate": feedback_rate(sums, options),
        "people": len(sums.answers),
        "positive": positive,
        "negative": negative,
        "positive_rate": positive_rate(sums, options),
    }


def _change(before: Headline | None, now: Headline) -> Change:
    if before is None:
        return Change(positive_rate=None, feedback_rate=None)
    return Change(
        positive_rate=_known(difference(before.positive_rate, now.positive_rate)),
        feedback_rate=_known(difference(before.feedback_rate, now.feedback_rate)),
    )


def _known(found: Difference) -> Difference | None:
    return None if found.difference is None else found


def _dimension_of(ratings: Counter[tuple[str, float]], options: ReportOptions) -> Dimension:
    distribution = Counter[str]()
    for (_, value), number in sorted(ratings.items(), key=lambda item: item[0][1]):
        distribution[f"{round(value, 4):g}"] += number
    estimate = mean(ratings, options)
    return Dimension(
        n=estimate.n,
        people=len({person for person, _ in ratings}),
        mean=estimate,
        stars=None if estimate.value is None else estimate.value * options.scale,
        distribution=dict(distribution),
    )


def _trend(counts: Aggregates, options: ReportOptions) -> tuple[Bucket, ...]:
    window = options.window
    return tuple(
        Bucket(
            start=iso(bucket.since),
            end=iso(bucket.until),
            **_headline(counts.buckets.get(window.bucket_of(bucket.since), Sums()), options),
        )
        for bucket in window.buckets()
    )


def _groups(counts: Aggregates, options: ReportOptions) -> tuple[Group, ...]:
    """The largest first, the rest of them last; days and hours in their order."""
    in_time = options.by is not None and not options.by.columns
    ordered = sorted(
        counts.groups.items(),
        key=lambda group: (group[0] == OTHER, 0 if in_time else -group[1].traces, group[0]),
    )
    return tuple(Group(key=key, **_headline(sums, options)) for key, sums in ordered)


def _comparison(counts: Aggregates, options: ReportOptions) -> ComparisonResult | None:
    if options.compare is None:
        return None
    a, b = counts.compared[options.compare.a], counts.compared[options.compare.b]
    names = sorted((a.ratings.keys() | b.ratings.keys()) - {THUMB})
    return ComparisonResult(
        key=options.compare.key.name,
        a=options.compare.a,
        b=options.compare.b,
        positive_rate=difference(positive_rate(a, options), positive_rate(b, options)),
        dimensions={
            _dimension(name): difference(
                mean(a.ratings.get(name, Counter()), options),
                mean(b.ratings.get(name, Counter()), options),
            )
            for name in names
        },
    )


def _comments(
    counts: Aggregates, options: ReportOptions, experiments: tuple[ExperimentName, ...]
) -> tuple[ReportComment, ...]:
    everything = [(trace, comment) for trace in counts.commented for comment in trace.comments]
    # Stable: comments of one moment stay in the order of their traces.
    newest = sorted(everything, key=lambda one: -one[1].at)[:MAX_COMMENTS]
    newest.sort(key=lambda one: not _is_negative(one[1]))
    only = experiments[0].id if len(experiments) == 1 else None
    return tuple(
        ReportComment(
            trace_id=trace.trace_id,
            person=shown_person(comment.person),
            value=comment.value,
            dimension=_dimension_or_none(comment.name),
            rationale=comment.rationale,
            reasons=comment.reasons,
            correction=comment.correction,
            at=iso(comment.at),
            link=trace_link(options.link_base, trace.experiment_id or only, trace.trace_id),
        )
        for trace, comment in newest
    )


def _is_negative(comment: Comment) -> bool:
    """Thumbs down, or fewer than half of the stars."""
    if comment.name == THUMB:
        return comment.value is False
    stars = share(comment.value)
    return stars is not None and stars < 0.5


def _judge(name: str, table: JudgeTable) -> Judge:
    found = agreement(table.pairs)
    pairs: Mapping[tuple[bool, bool], int] = table.pairs
    return Judge(
        name=name,
        n=sum(pairs.values()),
        agreement=found.observed,
        kappa=found.kappa,
        ac1=found.ac1,
        majority=found.majority,
        table=AgreementTable(
            tp=pairs.get((True, True), 0),
            fp=pairs.get((True, False), 0),
            fn=pairs.get((False, True), 0),
            tn=pairs.get((False, False), 0),
        ),
        ties=table.ties,
        disagreements=tuple(table.disagreements),
    )


def _apart(counts: Aggregates) -> Apart:
    return Apart(
        developer=counts.apart["developer"],
        judge=counts.apart["judge"],
        code=counts.apart["code"],
        signal=dict(sorted(counts.signals.items())),
    )


def _dimension(name: str) -> str:
    return name.removeprefix(DIMENSION_PREFIX)


def _dimension_or_none(name: str) -> str | None:
    return _dimension(name) if is_dimension(name) else None
