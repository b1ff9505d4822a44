"""A served application with answers to rate, and its OpenAPI document with their ids in it."""

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
    opened_site,
    settings_in,
    value_of,
)
from tests.support.waiting import eventually

Json = dict[str, Any]

NOBODY = "anonymous"
PEOPLE = (ANN, BOB, NOBODY)
JUDGE, EXPERT = "judge", "expert@example.com"
OTHERS = (JUDGE, EXPERT)
TRACE_NAMES = {f"tr-{number:032x}": number for number in range(1, 5)}
REQUEST_NAMES = {f"request-{number}": number for number in range(1, 5)}
SESSION_NAME = "session-1"
"""How generated requests name the answers of an example, which are others in each."""


class FuzzedApp:
    """A running application, the people who ask it, and the answers that they got.

    Attributes:
        document: The app's OpenAPI document, as it is served.
        traces: The traces of all answers so far.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.document: Json = httpx.get(f"{site.url}/openapi.json").json()
        self.traces: list[str] = []
        self._ids: dict[str, str] = {}

    def begin_example(self, person: str) -> None:
        """Let a person ask again, three times, and somebody else once."""
        # Hypothesis seeds what OpenTelemetry draws its ids from: every example's would be the same.
        random.seed()
        session = f"session-{len(self.traces)}"
        self._ids = {SESSION_NAME: session}
        askers = (*[person] * 3, ANN if person == BOB else BOB)
        for name, request_id, asker in zip(TRACE_NAMES, REQUEST_NAMES, askers, strict=True):
            # A new one each time: it means the newest answer of whoever names it.
            own_id = self._ids[request_id] = f"{request_id}-of-{session}"
            body = {"question": "?", "session_id": session, "client_request_id": own_id}
            answer = self.site.client.post(
                "/invocations", json=body, headers=self.headers_of(asker)
            )
            self._ids[name] = str(answer.raise_for_status().json()["trace_id"])
        traces = [self._ids[name] for name in TRACE_NAMES]
        for trace_id in traces:
            # Turns and traces are written behind the answer's back: from here on they are there.
            whole_trace(lambda trace_id=trace_id: mlflow.get_trace(trace_id, silent=True), 30)  # type: ignore[misc]
        _log_others_assessments(traces[0])
        self.traces += traces

    @property
    def names(self) -> dict[str, list[str]]:
        """The ids of this example's answers, and ids of none."""
        traces = [self._ids[name] for name in TRACE_NAMES]
        session = self._ids[SESSION_NAME]
        requests = [self._ids[name] for name in REQUEST_NAMES]
        return _with_unknown(traces, requests, session)

    def with_ids(self, generated: Any) -> Any:
        """A part of a generated request, with this example's ids in place of the names."""
        if isinstance(generated, dict):
            return {name: self.with_ids(each) for name, each in generated.items()}
        if isinstance(generated, list):
            return [self.with_ids(each) for each in generated]
        return self._ids.get(generated, generated) if isinstance(generated, str) else generated

    @staticmethod
    def headers_of(person: str) -> dict[str, str]:
        """The headers that a proxy sets for a person."""
        return {} if person == NOBODY else {"x-forwarded-email": person}

    def pending(self) -> int:
        """How many ratings MLflow does not have in the end."""

        def fetch() -> int:
            status = self.site.ask("GET", "/status").json()
            return int(status["pending"] + status["undeliverable"])

        return eventually(fetch, lambda left: left == 0, within=60)

    def read_back(self) -> set[tuple[Any, ...]]:
        """The ratings of all answers, as each person reads them back."""
        return {
            (each["trace_id"], person, each["assessment_id"], each["name"], each["rationale"])
            for person in PEOPLE
            for begin in range(0, len(self.traces), 50)
            for each in self.site.mine(
                user=None if person == NOBODY else person,
                trace_id=self.traces[begin : begin + 50],
            )
        }

    def held_by_mlflow(self) -> set[tuple[Any, ...]]:
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

    def others_assessments(self) -> list[tuple[Any, ...]]:
        """The assessments of a judge and an expert, as they are now."""
        return [
            (found.source.source_id, found.name, value_of(found))
            for trace_id in self.traces
            for found in assessments_of(trace_id)
            if found.source.source_id in OTHERS
        ]

    @property
    def others_assessments_at_first(self) -> list[tuple[Any, ...]]:
        """The same, as they were logged."""
        examples = len(self.traces) // len(TRACE_NAMES)
        return [(JUDGE, THUMB, True), (EXPERT, CORRECTION, "Yes.")] * examples


@contextmanager
def opened_app(serve: Serve, folder: Path) -> Iterator[FuzzedApp]:
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
        yield FuzzedApp(site)


def _log_others_assessments(trace_id: str) -> None:
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


NAMES = _with_unknown([*TRACE_NAMES], [*REQUEST_NAMES], SESSION_NAME)
"""Names that every example has; :meth:`FuzzedApp.with_ids` replaces them by its ids."""


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
    part = naming_answers(document, NAMES)
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
