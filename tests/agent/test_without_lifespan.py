"""An app that gets no lifespan messages: inside another app, or with lifespan off."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.entities import Trace

from agent_feedback import AgentFeedback, Settings
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.model import THUMB, RatingKey
from tests.agent.hosting import Host
from tests.agent.processes import SLOW_AGENT_INSIDE, AgentProcess, running_agent
from tests.support.ledgers import rated
from tests.support.mlflow_store import Tracking
from tests.support.waiting import until

Run = Callable[[], AbstractContextManager[AgentProcess]]

HOSTINGS: dict[str, dict[str, Any]] = {
    "lifespan off": {"arguments": ("--lifespan", "off")},
    "inside another app": {"arguments": (), "app": SLOW_AGENT_INSIDE, "path": "/agent"},
}
# MLflow's own export would come ten minutes later.
UNTIL_TOLD = {
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "true",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS": "600000",
}


@pytest.fixture(params=HOSTINGS)
def run(request: pytest.FixtureRequest, tracking: Tracking, tmp_path: Path) -> Run:
    """Give what runs an agent without lifespan messages, each time on the same ledger."""
    how = HOSTINGS[request.param]
    options = {name: value for name, value in how.items() if name != "arguments"}
    return partial(
        running_agent, tracking, tmp_path, *how["arguments"], variables=UNTIL_TOLD, **options
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_promised_outlives_the_process(run: Run, stop: signal.Signals) -> None:
    """A trace is stored at once, and its rating lands, at the latest after the next first one."""
    with run() as first:
        trace_id = ask(first.host)
        rate(first.host, trace_id)
        until(lambda: stored(first.host, trace_id), "the trace was not exported")
        first.process.send_signal(stop)
        first.process.wait()
    with run() as second:
        rate(second.host, ask(second.host))
        landed = partial(ratings_of, second.host, trace_id)
        assert until(landed, "the rating was lost", within=30) == [False]


def test_it_is_logged_once(run: Run) -> None:
    """The log names the cause and what to do, and only once."""
    with run() as agent:
        ask(agent.host)
        log = agent.log.read_text()
    assert log.count("never told that it starts or stops") == 1
    assert "LifespanManager" in log


def test_with_lifespan_nothing_is_logged(tracking: Tracking, tmp_path: Path) -> None:
    """An ordinary server's log holds no such sentence."""
    with running_agent(tracking, tmp_path) as agent:
        ask(agent.host)
        assert "never told" not in agent.log.read_text()


def test_the_first_turn_starts_delivery(tracking: Tracking, tmp_path: Path) -> None:
    """What an earlier process left lands once somebody asks, though nobody rates."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with mlflow.start_span("answer") as span:
        pass
    left = Ledger(url)
    rated(left, RatingKey(span.trace_id, "ann@example.com", THUMB))
    left.close()
    feedback = AgentFeedback(Settings(ledger_url=url))
    with feedback.turn(user_id="ann@example.com"):
        pass
    landed = until(lambda: values_on(tracking.trace(span.trace_id)), "it did not land")
    assert landed == [True]


TURN_AND_RATING = """
from agent_feedback import AgentFeedback
feedback = AgentFeedback()
with feedback.turn(user_id="ann@example.com") as turn:
    pass
feedback.submit(trace_id=turn.trace_id, value=False, user_id="ann@example.com")
print(turn.trace_id)
"""
RATING_ALONE = """
import mlflow
from agent_feedback import AgentFeedback, Settings
with mlflow.start_span("answer") as span:
    pass
mlflow.flush_trace_async_logging()
feedback = AgentFeedback(Settings(raters="anyone", wait_seconds=0.0))
feedback.submit(trace_id=span.trace_id, value=False, user_id="ann@example.com")
print(span.trace_id)
"""


@pytest.mark.parametrize("script", [TURN_AND_RATING, RATING_ALONE])
def test_a_script_delivers_as_it_ends(tracking: Tracking, tmp_path: Path, script: str) -> None:
    """Where Python itself ends the process, what waits is delivered first."""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(tracking, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert values_on(tracking.trace(ran.stdout.strip())) == [False]


def environment(tracking: Tracking, folder: Path) -> dict[str, str]:
    """What a script of the app's own is started with."""
    return os.environ | {
        **UNTIL_TOLD,
        "MLFLOW_TRACKING_URI": tracking.uri,
        "MLFLOW_EXPERIMENT_ID": tracking.experiment_id,
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
    }


def ask(host: Host) -> str:
    """Get a short answer; returns its trace id."""
    *_, done, _ = host.stream({"thread": False, "words": 1, "pause": 0})
    return str(done["trace_id"])


def rate(host: Host, trace_id: str) -> None:
    """Rate an answer, which is promised to be kept."""
    answer = httpx.post(f"{host.url}/feedback", json={"trace_id": trace_id, "value": False})
    assert answer.status_code in (201, 202), answer.text


def stored(host: Host, trace_id: str) -> Trace | None:
    """The trace, once MLflow has it."""
    return next((t for t in host.tracking.traces() if t.info.trace_id == trace_id), None)


def ratings_of(host: Host, trace_id: str) -> list[Any]:
    """The values of a trace's assessments, once it is stored."""
    found = stored(host, trace_id)
    return values_on(found) if found else []


def values_on(trace: Trace) -> list[Any]:
    """The values of a trace's assessments."""
    found: list[Any] = trace.info.assessments
    return [assessment.value for assessment in found]
