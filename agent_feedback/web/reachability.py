"""Whether the feedback routes can be reached, found by asking the app itself."""

from __future__ import annotations

import asyncio

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from agent_feedback.web.schemas import SettingsBody

_PATIENCE_SECONDS = 2.0
_NOT_OURS = (200, 404, 405)
"""What a route answers that stands before ours. Others say nothing of who would have answered: a
middleware that asks people to sign in, a host name that is not allowed, a ledger that is away."""


async def is_hidden(app: FastAPI, prefix: str, lifespan: Scope) -> bool:
    """Whether another route of ``app`` answers where the feedback routes should.

    Args:
        app: The whole application, with every middleware.
        prefix: Where the feedback routes live.
        lifespan: The scope of the app's lifespan, whose state its middlewares may need.
    """

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(lifespan.get("state", {}))}, receive, send)

    transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        try:
            asked = client.get(f"{prefix}/settings")
            answer = await asyncio.wait_for(asked, _PATIENCE_SECONDS)
        except (asyncio.TimeoutError, httpx.HTTPError):
            return False
    return answer.status_code in _NOT_OURS and not _is_ours(answer)


def _is_ours(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.keys() == SettingsBody.model_fields.keys()
