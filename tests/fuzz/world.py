"""A served application with answers to rate, and its OpenAPI document with their names in it."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import mlflow
from mlflow.entities import AssessmentSource
from mlflow.genai.agent_server import AgentServer

from agent_feedback import AgentFeedback
from agent_feedback.model import CORRECTION, THUMB
from tests.conftest import Serve
from tests.support.mlflow_store import whole_trace
from tests.support.rating import (
    ANN,
    BOB,
    UNKNOWN_TRACE,
    Site,
    assessments_of,
    eventually,
    opened_site,
    settings_in,
    value_of,
)

Json = dict[str, Any]

NOBODY = "anonymous"
PEOPLE = (ANN, BOB, NOBODY)
JUDGE, EXPERT = "judge", "expert@example.com"
OTHERS = (JUDGE, EXPERT)
NAMED_TRACES = {f"tr-{number:032x}": number for number in range(1, 5)}
NAMED_REQUESTS = {f"request-{number}": number for number in range(1, 5)}
NAMED_SESSION = "session-1"
"""How generated requests call the answers of a scene, which are others in each."""


class World:
    """A running application, the people who ask it, and the answers that they got.

    Attributes:
        document: The app's OpenAPI document, as it is served.
        traces: The traces of all answers so far.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.document: Json = httpx.get(f"{site.url}/openapi.json").json()
        self.traces: list[str] = []
        self._meant: dict[str, str] = {}

    def begin_scene(self, person: str) -> None:
        """Let a person ask again, three times, and somebody else once."""
        # Hypothesis seeds what OpenTelemetry draws its ids from: every scene's would be the same.
        random.seed()
        session = f"session-{len(self.traces)}"
        self._meant = {NAMED_SESSION: session}
        askers = (*[person] * 3, ANN if person == BOB else BOB)
        for name, request_id, asker in zip(NAMED_TRACES, NAMED_REQUESTS, askers, strict=True):
            # A new one each time: it means the newest answer of whoever names it.
            own_id = self._meant[request_id] = f"{request_id}-of-{session}"
            body = {"question": "?", "session_id": session, "client_request_id": own_id}
            answer = self.site.client.post(
                "/invocations", json=body, headers=self.headers_of(asker)
            )
            self._meant[name] = str(answer.raise_for_status().json()["trace_id"])
        traces = [self._meant[name] for name in NAMED_TRACES]
        for trace_id in traces:
            # Turns and traces are written behind the answer's back: from here on they are there.
            whole_trace(lambda trace_id=trace_id: mlflow.get_trace(trace_id, silent=True), 30)  # type: ignore[misc]
        _leave_others_work(traces[0])
        self.traces += traces

    @property
    def names(self) -> dict[str, list[str]]:
        """The ids of this scene's answers, and ids of none."""
        traces = [self._meant[name] for name in NAMED_TRACES]
        session = self._meant[NAMED_SESSION]
        requests = [self._meant[name] for name in NAMED_REQUESTS]
        return _with_unknown(traces, requests, session)

    def meant(self, said: Any) -> Any:
        """What a generated request says, with the names of this scene's answers."""
        if isinstance(said, dict):
            return {name: self.meant(each) for name, each in said.items()}
        if isinstance(said, list):
            return [self.meant(each) for each in said]
        return self._meant.get(said, said) if isinstance(said, str) else said

    @staticmethod
    def headers_of(person: str) -> dict[str, str]:
        """What a proxy says of a person."""
        return {} if person == NOBODY else {"x-forwarded-email": person}

    def pending(self) -> int:
        """How much MLflow does not have in the end."""

        def fetch() -> int:
            status = self.site.ask("GET", "/status").json()
            return int(status["pending"] + status["undeliverable"])

        return eventually(fetch, lambda left: left == 0, within=60)

    def said(self) -> set[tuple[Any, ...]]:
        """What people said of all answers, as each of them reads it back."""
        return {
            (each["trace_id"], person, each["assessment_id"], each["name"], each["rationale"])
            for person in PEOPLE
            for begin in range(0, len(self.traces), 50)
            for each in self.site.mine(
                user=None if person == NOBODY else person,
                trace_id=self.traces[begin : begin + 50],
            )
        }

    def held(self) -> set[tuple[Any, ...]]:
        """What MLflow holds of it, as rows: two of one name would be two."""
        return {
            (
                trace_id,
                found.source.source_id,
                found.assessment_id,
                found.name,
                found.rationale or None,
            )
            for trace_id in self.traces
            for found in assessments_of(trace_id)
            if found.source.source_id not in OTHERS
        }

    def others_work(self) -> list[tuple[Any, ...]]:
        """What a judge and an expert left, wherever it is now."""
        return [
            (found.source.source_id, found.name, value_of(found))
            for trace_id in self.traces
            for found in assessments_of(trace_id)
            if found.source.source_id in OTHERS
        ]

    @property
    def others_work_then(self) -> list[tuple[Any, ...]]:
        """What they left when they did."""
        scenes = len(self.traces) // len(NAMED_TRACES)
        return [(JUDGE, THUMB, True), (EXPERT, CORRECTION, "Yes.")] * scenes


@contextmanager
def opened_world(serve: Serve, folder: Path) -> Iterator[World]:
    """Serve an agent with feedback under a real uvicorn."""
    feedback = AgentFeedback(
        settings_in(folder, writes_per_minute=1_000_000, implicit_signals=("copy", "stop"))
    )

    @feedback.invoke
    def answer(request: Json) -> Json:
        return {"answer": request["question"]}

    server = AgentServer()
    feedback.mount(server)
    with opened_site(serve, feedback, server.app) as site:
        yield World(site)


def _leave_others_work(trace_id: str) -> None:
    """What a judge and an expert leave on a trace, by the names that ratings have."""
    judge = AssessmentSource(source_type="LLM_JUDGE", source_id=JUDGE)
    expert = AssessmentSource(source_type="HUMAN", source_id=EXPERT)
    mlflow.log_feedback(trace_id=trace_id, name=THUMB, value=True, source=judge)
    mlflow.log_expectation(trace_id=trace_id, name=CORRECTION, value="Yes.", source=expert)


def feedback_part(document: Json) -> Json:
    """The feedback routes of an app's document."""
    part = copy.deepcopy(document)
    part["paths"] = {p: each for p, each in part["paths"].items() if p.startswith("/feedback")}
    return part


def _with_unknown(traces: list[str], requests: list[str], session: str) -> dict[str, list[str]]:
    return {
        "trace_id": [*traces, UNKNOWN_TRACE],
        "client_request_id": [*requests, "nobodys"],
        "session_id": [session, "another"],
    }


STAND_INS = _with_unknown([*NAMED_TRACES], [*NAMED_REQUESTS], NAMED_SESSION)
"""Names that hold in every scene, once :meth:`World.meant` has read them."""


def naming_answers(document: Json, names: dict[str, list[str]]) -> Json:
    """The feedback part, in which an id is one of ``names``."""
    part = feedback_part(document)
    for operation in _operations(part):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in names:
                found = {"type": "string", "enum": names[parameter["name"]]}
                several = "array" in str(parameter["schema"])
                parameter["schema"] = {"type": "array", "items": found} if several else found
        for name, member in _members(operation).items():
            if name in names:
                member["enum"] = [*names[name], None]
    return part


def rating_answers(document: Json) -> Json:
    """As :func:`naming_answers`, in which bodies are whole: most of what is sent is a rating."""
    part = naming_answers(document, STAND_INS)
    for operation in _operations(part):
        if operation["operationId"] != "feedback_mine":
            # Of two ids that are drawn, most name two answers.
            operation["parameters"] = [
                each
                for each in operation.get("parameters", ())
                if each["name"] != "client_request_id"
            ]
    for name, shapes in _SHAPES.items():
        operation = next(each for each in _operations(part) if each["operationId"] == name)
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        members = schema["properties"]
        target: Json = {}
        if name != "feedback_amend":
            operation["parameters"] = []
            members["trace_id"]["enum"].remove(None)
            target = {"trace_id": {}}
        schema["anyOf"] = [
            {
                "type": "object",
                "properties": {
                    name: {"allOf": [members[name], narrower]} for name, narrower in shape.items()
                },
                "required": list(shape),
                "additionalProperties": False,
            }
            for shape in ({**target, **shape} for shape in shapes)
        ]
        for name in ("properties", "additionalProperties"):
            schema.pop(name, None)
    _let_withdrawn_ratings_be_used(part)
    _join_good_answers(part)
    return part


_TEXT: Json = {"type": "string", "minLength": 1}
_STARS: Json = {"type": "number"}
_SHAPES: dict[str, list[Json]] = {
    "feedback_submit": [
        {"value": {"type": "boolean"}},
        {"value": {"type": "boolean"}, "rationale": _TEXT, "reasons": {"type": "array"}},
        {"value": {"type": "boolean"}, "correction": _TEXT},
        {"value": _STARS, "dimension": {"type": "string"}, "rationale": {}},
        {"rationale": _TEXT},
        {"correction": _TEXT},
        {"signal": {"type": "string"}},
    ],
    "feedback_submit_detailed": [
        {"ratings": {"type": "object", "minProperties": 1}},
        {"accuracy": _STARS, "relevance": _STARS, "rationale": {}},
    ],
    "feedback_amend": [
        {"value": {"type": "boolean"}},
        {"value": _STARS, "rationale": _TEXT},
        {"rationale": {}},
        {"reasons": {"type": "array"}},
    ],
}


def _let_withdrawn_ratings_be_used(part: Json) -> None:
    """Follow a withdrawal by another, and by a change: what a client does that is out of date."""
    whole = part["paths"]["/feedback"]["post"]["responses"]["201"]["links"]
    for path in ("/feedback", "/feedback/{assessment_id}"):
        for status in ("200", "202"):
            part["paths"][path]["delete"]["responses"][status]["links"] = whole


def _join_good_answers(part: Json) -> None:
    """Go on from any good answer alike: how long MLflow took must not change what comes next."""
    for operation in _operations(part):
        good = [status for status in operation["responses"] if status.startswith("2")]
        links = [operation["responses"][status].pop("links", None) for status in good]
        if links[0]:
            operation["responses"]["2XX"] = {**operation["responses"][good[0]], "links": links[0]}


def _operations(part: Json) -> Iterator[Json]:
    for path in part["paths"].values():
        yield from path.values()


def _members(operation: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {})
    found: Json = content.get("application/json", {}).get("schema", {}).get("properties", {})
    return found
