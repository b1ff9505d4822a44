"""A process that is killed right after it answered a rating with success."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.service.conftest import OpenFeedback
from tests.support.mlflow_store import Tracking
from tests.support.rating import ANN, assessments_of, held, stored_trace
from tests.support.waiting import eventually

DYING = """
import json, os, signal, sys
import mlflow
from agent_feedback import AgentFeedback, Settings
from agent_feedback.delivery.dispatcher import Dispatcher

ledger_url, tracking_uri, experiment_id, trace_id, person = sys.argv[1:]
mlflow.set_tracking_uri(tracking_uri)
mlflow.set_experiment(experiment_id=experiment_id)
# It dies before the first attempt.
Dispatcher.wake = Dispatcher.start = lambda dispatcher: None
feedback = AgentFeedback(Settings(ledger_url=ledger_url, wait_seconds=0))
(receipt,) = feedback.submit(trace_id=trace_id, value=True, user_id=person)
print(json.dumps([receipt.status, receipt.assessment_id]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_rating_survives_the_death_of_its_process(
    tracking: Tracking, open_feedback: OpenFeedback, tmp_path: Path
) -> None:
    """Killed after its answer and before any delivery: the next process delivers it, once."""
    trace_id = stored_trace()
    ledger_url = f"sqlite:///{tmp_path}/ledger.db"
    arguments = [ledger_url, tracking.uri, tracking.experiment_id, trace_id, ANN]
    dead = subprocess.run(
        [sys.executable, "-c", DYING, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert dead.returncode == -signal.SIGKILL
    status, assessment_id = json.loads(dead.stdout)
    assert status == "pending"
    assert held(trace_id) == {}
    feedback = open_feedback()
    feedback._parts.start()
    landed = eventually(lambda: held(trace_id), bool, within=60)
    assert landed == {"user_feedback": True}
    assert [each.assessment_id for each in assessments_of(trace_id)] == [assessment_id]
