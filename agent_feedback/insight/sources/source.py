"""What a report asks of the place where traces are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from agent_feedback.insight.content.report_values import ExperimentName
from agent_feedback.insight.definitions.aggregates import Aggregates, Sums
from agent_feedback.insight.definitions.classes import ClassifiedAssessment, shown_person
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.values import plain
from agent_feedback.insight.definitions.window import Window
from agent_feedback.model import RatingValue

Progress = Callable[[str, int, "int | None"], None]
"""Told what is being done, how far it is, and how far it goes, where that is known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """For those who do not watch."""


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One rating of an end user, for the form that has one row per rating.

    ``person`` is as it is shown; ``value`` as it is stored, of a correction its text; ``at`` is the
    last update in milliseconds since the epoch.
    """

    trace_id: str
    person: str
    name: str
    value: RatingValue
    rationale: str | None
    reasons: tuple[str, ...]
    at: int
    version: str | None
    session: str | None

    @classmethod
    def of(
        cls,
        rating: ClassifiedAssessment,
        trace_id: str,
        *,
        version: str | None,
        session: str | None,
    ) -> RatingRow:
        """The row of a rating on a trace of this version and session."""
        content = rating.assessment.content
        return cls(
            trace_id=trace_id,
            person=shown_person(rating.person),
            name=rating.name,
            value=plain(content.value),
            rationale=content.rationale,
            reasons=content.reasons,
            at=rating.assessment.updated_at,
            version=version,
            session=session,
        )


class Source(Protocol):
    """Counts the traces and assessments of some experiments.

    Every method raises :class:`~agent_feedback.insight.errors.ReportError` with one sentence.
    """

    kind: Literal["mlflow", "warehouse"]

    def experiments(self) -> tuple[ExperimentName, ...]:
        """The experiments whose traces are counted."""
        ...

    def headline(self, options: ReportOptions, window: Window) -> Sums:
        """What the headline and the dimensions of a window are made of, as fast as it can be."""
        ...

    def aggregate(self, options: ReportOptions, progress: Progress = no_progress) -> Aggregates:
        """Everything that a report is made of."""
        ...

    def ratings(
        self, options: ReportOptions, progress: Progress = no_progress
    ) -> Iterator[RatingRow]:
        """Every rating that counts: newest traces first, then by trace id, name and person."""
        ...
