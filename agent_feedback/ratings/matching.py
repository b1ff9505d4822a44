"""Which of a trace's assessments is a person's rating."""

from __future__ import annotations

from agent_feedback.assessment_format import is_marked
from agent_feedback.model import ANONYMOUS, Assessment, RatingKey, same_person

_SHARED_NAMES = (ANONYMOUS, "default")


def is_mine(found: Assessment, key: RatingKey) -> bool:
    """Whether an assessment on the trace is the rating that ``key`` names.

    An assessment without our mark may be the same person's, made in MLflow's own pages. Not so
    where the name is shared by many people, nor an expectation, which an expert's looks just like:
    those are ours only with our mark.
    """
    return (
        found.on_trace
        and found.source_type == "HUMAN"
        and (found.kind, found.name) == (key.kind, key.name)
        and same_person(found.source_id, key.person)
        and (
            is_marked(found)
            or (key.kind == "feedback" and key.person.casefold() not in _SHARED_NAMES)
        )
    )
