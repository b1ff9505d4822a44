"""One small agent server whose answers are rated; run by its path, not as a module.

Its arguments are KIND, PORT and TREE. KIND is `durable` (MLflow's server with agent_feedback
mounted) or `log_feedback` (the same server with the obvious route). TREE is the checkout from which
agent_feedback must come; the caller puts it on PYTHONPATH. This file uses nothing of agent_feedback
that is not public, so that it serves earlier and later versions too.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import mlflow
import uvicorn
from fastapi import Request
from mlflow.entities import AssessmentSource
from mlflow.genai.agent_server import AgentServer, invoke
from pydantic import BaseModel


class Rating(BaseModel):
    trace_id: str
    value: bool


async def answer(request: Any) -> dict[str, str | None]:
    return {"answer": "yes", "trace_id": mlflow.get_active_trace_id()}


def durable(tree: Path) -> AgentServer:
    """Return the server with agent_feedback, from that checkout and no other."""
    import agent_feedback

    found = Path(agent_feedback.__file__).resolve()
    if not found.is_relative_to(tree.resolve()):
        raise SystemExit(f"agent_feedback comes from {found} and not from {tree}")
    # Every rating is another person's, and none of them has asked.
    feedback = agent_feedback.AgentFeedback(agent_feedback.Settings(raters="anyone"))
    feedback.invoke(answer)
    server = AgentServer()
    feedback.mount(server)
    return server


def log_feedback() -> AgentServer:
    """Return the server with the route that one writes without agent_feedback."""
    invoke()(answer)
    server = AgentServer()

    @server.app.post("/feedback")
    def feedback(rating: Rating, request: Request) -> dict[str, str | None]:
        person = AssessmentSource("HUMAN", request.headers["x-forwarded-email"])
        stored = mlflow.log_feedback(
            trace_id=rating.trace_id, name="user_feedback", value=rating.value, source=person
        )
        return {"status": "ok", "assessment_id": stored.assessment_id}

    return server


def main(kind: str, port: str, tree: str) -> None:
    # Its advice on proxies, at every start, would bury the results.
    logging.getLogger("agent_feedback").setLevel(logging.ERROR)
    server = durable(Path(tree)) if kind == "durable" else log_feedback()

    # Called before the first rating: a trace can be rated when MLflow has stored it.
    @server.app.post("/settle")
    def settle() -> None:
        mlflow.flush_trace_async_logging()

    uvicorn.run(server.app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
