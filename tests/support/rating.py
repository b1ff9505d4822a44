"""Answers to rate, people who rate them, and what MLflow holds in the end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mlflow
from mlflow.entities import Assessment
from starlette.types import ASGIApp

from agent_feedback import AgentFeedback, Settings
from agent_feedback.assessment_format import ASKER_KEY
from tests.support.waiting import eventually as eventually

ANN = "ann@example.com"
BOB = "bob@example.com"
UNKNOWN_TRACE = f"tr-{'0' * 32}"


def settings_in(folder: Path, **chosen: Any) -> Settings:
    """Settings with a ledger in this folder, and with waits as short as tests need them."""
    defaults: dict[str, Any] = {
        "ledger_url": f"sqlite:///{folder}/ledger.db",
        "unknown_wait_seconds": 0.0,
        # The answer waits for delivery: far more than one takes on a busy machine.
        "wait_seconds": 8.0,
    }
    return Settings(**defaults | chosen)


def stored_trace(
    asker: str | None = ANN,
    *,
    client_request_id: str | None = None,
    session_id: str | None = None,
) -> str:
    """Make a trace as a turn of ours leaves it, which no ledger knows; return its id."""
    metadata = {} if asker is None else {ASKER_KEY: asker}
    if session_id is not None:
        metadata["mlflow.trace.session"] = session_id
    with mlflow.start_span("answer") as span:
        mlflow.update_current_trace(metadata=metadata, client_request_id=client_request_id)
    return str(span.trace_id)


def assessments_of(trace_id: str) -> list[Assessment]:
    """Return what MLflow shows on a trace: its valid assessments, oldest first."""
    trace = mlflow.get_trace(trace_id, silent=True)
    assert trace is not None, f"{trace_id} is not stored"
    return [each for each in trace.info.assessments or () if each.valid is not False]


def held(trace_id: str) -> dict[str, Any]:
    """Return the values that MLflow holds by name, of which none may occur twice."""
    found = assessments_of(trace_id)
    assert len({each.name for each in found}) == len(found), found
    return {each.name: value_of(each) for each in found}


def value_of(assessment: Assessment) -> Any:
    """Return what a feedback or an expectation says."""
    holder = assessment.expectation or assessment.feedback
    return getattr(holder, "value", None)


@dataclass(frozen=True)
class Site:
    """A served application, as its users reach it."""

    url: str
    feedback: AgentFeedback
    client: httpx.Client

    def ask(
        self,
        method: str,
        path: str = "",
        *,
        user: str | None = ANN,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> httpx.Response:
        """Send a request to a feedback route, in the name of ``user``."""
        named = {"x-forwarded-email": user} if user is not None else {}
        return self.client.request(
            method, f"/feedback{path}", headers=named | dict(headers or {}), **kwargs
        )

    def post(self, body: Any, path: str = "", **kwargs: Any) -> httpx.Response:
        """Send a rating."""
        return self.ask("POST", path, json=body, **kwargs)

    def patch(self, assessment_id: str, body: Any, **params: Any) -> httpx.Response:
        """Change a part of a rating."""
        return self.ask("PATCH", f"/{assessment_id}", json=body, params=params)

    def delete(self, path: str = "", *, user: str | None = ANN, **params: Any) -> httpx.Response:
        """Withdraw a rating."""
        return self.ask("DELETE", path, user=user, params=params)

    def mine(self, *, user: str | None = ANN, **params: Any) -> list[dict[str, Any]]:
        """List the person's own ratings."""
        answer = self.ask("GET", user=user, params=params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found


OpenSite = Callable[..., Site]


@contextmanager
def opened_site(
    serve: Callable[[ASGIApp], str], feedback: AgentFeedback, app: ASGIApp | None = None
) -> Iterator[Site]:
    """Serve an application's routes, without an agent unless ``app`` has one."""
    url = serve(app or feedback.app())
    with httpx.Client(base_url=url, timeout=30) as client:
        yield Site(url, feedback, client)
