"""The app under test, as uvicorn imports it: a real agent, real feedback, and faults on demand.

The faults come by environment (``FAULTS_*``) because the app runs in processes of its own. They
sit at the edges: nothing of what is under test is replaced.
"""

import os
import signal
from pathlib import Path
from typing import Any

import mlflow
import sqlalchemy
from mlflow.genai.agent_server import AgentServer
from sqlalchemy import event

from agent_feedback import AgentFeedback
from agent_feedback.delivery import dispatcher, retry, row_state
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.model import Rating
from tests.support.loopback import refuse_other_hosts

refuse_other_hosts()


def _shorten(module: Any, constant: str, variable: str) -> None:
    """Let a wait that takes minutes or a day take seconds, where the test says how many."""
    if seconds := os.environ.get(variable):
        setattr(module, constant, int(float(seconds) * 1000))


_shorten(retry, "_DAY_MS", "FAULTS_DAY_SECONDS")
_shorten(row_state, "UNSETTLED_MS", "FAULTS_UNSETTLED_SECONDS")
_shorten(row_state, "RECHECK_MS", "FAULTS_RECHECK_SECONDS")
_shorten(retry, "_EXPORT_GAP_MS", "FAULTS_EXPORT_GAP_SECONDS")

if _purge := os.environ.get("FAULTS_PURGE_SECONDS"):
    dispatcher._PURGE_SECONDS = float(_purge)

if "FAULTS_DIE_AFTER_CREATE" in os.environ:
    # MLflow has written, and the process dies before it can note it.
    _create = Assessments.create

    def _create_and_die(self: Assessments, rating: Rating) -> str:
        created = _create(self, rating)
        try:
            # Whoever takes the file dies: once for each time it is put there.
            Path(os.environ["FAULTS_DIE_AFTER_CREATE"]).unlink()
        except FileNotFoundError:
            return created
        os.kill(os.getpid(), signal.SIGKILL)
        return created

    Assessments.create = _create_and_die  # type: ignore[method-assign]

if "FAULTS_MAX_PAGES" in os.environ:

    @event.listens_for(sqlalchemy.Engine, "begin")
    def _fill_the_disk(connection: sqlalchemy.Connection) -> None:
        """Let an SQLite file have no more pages than the test's file says, if there is one."""
        if connection.engine.url.database == os.environ["FAULTS_LEDGER_FILE"]:
            pages = Path(os.environ["FAULTS_MAX_PAGES"])
            most = pages.read_text() if pages.exists() else "4294967294"
            connection.exec_driver_sql(f"PRAGMA max_page_count={most}")


feedback = AgentFeedback()


@feedback.invoke
async def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer at once, whatever was asked."""
    return {"answer": f"You asked: {request.get('question')}"}


@feedback.stream
async def answer_stream(request: dict[str, Any]) -> Any:
    """Answer in three events."""
    for word in ("You", "asked", "that"):
        with mlflow.start_span(word):
            yield {"word": word}


def plain() -> dict[str, str]:
    """Answer as any other route of the same app does: in one of the server's few threads."""
    return {"plain": "yes"}


server = AgentServer()
feedback.mount(server)
app = server.app
app.add_api_route("/plain", plain)
