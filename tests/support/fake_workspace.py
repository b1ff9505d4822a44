"""A FAKE Databricks workspace: as much of one as looking up a token's owner asks for.

What databricks-sdk 0.156 really asks, seen on the wire: building a client fetches
`/.well-known/databricks-config` (without the token), `current_user.me()` fetches
`/api/2.0/preview/scim/v2/Me` with it. Everything else answers 404, as a workspace would.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.support.serving import serving

ME = "/api/2.0/preview/scim/v2/Me"
_REFUSALS = {400: "INVALID_PARAMETER_VALUE", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
HOST_METADATA = "/.well-known/databricks-config"


@dataclass(frozen=True)
class SeenRequest:
    """One request that reached the fake."""

    method: str
    path: str
    token: str | None


@dataclass
class FakeWorkspace:
    """What the fake answers, changeable while it runs, and what it was asked."""

    users: dict[str, str] = field(default_factory=dict)
    """User names by token; any other token is refused."""
    service_principals: dict[str, str] = field(default_factory=dict)
    """Application ids by token, for tokens that belong to an app and not to a person."""
    delay_seconds: float = 0.0
    """How long every answer takes."""
    refuses_with: int = 401
    """The status for a token that is unknown; workspaces use 403 and 400 as well."""
    away: bool = False
    """Whether everything answers 503, as a failing workspace does."""
    url: str = ""
    requests: list[SeenRequest] = field(default_factory=list)

    def look_ups(self) -> list[SeenRequest]:
        """Return the requests that asked for a token's owner."""
        return [seen for seen in self.requests if seen.path == ME]

    def app(self) -> FastAPI:
        """Build the ASGI app that answers for this workspace."""
        app = FastAPI(openapi_url=None)

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def answer(request: Request) -> JSONResponse:
            self.requests.append(_seen(request))
            await asyncio.sleep(self.delay_seconds)
            if self.away:
                return _error(503, "TEMPORARILY_UNAVAILABLE", "The workspace is away.")
            if request.url.path == HOST_METADATA:
                return JSONResponse({"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "1"})
            if request.url.path == ME:
                return self._me(_token(request))
            return _error(404, "ENDPOINT_NOT_FOUND", f"No API found for {request.url.path}")

        return app

    def _me(self, token: str | None) -> JSONResponse:
        if token in self.users:
            return JSONResponse(_person(self.users[token]))
        if token in self.service_principals:
            return JSONResponse(_service_principal(self.service_principals[token]))
        return _error(self.refuses_with, _REFUSALS[self.refuses_with], "Credential not accepted.")


@contextlib.contextmanager
def running_fake_workspace() -> Iterator[FakeWorkspace]:
    """Serve a fresh fake workspace on loopback until the end of the block."""
    workspace = FakeWorkspace()
    with serving(workspace.app()) as url:
        workspace.url = url
        yield workspace


def _seen(request: Request) -> SeenRequest:
    return SeenRequest(request.method, request.url.path, _token(request))


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _person(user_name: str) -> dict[str, Any]:
    return {
        "id": "7930379096663871",
        "userName": user_name,
        "displayName": user_name.partition("@")[0],
        "emails": [{"value": user_name, "type": "work", "primary": True}],
        "active": True,
    }


def _service_principal(application_id: str) -> dict[str, Any]:
    # Fetched of an app's own token: the user name is the application id, and there is no e-mail.
    return {
        "id": "7474643929653491",
        "userName": application_id,
        "displayName": "app-1abcde agent",
        "active": True,
    }


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error_code": code, "message": message}, status_code=status)
