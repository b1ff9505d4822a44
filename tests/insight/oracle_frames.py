"""The oracle's frames: one row per trace, and one row per assessment with what it means."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from agent_feedback.insight.definitions.options import ReportOptions
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

# What a text must look like to be a number in every language.
_NUMERAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
NOT_DIMENSIONS = frozenset({"user_feedback", "user_comment", "expected_response"})


def traces_frame(specs: Sequence[TraceSpec]) -> Any:
    """Make one row per trace."""
    columns = ["trace_id", "started_at", "duration_ms", "state", "metadata", "tags"]
    rows = [[getattr(spec, column) for column in columns] for spec in specs]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    assert frame.trace_id.is_unique
    return frame


def assessments_frame(specs: Sequence[TraceSpec], options: ReportOptions) -> Any:
    """Make one row per valid assessment on a trace itself, with its class, person and meaning."""
    rows = [
        _row(spec, one, options)
        for spec in specs
        for one in spec.assessments
        if one.valid is not False and _is_on_trace(one)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS, dtype=object)


def _is_on_trace(one: AssessmentSpec) -> bool:
    of_run = one.run_id or one.metadata.get("mlflow.assessment.sourceRunId")
    return not (one.span_id or of_run)


# fmt: off
_COLUMNS = [
    "trace_id", "started_at", "duration_ms", "metadata_of_trace", "tags", "assessment_id", "name",
    "value", "created_at", "updated_at", "rationale", "is_excluded", "of", "person", "thumb",
    "stars", "reasons",
]
# fmt: on


def _row(spec: TraceSpec, one: AssessmentSpec, options: ReportOptions) -> list[Any]:
    is_human = one.source_type == "HUMAN"
    name = options.aliases.get(one.name, one.name) if is_human else one.name
    return [
        spec.trace_id,
        spec.started_at,
        spec.duration_ms,
        spec.metadata,
        spec.tags,
        one.assessment_id,
        name,
        one.value,
        one.created_at,
        one.updated_at,
        one.rationale,
        is_human and folded(one.source_id) in options.excluded,
        _class(one, name, options),
        _person(one.source_id, spec),
        thumb(one.value) if name == "user_feedback" else None,
        None if name in NOT_DIMENSIONS else stars(one.value),
        _reasons(one.metadata),
    ]


def each(frame: Any, say: Callable[[Any], Any]) -> Any:
    """Make a column of what ``say`` says of each row."""
    said = [say(row) for row in frame.itertuples(index=False)]
    return pd.Series(said, index=frame.index, dtype=object)


def folded(person: str) -> str:
    """E-mail addresses compare without case."""
    return person.lower() if "@" in person else person


def _class(one: AssessmentSpec, name: str, options: ReportOptions) -> str:
    if one.source_type != "HUMAN":
        return "judge" if one.source_type == "LLM_JUDGE" else "code"
    if name.startswith("implicit_"):
        return "signal"
    is_correction = (
        name == "expected_response"
        and one.kind == "expectation"
        and "agent_feedback.ledger" in one.metadata
    )
    if not (name.startswith("user_") or is_correction):
        return "developer"
    return "developer" if folded(one.source_id) in options.developers else "end_user"


def _person(source_id: str, spec: TraceSpec) -> str:
    if source_id in ("anonymous", "default", ""):
        session = spec.metadata.get("mlflow.trace.session")
        return f"{source_id or 'anonymous'}\x1f{session or spec.trace_id}"
    return folded(source_id)


def _reasons(metadata: Mapping[str, str]) -> list[str]:
    try:
        found = json.loads(metadata["agent_feedback.reasons"])
    except (KeyError, ValueError):
        return []
    return found if isinstance(found, list) else []


def latest(found: Any) -> Any:
    """Keep what counts: of one name by one person on a trace, the latest of each class."""
    kept = found[~found.is_excluded.astype(bool)]
    by_age = kept.sort_values(["updated_at", "created_at", "assessment_id"])
    return by_age.drop_duplicates(["trace_id", "of", "name", "person"], keep="last")


def thumb(value: Any) -> bool | None:
    """Tell yes from no, and both from anything else."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, str):
        text = value.lower()
        if text in ("true", "yes"):
            return True
        if text in ("false", "no"):
            return False
        value = float(text) if _NUMERAL.fullmatch(text) else None
    if isinstance(value, (int, float)) and value in (0, 1):
        return value == 1
    return None


def stars(value: Any) -> float | None:
    """Give a number from 0 to 1."""
    is_number = type(value) in (int, float)
    # Of zero there is one.
    return abs(float(value)) if is_number and 0 <= value <= 1 else None


def iso(moment: int) -> str:
    """Write a time."""
    text = pd.Timestamp(moment, unit="ms").isoformat(timespec="milliseconds")
    return f"{text.removesuffix('.000')}Z"
