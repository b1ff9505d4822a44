"""What people said on a trace in words, reasons and corrections."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from agent_feedback.insight.definitions.aggregates import Comment, CommentedTrace
from agent_feedback.insight.definitions.classes import ClassifiedAssessment
from agent_feedback.insight.definitions.values import encodable, thumb
from agent_feedback.model import COMMENT, CORRECTION, THUMB, RatingValue

_MAX_NUMBER: Final = sys.float_info.max


def commented_trace(
    trace_id: str,
    experiment_id: str | None,
    started_at: int,
    ratings: Sequence[ClassifiedAssessment],
) -> CommentedTrace | None:
    """A trace with its comments, person by person; ``None`` where nobody left one.

    Each person's begin with the one on the thumb, and the first carries the correction.

    Args:
        trace_id: The trace.
        experiment_id: Its experiment, where it is known.
        started_at: When it began, in milliseconds since the epoch.
        ratings: The end users' assessments of the trace that count.
    """
    comments = _comments_of(ratings)
    if not comments:
        return None
    positive, negative = thumbs_of(ratings)
    return CommentedTrace(trace_id, experiment_id, started_at, positive, negative, comments)


def thumbs_of(ratings: Iterable[ClassifiedAssessment]) -> tuple[int, int]:
    """How many thumbs are up, and how many are down."""
    said = [thumb(one.assessment.content.value) for one in ratings if one.name == THUMB]
    return said.count(True), said.count(False)


def _comments_of(ratings: Iterable[ClassifiedAssessment]) -> tuple[Comment, ...]:
    ordered = sorted(ratings, key=_order)
    return tuple(
        comment
        for _, of_person in groupby(ordered, key=lambda rating: rating.person)
        for comment in _comments_of_person(list(of_person))
    )


def _comments_of_person(ratings: list[ClassifiedAssessment]) -> list[Comment]:
    correction = next((_text(rating) for rating in ratings if rating.name == CORRECTION), None)
    spoken = [
        rating
        for rating in ratings
        if rating.name != CORRECTION and (_words(rating) or rating.assessment.content.reasons)
    ]
    if not spoken and correction is not None:
        spoken = [rating for rating in ratings if rating.name == CORRECTION]
    return [
        Comment(
            person=rating.person,
            name=rating.name,
            value=_value(rating),
            rationale=_words(rating),
            reasons=tuple(map(encodable, rating.assessment.content.reasons)),
            correction=correction if position == 0 else None,
            at=rating.assessment.updated_at,
        )
        for position, rating in enumerate(spoken)
    ]


def _order(rating: ClassifiedAssessment) -> tuple[str, int, str]:
    position = {THUMB: 0, COMMENT: 1}.get(rating.name, 2)
    return rating.person, position, rating.name


def _words(rating: ClassifiedAssessment) -> str | None:
    """What was written: of a comment that stands alone, its value."""
    if rating.name == CORRECTION:
        return None
    if rating.name == COMMENT:
        return _text(rating)
    rationale = rating.assessment.content.rationale
    return encodable(rationale) if rationale else None


def _text(rating: ClassifiedAssessment) -> str | None:
    value = rating.assessment.content.value
    return encodable(value) if isinstance(value, str) and value else None


def _value(rating: ClassifiedAssessment) -> RatingValue:
    value = rating.assessment.content.value
    if rating.name in (COMMENT, CORRECTION):
        return None
    if rating.name == THUMB and (said := thumb(value)) is not None:
        return said
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return encodable(value)
    # Neither NaN nor a number that no float holds can be written as JSON.
    if isinstance(value, (int, float)) and abs(value) <= _MAX_NUMBER:
        return float(value)
    return None
