"""Counts traces one by one: what every number of a report means, in Python.

The warehouse's SQL states the same rules; ``tests/insight/test_sources_agree.py`` holds them to it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

from agent_feedback.insight.definitions.aggregates import (
    MAX_COMMENTED,
    Aggregates,
    Delay,
    JudgeTable,
    Sums,
    TraceStatistics,
)
from agent_feedback.insight.definitions.classes import (
    AssessmentClass,
    ClassifiedAssessment,
    age,
    counted,
    is_dimension,
)
from agent_feedback.insight.definitions.comments import commented_trace, thumbs_of
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import MAX_GROUPS, OTHER
from agent_feedback.insight.definitions.values import share, thumb
from agent_feedback.insight.statistics.quantiles import quantile
from agent_feedback.model import THUMB, TraceRecord


def sums_of(trace: TraceRecord, options: ReportOptions) -> Sums:
    """What one trace adds to the headline and the dimensions of its window."""
    found, _ = counted(trace.assessments, trace.trace_id, trace.metadata, options)
    return _sums_of(_of_end_users(found))


class TraceCounter:
    """Adds up traces, in any order, without keeping those that nobody rated.

    Args:
        options: What to count. All traces must be of its window.
    """

    def __init__(self, options: ReportOptions) -> None:
        self._options = options
        self._counts = Aggregates()
        self._rated = _Traces()
        self._unrated = _Traces()
        self._group_sizes: Counter[str] = Counter()
        self._delays = array("d")
        self._disagreements: dict[str, list[tuple[int, str]]] = {}
        if compare := options.compare:
            self._counts.compared = {compare.a: Sums(), compare.b: Sums()}

    def add(self, trace: TraceRecord) -> None:
        """Count a trace and its assessments."""
        found: list[ClassifiedAssessment] = []
        if trace.assessments:
            found, excluded = counted(
                trace.assessments, trace.trace_id, trace.metadata, self._options
            )
            self._counts.left_out["excluded_people"] += excluded
        ratings = _of_end_users(found)
        (self._rated if ratings else self._unrated).add(trace)
        sums = _sums_of(ratings) if ratings else None
        for place in self._places(trace, is_rated=bool(ratings)):
            # Nearly all traces are unrated: no sums are made for them.
            if sums:
                place.add(sums)
            else:
                place.traces += 1
        if found:
            self._add_apart(found)
            self._add_judges(trace, found, ratings)
        if ratings:
            self._add_ratings(trace, ratings)

    def aggregates(self) -> Aggregates:
        """Everything that was counted. To be asked once, at the end."""
        counts = self._counts
        counts.groups = self._largest_groups()
        counts.rated = self._rated.statistics()
        counts.unrated = self._unrated.statistics()
        counts.delay = Delay(quantile(self._delays, 0.5), quantile(self._delays, 0.9))
        counts.left_out = +counts.left_out
        self._keep_newest_comments()
        for name, found in self._disagreements.items():
            counts.judges[name].disagreements = [trace_id for _, trace_id in sorted(found)]
        return counts

    def _places(self, trace: TraceRecord, *, is_rated: bool) -> Iterator[Sums]:
        """The sums that a trace is part of; of groups, there may be one for every trace."""
        counts, options = self._counts, self._options
        yield counts.total
        start = options.window.bucket_of(trace.started_at)
        if start not in counts.buckets:
            counts.buckets[start] = Sums()
        yield counts.buckets[start]
        if options.by:
            key = options.by.of(trace.started_at, trace.metadata, trace.tags)
            self._group_sizes[key] += 1
            if is_rated:
                yield counts.groups.setdefault(key, Sums())
        if options.compare:
            key = options.compare.key.of(trace.started_at, trace.metadata, trace.tags)
            if key in counts.compared:
                yield counts.compared[key]

    def _add_apart(self, found: list[ClassifiedAssessment]) -> None:
        for one in found:
            if one.of is AssessmentClass.SIGNAL:
                self._counts.signals[one.name] += 1
            elif one.of is not AssessmentClass.END_USER:
                self._counts.apart[one.of.value] += 1

    def _add_ratings(self, trace: TraceRecord, ratings: list[ClassifiedAssessment]) -> None:
        for rating in ratings:
            if rating.name == THUMB:
                unclear = thumb(rating.assessment.content.value) is None
                self._counts.left_out["unclear_thumbs"] += unclear
            elif is_dimension(rating.name):
                unclear = share(rating.assessment.content.value) is None
                self._counts.left_out["unclear_ratings"] += unclear
            if trace.duration_ms is not None:
                ended_at = trace.started_at + trace.duration_ms
                self._delays.append((rating.assessment.created_at - ended_at) / 1000)
        if commented := commented_trace(
            trace.trace_id, trace.experiment_id, trace.started_at, ratings
        ):
            self._counts.commented.append(commented)
            if len(self._counts.commented) > 2 * MAX_COMMENTED:
                self._keep_newest_comments()

    def _add_judges(
        self,
        trace: TraceRecord,
        found: list[ClassifiedAssessment],
        ratings: list[ClassifiedAssessment],
    ) -> None:
        latest: dict[str, ClassifiedAssessment] = {}
        for one in found:
            if one.of is AssessmentClass.JUDGE:
                latest[one.name] = max(
                    latest.get(one.name, one), one, key=lambda judged: age(judged.assessment)
                )
        positive, negative = thumbs_of(ratings)
        for name, judged in latest.items():
            table = self._counts.judges.setdefault(name, JudgeTable())
            verdict = thumb(judged.assessment.content.value)
            if verdict is None:
                table.unclear += 1
            elif positive == negative:
                table.ties += positive > 0
            else:
                people = positive > negative
                table.pairs[verdict, people] += 1
                if verdict is not people:
                    place = (-trace.started_at, trace.trace_id)
                    self._disagreements.setdefault(name, []).append(place)

    def _largest_groups(self) -> dict[str, Sums]:
        sizes = sorted(self._group_sizes.items(), key=lambda size: (-size[1], size[0]))
        groups: dict[str, Sums] = {}
        for position, (key, traces) in enumerate(sizes):
            shown = key if position < MAX_GROUPS else OTHER
            group = groups.setdefault(shown, Sums())
            # What is summed up for a key are its rated traces only.
            rated = self._counts.groups.get(key, Sums())
            group.add(rated)
            group.traces += traces - rated.traces
        return groups

    def _keep_newest_comments(self) -> None:
        commented = self._counts.commented
        commented.sort(key=lambda trace: (-trace.started_at, trace.trace_id))
        self._counts.more_commented |= len(commented) > MAX_COMMENTED
        del commented[MAX_COMMENTED:]


class _Traces:
    """How long traces took and how they ended; numbers alone are kept of each."""

    def __init__(self) -> None:
        self._traces = 0
        self._errors = 0
        self._durations = array("d")

    def add(self, trace: TraceRecord) -> None:
        self._traces += 1
        self._errors += trace.failed
        if trace.duration_ms is not None:
            self._durations.append(trace.duration_ms)

    def statistics(self) -> TraceStatistics:
        median = quantile(self._durations, 0.5)
        seconds = None if median is None else median / 1000
        return TraceStatistics(self._traces, self._errors, seconds)


def _of_end_users(found: Iterable[ClassifiedAssessment]) -> list[ClassifiedAssessment]:
    return [one for one in found if one.of is AssessmentClass.END_USER]


def _sums_of(ratings: list[ClassifiedAssessment]) -> Sums:
    sums = Sums(traces=1, rated_traces=1 if ratings else 0)
    sums.answers.update({rating.person for rating in ratings})
    for rating in ratings:
        value = rating.assessment.content.value
        if rating.name == THUMB:
            number = None if (said := thumb(value)) is None else float(said)
        else:
            number = share(value) if is_dimension(rating.name) else None
        if number is not None:
            sums.rate(rating.name, rating.person, number)
    return sums
