"""Traces made at random from small pools, so that people, names, sessions and times collide.

Hypothesis chooses in :func:`cases`, which shrinks what fails; :func:`many_traces` makes a large
list of the same kind from a seed, for stores into which writing is slow.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from hypothesis import strategies as st

from agent_feedback.insight.definitions.options import Comparison, ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

T = TypeVar("T")

HOUR = 3_600_000
DAY = 24 * HOUR
# 2026-03-02T05:17:03.250Z: a window of neither whole days nor hours.
SINCE = 1_772_428_623_250
HOURLY = Window(SINCE, SINCE + 7 * HOUR + 1_234)
DAILY = Window(SINCE, SINCE + 3 * DAY + 5 * HOUR)

BOT, DEVELOPER = "bot@x.org", "dev@x.org"
PEOPLE = (
    *("ann@x.org", "Ann@X.org", "ANN@x.org", "bob@x.org", "BOB@x.org", "éva@x.org", "ÉVA@x.org"),
    *("carol", "Carol", "anonymous", "default", "", "anonymous", "default"),
    *(BOT, "Bot@X.org", DEVELOPER, "DEV@x.org"),
)
SESSIONS = (None, None, "", "s1", "s2", "s3")
TEXTS = (
    *("too slow", "wrong number", "too slow and wrong", 'he said "no", then; left', "a\nb\r\nc"),
    *("=SUM(A1)", "+1", "-", "@x", "é 😀 \u2028 中", " spaces ", "'; DROP TABLE x; --", "a\\b\\n"),
    *("null", "true", "1", '{"a": 1}', "%s {0} :name ?"),
)
REASONS = ("slow", "wrong", "Wrong", 'not "good"', "é\n", "", "too long, by far")
THUMBS = (True, False, True, False, "yes", "no", "YES", "No", "true", "False", 1, 0, 1.0, "1", "0")
ODD_THUMBS: tuple[Any, ...] = (
    None,
    "maybe",
    2,
    -0.5,
    0.5,
    "",
    "2",
    " yes",
    "1.0",
    "0.0",
    [True],
    {"a": 1},
    [],
)
DIMENSIONS = (0, 0.2, 0.4, 0.6, 0.8, 1, 1.0, 0.5, 1 / 3, 0.12345, 0.123456)
ODD_DIMENSIONS = (
    *(True, False, "0.8", "1", None, 1.5, -0.5, 2, "good", [0.5], {"value": 0.5}, 1e300, -0.0),
)
JUDGED = ("yes", "no", "yes", "no", True, False, "true", "FALSE", 0.7, "maybe", 1, 0, None, "1")
State = Literal["OK", "ERROR", "IN_PROGRESS"]
STATES: tuple[State, ...] = (
    "OK",
    "OK",
    "OK",
    "ERROR",
    "IN_PROGRESS",
)
LEDGER = {"agent_feedback.ledger": "l1", "agent_feedback.changed_at": "1"}


class Choices(Protocol):
    """What decides."""

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of these."""

    def number(self, low: int, high: int) -> int:
        """Choose a number, both ends included."""

    def one_in(self, number: int) -> bool:
        """Say yes once in so many times."""


class Drawn:
    """Hypothesis decides: the first option, the lowest number and no are the simplest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def number(self, low: int, high: int) -> int:
        found: int = self._draw(st.integers(low, high))
        return found

    def one_in(self, number: int) -> bool:
        return self.number(0, number - 1) == number - 1


class Seeded:
    """A seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0


@dataclass(frozen=True)
class Case:
    """Traces and what is asked of them."""

    traces: tuple[TraceSpec, ...]
    options: ReportOptions


@st.composite
def cases(draw: st.DrawFn, max_traces: int = 8) -> Case:
    """Make a few traces of any kind, and options of any kind."""
    choices = Drawn(draw)
    options = any_options(choices)
    number = choices.number(0, max_traces)
    return Case(_traces(choices, options.window, number, "0"), options)


def many_traces(seed: int, window: Window, number: int) -> tuple[TraceSpec, ...]:
    """Make many traces; ids of two seeds differ."""
    return _traces(Seeded(seed), window, number, str(seed))


def renamed(traces: Sequence[TraceSpec], prefix: str) -> tuple[TraceSpec, ...]:
    """Give the same traces other ids, so that a store can hold both."""

    def new(old: str | None) -> str | None:
        return old and f"{old[:2].rstrip('-')}-{_scattered(prefix + old)}"

    return tuple(
        replace(
            trace,
            trace_id=new(trace.trace_id) or "",
            assessments=tuple(
                replace(
                    one, assessment_id=new(one.assessment_id) or "", overrides=new(one.overrides)
                )
                for one in trace.assessments
            ),
        )
        for trace in traces
    )


def any_options(choices: Choices) -> ReportOptions:
    """Choose options."""
    # fmt: off
    by = choices.pick((
        None, "version", "session", "user", "environment", "day", "hour", "tag:team",
        "metadata:plan", "metadata:batch",
    ))
    compare = choices.pick((
        None, ("version", "v1", "v2"), ("tag:team", "red", "(none)"), ("session", "s1", "s2"),
        ("environment", "NOTEBOOK", "staging"), ("version", "v1", "no such"),
    ))
    # fmt: on
    return ReportOptions(
        window=choices.pick((HOURLY, DAILY)),
        by=trace_key(by) if by else None,
        compare=Comparison(trace_key(compare[0]), *compare[1:]) if compare else None,
        aliases=choices.pick(({}, {"User feedback": "user_feedback", "tone": "user_tone"})),
        developers=choices.pick((frozenset(), frozenset({DEVELOPER}))),
        excluded=choices.pick((frozenset(), frozenset({BOT}))),
        scale=choices.pick((5, 10)),
        min_count=choices.pick((30, 3)),
        sequential=choices.one_in(4),
    )


def _traces(choices: Choices, window: Window, number: int, prefix: str) -> tuple[TraceSpec, ...]:
    return tuple(_trace(choices, window, f"{prefix}-{position}") for position in range(number))


def _trace(choices: Choices, window: Window, name: str) -> TraceSpec:
    started_at = _start(choices, window)
    duration = choices.pick((1000, 1000, 250, 4321, None, 0, 60_000))
    session = choices.pick(SESSIONS)
    metadata = {
        "mlflow.trace.session": session,
        "mlflow.modelId": choices.pick((None, None, "v1", "v2", "")),
        "mlflow.source.git.commit": choices.pick((None, "c1", "")),
        "mlflow.trace.user": choices.pick((None, *PEOPLE[:4])),
        "mlflow.source.type": choices.pick((None, "NOTEBOOK", "")),
        "APP_ENVIRONMENT": choices.pick((None, "staging")),
        "plan": choices.pick((None, "é 'x'")),
        # More than the groups that are shown.
        "batch": f"b{choices.number(0, 69)}",
    }
    tags = {
        "app_version": choices.pick((None, "v1", "v2", "v3")),
        "team": choices.pick((None, "red", "blue", "")),
    }
    assessments: list[AssessmentSpec] = []
    # Who says several things of one trace.
    author = choices.pick(PEOPLE)
    for position in range(choices.pick((0, 1, 1, 2, 3, 4, 6))):
        made_at = started_at + (duration or 0) + choices.pick(_DELAYS)
        assessments += _assessments(choices, made_at, f"{name}-{position}", author)
    return TraceSpec(
        trace_id=f"tr-{_scattered(name)}",
        started_at=started_at,
        duration_ms=duration,
        state=choices.pick(STATES),
        metadata={key: value for key, value in metadata.items() if value is not None},
        tags={key: value for key, value in tags.items() if value is not None},
        assessments=tuple(assessments),
    )


_DELAYS = (500, 500, 2_000, 60_000, HOUR, 40 * DAY, -200, 0)


def _start(choices: Choices, window: Window) -> int:
    length = window.until - window.since
    edges = (window.since, window.until, window.since - length)
    if choices.one_in(4):
        return choices.pick(edges) + choices.pick((-1, 0, 1))
    if choices.one_in(6):
        # An hour or a day that begins within the window, and the last moment before it.
        unit = choices.pick((HOUR, DAY)) if length > DAY else HOUR
        return (window.since // unit + 1) * unit - choices.pick((0, 1))
    if choices.one_in(3):
        return window.since - choices.number(1, 12) * length // 12
    # Few places, so that several traces begin in the same millisecond.
    return window.since + choices.number(0, 11) * length // 12


def _assessments(choices: Choices, made_at: int, name: str, author: str) -> list[AssessmentSpec]:
    """Make one, or one and the older one that it overrides, or the same one by another client."""
    made = _assessment(choices, made_at, name)
    if made.source_type == "HUMAN" and choices.one_in(2):
        made = replace(made, source_id=author)
    if choices.one_in(5):
        old = _assessment(choices, made_at - 1000, f"{name}-old", like=made)
        return [replace(old, valid=False), replace(made, overrides=old.assessment_id)]
    if choices.one_in(5):
        at = made_at + choices.pick((0, 0, -1, 1))
        return [made, _assessment(choices, at, f"{name}-double", like=made)]
    return [made]


def _assessment(
    choices: Choices, made_at: int, place: str, like: AssessmentSpec | None = None
) -> AssessmentSpec:
    name, source_type, kind = (
        (like.name, like.source_type, like.kind) if like else _kind_of(choices)
    )
    person = like.source_id if like else _source_id(choices, source_type)
    if like and "@" in person and choices.one_in(3):
        person = person.upper()
    value = _value(choices, name, source_type)
    run_id = "0123456789abcdef0123456789abcdef" if choices.one_in(15) else None
    return AssessmentSpec(
        assessment_id=f"a-{_scattered(place)}",
        name=name,
        source_type=source_type,
        source_id=person,
        # MLflow refuses an expectation of nothing.
        value="" if value is None and kind == "expectation" else value,
        created_at=made_at,
        updated_at=made_at + choices.pick((0, 0, 0, 1, 1_000, DAY)),
        kind=kind,
        rationale=choices.pick((None, None, "", *TEXTS)) if kind == "feedback" else None,
        metadata=_metadata(choices) | _of_run(run_id),
        valid=choices.pick((None, True, True, None, True, False)),
        span_id="00f067aa0ba902b7" if choices.one_in(15) else None,
        run_id=run_id,
    )


def _kind_of(choices: Choices) -> tuple[str, Any, Any]:
    """Choose a name, a type of source, and feedback or expectation."""
    # fmt: off
    return choices.pick((
        *[("user_feedback", "HUMAN", "feedback")] * 6,
        *[("user_accuracy", "HUMAN", "feedback")] * 3,
        *[("user_comment", "HUMAN", "feedback")] * 2,
        *[("expected_response", "HUMAN", "expectation")] * 2,
        *[("correctness", "LLM_JUDGE", "feedback")] * 3,
        ("User feedback", "HUMAN", "feedback"), ("User feedback", "LLM_JUDGE", "feedback"),
        ("tone", "HUMAN", "feedback"), ("user_tone", "HUMAN", "feedback"),
        ("user_accuracy", "HUMAN", "expectation"), ("expected_response", "HUMAN", "feedback"),
        ("implicit_copy", "HUMAN", "feedback"), ("implicit_regenerate", "HUMAN", "feedback"),
        ("implicit_copy", "CODE", "feedback"), ("correctness", "HUMAN", "feedback"),
        ("safety", "LLM_JUDGE", "feedback"), ("user_feedback", "LLM_JUDGE", "feedback"),
        ("user_feedback", "CODE", "feedback"), ("length", "CODE", "feedback"),
        ("expected_response", "CODE", "expectation"), ("expected_facts", "HUMAN", "expectation"),
    ))
    # fmt: on


def _source_id(choices: Choices, source_type: str) -> str:
    if source_type == "HUMAN":
        return choices.pick(PEOPLE)
    return choices.pick(("judge-a", "judge-b", "Judge@A", "judge@a", "default", BOT, DEVELOPER))


def _value(choices: Choices, name: str, source_type: str) -> Any:
    if source_type == "LLM_JUDGE":
        return choices.pick(JUDGED)
    if name in ("user_feedback", "User feedback"):
        return choices.pick(ODD_THUMBS if choices.one_in(6) else THUMBS)
    if name in ("user_comment", "expected_response"):
        return choices.pick(("", 5, True, {"a": [1]}, None) if choices.one_in(6) else TEXTS)
    return choices.pick(ODD_DIMENSIONS if choices.one_in(4) else DIMENSIONS)


def _of_run(run_id: str | None) -> dict[str, str]:
    # MLflow keeps it in both places, and over HTTP only in this one.
    return {"mlflow.assessment.sourceRunId": run_id} if run_id else {}


def _metadata(choices: Choices) -> dict[str, str]:
    metadata = dict(LEDGER) if choices.one_in(2) else {}
    if choices.one_in(3):
        chosen = [choices.pick(REASONS) for _ in range(choices.number(0, 3))]
        metadata["agent_feedback.reasons"] = json.dumps(chosen)
    elif choices.one_in(10):
        broken = ('["slow"', '"slow"', "null", "{}", "", "[]")
        metadata["agent_feedback.reasons"] = choices.pick(broken)
    if choices.one_in(12):
        metadata["mlflow.assessment.sourceRunId"] = choices.pick(("run", ""))
    return metadata


def _scattered(name: str) -> str:
    """Give an id whose order says nothing of when it was made."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
