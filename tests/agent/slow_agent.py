"""An agent in a process of its own, which streams as long as the request asks; not a test."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import FastAPI
from mlflow.genai.agent_server import AgentServer

from agent_feedback import AgentFeedback

feedback = AgentFeedback()


@feedback.stream
def speak(request: dict[str, Any]) -> Any:
    """Stream a number of words at a pace, from a thread or on the event loop."""
    speak_there = _in_thread if request["thread"] else _on_loop
    return speak_there(request["words"], request["pause"])


def _in_thread(words: int, pause: float) -> Iterator[dict[str, Any]]:
    for number in range(words):
        yield {"word": number}
        time.sleep(pause)


async def _on_loop(words: int, pause: float) -> AsyncIterator[dict[str, Any]]:
    for number in range(words):
        yield {"word": number}
        await asyncio.sleep(pause)


server = AgentServer()
feedback.mount(server)
app = server.app

outer = FastAPI()
outer.mount("/agent", app)
