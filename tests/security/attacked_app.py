"""What is attacked: a served agent, people and their ratings, and MLflow's content."""

import json
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import mlflow
from mlflow.entities import Assessment, AssessmentSource
from mlflow.genai.agent_server import server as agent_server

from agent_feedback import AgentFeedback
from tests.support.mlflow_store import Tracking
from tests.support.rating import ANN, value_of

Headers = Sequence[tuple[str, str]]

EXPERT = "expert@example.com"
PRINCIPAL = "7930379096663871@7474643929653491"
APPLICATION = "0a1b2c3d-0000-4444-8888-0123456789ab"
OURS = "Ann's own words"


def person(email: str) -> list[tuple[str, str]]:
    """The headers that Databricks Apps sets for a person who is signed in."""
    number = sum(map(ord, email))
    return [
        ("X-Forwarded-User", f"{number}@7474643929653491"),
        ("X-Forwarded-Email", email),
        ("X-Forwarded-Preferred-Username", email.partition("@")[0]),
    ]


def machine() -> list[tuple[str, str]]:
    """The headers that Databricks Apps sets for a service principal: another app."""
    return [
        ("X-Forwarded-User", PRINCIPAL),
        ("X-Forwarded-Preferred-Username", APPLICATION),
    ]


@dataclass(frozen=True)
class RatedAnswer:
    """Ann's answer with her rating on it, a judge's and an expert's work beside it."""

    trace_id: str
    client_request_id: str
    anns_id: str
    judges_id: str
    experts_id: str
    codes_id: str

    def ids(self) -> list[str]:
        """Every assessment on the trace."""
        return [self.anns_id, self.judges_id, self.experts_id, self.codes_id]


@dataclass
class AttackedApp:
    """A running application with an agent, as an attacker reaches it."""

    url: str
    feedback: AgentFeedback
    tracking: Tracking
    client: httpx.Client
    registered: Any
    rated_answers: list[RatedAnswer] = field(default_factory=list)

    def activate(self) -> None:
        """Make this app's agent the one that MLflow's server calls: it has one per process."""
        agent_server._invoke_function = self.registered

    # -- what people may do ----------------------------------------------------------------------

    def ask(self, headers: Headers, **body: Any) -> dict[str, Any]:
        """Ask the agent; returns its whole answer, with the trace's id."""
        answer = self.client.post("/invocations", json={"question": "?", **body}, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def rated_answer(self, asker: str = ANN) -> RatedAnswer:
        """Let Ann ask and rate, and let a judge, an expert and a script assess her answer."""
        request_id = f"request-{len(self.rated_answers)}"
        trace_id = self.ask(person(asker), client_request_id=request_id)["trace_id"]
        body = {"trace_id": trace_id, "value": True, "rationale": OURS}
        rated = self.send("POST", headers=person(asker), json=body)
        assert rated.status_code == 201, rated.text
        judge = AssessmentSource("LLM_JUDGE", "judge")
        judged = mlflow.log_feedback(
            trace_id=trace_id, name="user_feedback", value=False, source=judge
        )
        script = mlflow.log_feedback(
            trace_id=trace_id, name="user_accuracy", value=0.2, source=AssessmentSource("CODE", ANN)
        )
        known = mlflow.log_expectation(
            trace_id=trace_id,
            name="expected_response",
            value="16 KiB",
            source=AssessmentSource("HUMAN", EXPERT),
        )
        made = RatedAnswer(
            trace_id,
            request_id,
            rated.json()["assessment_id"],
            str(judged.assessment_id),
            str(known.assessment_id),
            str(script.assessment_id),
        )
        self.rated_answers.append(made)
        return made

    # -- the wire -----------------------------------------------------------------------------

    def send(self, method: str, path: str = "", **request: Any) -> httpx.Response:
        """Send a request to a feedback route."""
        return self.client.request(method, f"/feedback{path}", **request)

    def rate(self, headers: Headers, trace_id: str, **members: Any) -> int:
        """Send a thumbs down for an answer; returns the status."""
        body = {"trace_id": trace_id, "value": False} | members
        return self.send("POST", headers=headers, json=body).status_code

    def raw(self, *requests: bytes) -> list[tuple[int, bytes]]:
        """Send bytes in one connection and return each answer's status and body."""
        address = ("127.0.0.1", httpx.URL(self.url).port)
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(b"".join(requests))
            received = b""
            # Not closed from here: uvicorn drops the answers to who has stopped speaking.
            while len(_answers(received)) < len(requests) and (piece := connection.recv(65536)):
                received += piece
        return _answers(received)

    def rate_raw(self, headers: Headers, trace_id: str) -> int:
        """As :meth:`rate`, with header values that an HTTP client would not send."""
        ((status, _),) = self.raw(post(headers, {"trace_id": trace_id, "value": False}))
        return status

    # -- what is held -------------------------------------------------------------------------

    def content(self) -> dict[str, tuple[Any, ...]]:
        """Everything that MLflow holds on this application's traces, by the assessments' ids."""
        found = {}
        for trace in self.tracking.traces():
            for each in trace.info.assessments or ():
                found[str(each.assessment_id)] = _row(trace.info.trace_id, each)
        return found

    def rows(self, trace_id: str, person: str) -> int:
        """How many rows of the ledger are one person's for one trace."""
        return len(self.feedback._parts._ledger.ratings.of(person, [trace_id]))

    def undelivered(self) -> int:
        """How many ratings wait in the ledger, or cannot be delivered."""
        status = self.send("GET", "/status").json()
        return int(status["pending"] + status["undeliverable"])


def _row(trace_id: str, found: Assessment) -> tuple[Any, ...]:
    source = (found.source.source_type, found.source.source_id)
    return (
        trace_id,
        found.name,
        *source,
        value_of(found),
        found.rationale or None,  # cleared is as good as never given
        found.valid,
    )


def post(
    headers: Mapping[str, str] | Headers,
    body: Any,
    *,
    path: str = "/feedback",
    method: str = "POST",
    lines: Sequence[str] = (),
) -> bytes:
    """Build a request's bytes, with header lines as they are and in their order."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    head = [f"{method} {path} HTTP/1.1", "Host: app.example.com", *lines]
    head += [f"{name}: {value}" for name, value in pairs]
    head += ["Content-Type: application/json", f"Content-Length: {len(text)}", "", ""]
    return "\r\n".join(head).encode() + text


def _answers(received: bytes) -> list[tuple[int, bytes]]:
    """The answers that are complete; uvicorn's own to bad requests have no length and are last."""
    answers = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        size = int(length[1]) if length else len(rest)
        if len(rest) < size:
            break
        answers.append((int(head.split(b" ", 2)[1]), rest[:size]))
        received = rest[size:]
    return answers
