"""Who made an assessment, what kind it is, and which of several counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_feedback.assessment_format import is_marked
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import SESSION_COLUMN
from agent_feedback.insight.definitions.values import encodable
from agent_feedback.model import (
    ANONYMOUS,
    COMMENT,
    CORRECTION,
    DIMENSION_PREFIX,
    SIGNAL_PREFIX,
    THUMB,
    Assessment,
    folded,
)

NOBODY: Final = frozenset({ANONYMOUS, "default", ""})
"""Names that stand for no person in particular."""
_SEPARATOR: Final = "\x1f"  # ASCII's unit separator


class AssessmentClass(str, Enum):
    """Each assessment is in exactly one class."""

    END_USER = "end_user"
    SIGNAL = "signal"
    DEVELOPER = "developer"
    JUDGE = "judge"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class ClassifiedAssessment:
    """An assessment that counts: its class, its person, and its name after aliases.

    ``person`` is what people are told apart by: :func:`shown_person` says how to show it.
    """

    of: AssessmentClass
    name: str
    person: str
    assessment: Assessment


def person_key(source_id: str, session: str | None, trace_id: str) -> str:
    """What tells people apart: addresses without case, nobody in particular by session or trace."""
    if source_id in NOBODY:
        return _SEPARATOR.join((source_id or ANONYMOUS, session or trace_id))
    return folded(source_id)


def shown_person(person: str) -> str:
    """A person's key as a report shows it."""
    return encodable(person.split(_SEPARATOR)[0])


def classify(assessment: Assessment, options: ReportOptions) -> tuple[AssessmentClass, str]:
    """An assessment's class, and its name after aliases."""
    if assessment.source_type != "HUMAN":
        judge = assessment.source_type == "LLM_JUDGE"
        return AssessmentClass.JUDGE if judge else AssessmentClass.CODE, assessment.name
    name = options.aliases.get(assessment.name, assessment.name)
    if name.startswith(SIGNAL_PREFIX):
        return AssessmentClass.SIGNAL, name
    is_correction = (
        name == CORRECTION and assessment.kind == "expectation" and is_marked(assessment)
    )
    if name.startswith(DIMENSION_PREFIX) or is_correction:
        is_developer = folded(assessment.source_id) in options.developers
        return AssessmentClass.DEVELOPER if is_developer else AssessmentClass.END_USER, name
    return AssessmentClass.DEVELOPER, name


def is_dimension(name: str) -> bool:
    """Whether end users' assessments of this name rate a dimension, such as ``user_accuracy``."""
    return name.startswith(DIMENSION_PREFIX) and name not in (THUMB, COMMENT)


def counted(
    assessments: tuple[Assessment, ...],
    trace_id: str,
    metadata: Mapping[str, str],
    options: ReportOptions,
) -> tuple[list[ClassifiedAssessment], int]:
    """The assessments of a trace that count, and how many valid ones excluded people made.

    Valid ones on the trace itself; of several in one class by one person under one name, the
    latest: by last update, then by creation, then by id. They come in a stable order.
    """
    latest: dict[tuple[AssessmentClass, str, str], ClassifiedAssessment] = {}
    excluded = 0
    for found in sorted(assessments, key=age):
        if not (found.valid and found.on_trace):
            continue
        if found.source_type == "HUMAN" and folded(found.source_id) in options.excluded:
            excluded += 1
            continue
        of, name = classify(found, options)
        person = person_key(found.source_id, metadata.get(SESSION_COLUMN[1]), trace_id)
        latest[of, name, person] = ClassifiedAssessment(of, name, person, found)
    return [latest[key] for key in sorted(latest)], excluded


def age(assessment: Assessment) -> tuple[int, int, str]:
    """A sort key: the latest of several assessments has the greatest."""
    return assessment.updated_at, assessment.created_at, assessment.assessment_id
