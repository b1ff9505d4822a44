"""A FAKE language model: as much of OpenAI's chat completions as a streaming answer asks for."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tests.support.serving import serving


@dataclass
class FakeModel:
    """What the fake says, changeable while it runs, and what it was asked."""

    tokens: list[str] = field(default_factory=lambda: ["Two ", "lines ", "[1]."])
    refuses: bool = False
    """Whether it answers 400, which clients do not try again."""
    hesitates_after: int | None = None
    """After so many tokens it says no more until ``go_on`` is set."""
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """The bearer token of each request."""

    def app(self) -> FastAPI:
        """Build the ASGI app; it serves OpenAI's path and that of Databricks model serving."""
        app = FastAPI(openapi_url=None)

        @app.post("/v1/chat/completions")
        @app.post("/serving-endpoints/chat/completions")
        async def complete(request: Request) -> Response:
            self.requests.append(await request.json())
            self.keys.append(request.headers["authorization"].removeprefix("Bearer "))
            if self.refuses:
                secret = {"error": {"message": "no such model, key sk-secret"}}
                return JSONResponse(secret, status_code=400)
            return StreamingResponse(self._frames(), media_type="text/event-stream")

        return app

    async def _frames(self) -> AsyncIterator[str]:
        for position, token in enumerate(self.tokens):
            # Set by the test's own thread: no event of this loop's can wait for that.
            while position == self.hesitates_after and not self.go_on.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            chunk = {
                "id": "chatcmpl-fake",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "fake",
                "choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}],
            }
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"


@contextlib.contextmanager
def running_fake_model() -> Iterator[FakeModel]:
    """Serve a fresh fake model on loopback until the end of the block."""
    model = FakeModel()
    with serving(model.app()) as url:
        model.url = url
        yield model
