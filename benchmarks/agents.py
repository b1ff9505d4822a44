"""One small agent server, with and without the plugin: `python -m benchmarks.agents`.

Its arguments are MODE, AGENT and PORT. MODE is `bare` (MLflow's own decorators),
`registered` (ours, nothing mounted) or `mounted` (ours, with everything). The handlers are
the same functions in all three.
"""

import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal, cast

import mlflow
import uvicorn
from mlflow.genai.agent_server import AgentServer, invoke, stream

from agent_feedback import AgentFeedback

Mode = Literal["bare", "registered", "mounted"]
Agent = Literal["untyped", "responses", "sync"]
Handler = Callable[..., Any]

# As long as a slow tool call or a small model's answer takes.
SYNC_SECONDS = 0.2


def _wanted_events(request: Any) -> int:
    inputs = request["custom_inputs"] if isinstance(request, dict) else request.custom_inputs
    return int(inputs["events"])


async def untyped_answer(request: Any) -> dict[str, str]:
    return {"answer": "yes"}


async def untyped_stream(request: Any) -> AsyncIterator[dict[str, Any]]:
    for number in range(_wanted_events(request)):
        yield {"type": "delta", "delta": f"word {number}"}


async def responses_answer(request: Any) -> dict[str, Any]:
    text = {"type": "output_text", "text": "yes", "annotations": []}
    message = {"type": "message", "id": "m1", "role": "assistant", "content": [text]}
    return {"output": [message | {"status": "completed"}]}


async def responses_stream(request: Any) -> AsyncIterator[dict[str, Any]]:
    for number in range(_wanted_events(request)):
        yield {"type": "response.output_text.delta", "item_id": "m1", "delta": f"word {number}"}


def sync_answer(request: Any) -> dict[str, str]:
    time.sleep(SYNC_SECONDS)
    return {"answer": "yes"}


def sync_stream(request: Any) -> Iterator[dict[str, Any]]:
    for number in range(_wanted_events(request)):
        yield {"type": "delta", "delta": f"word {number}"}


HANDLERS: dict[Agent, tuple[Handler, Handler]] = {
    "untyped": (untyped_answer, untyped_stream),
    "responses": (responses_answer, responses_stream),
    "sync": (sync_answer, sync_stream),
}


def build(mode: Mode, agent: Agent) -> AgentServer:
    """Return the server, with its handlers registered by MLflow or by the plugin."""
    answer, answer_stream = HANDLERS[agent]
    server = AgentServer("ResponsesAgent" if agent == "responses" else None)
    if mode == "bare":
        invoke()(answer)
        stream()(answer_stream)
    else:
        feedback = AgentFeedback()
        feedback.invoke(answer)
        feedback.stream(answer_stream)
        if mode == "mounted":
            feedback.mount(server)

    # Called between two measurements, so that no trace of the one is stored during the other.
    @server.app.post("/settle")
    def settle() -> None:
        mlflow.flush_trace_async_logging()

    return server


def main(mode: str, agent: str, port: str) -> None:
    # Its advice on proxies, at every start, would bury the results.
    logging.getLogger("agent_feedback").setLevel(logging.ERROR)
    server = build(cast(Mode, mode), cast(Agent, agent))
    uvicorn.run(server.app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
