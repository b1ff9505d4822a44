"""What browsers are told about the feedback routes: who else may use them, and to keep nothing."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("GET", "POST", "PATCH", "DELETE")
_HEADERS = ("Authorization", "Content-Type", "Prefer")


class CrossOriginMiddleware:
    """Answers pages of the allowed sites as CORS asks for, preflights included, and no others.

    Only below the feedback routes' prefix: what other routes of the app tell browsers is its own
    matter. Answers are one person's, so no cache may keep them.

    Args:
        app: What answers.
        prefix: Where the feedback routes live.
        allowed_origins: The sites, as browsers write them. Never a wildcard: credentials go along.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, allowed_origins: Collection[str]) -> None:
        self._app = app
        self._prefix = prefix
        self._allowed = frozenset(origin.lower() for origin in allowed_origins)
        self._for_allowed = CORSMiddleware(
            app,
            allow_origins=sorted(self._allowed),
            allow_methods=_METHODS,
            allow_headers=_HEADERS,
            allow_credentials=True,
            expose_headers=["Retry-After"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if not self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        is_allowed = Headers(scope=scope).get("origin") in self._allowed

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                if self._allowed and not is_allowed:
                    headers.add_vary_header("Origin")
            await send(message)

        answer = self._for_allowed if is_allowed else self._app
        await answer(scope, receive, send_private)

    def _is_ours(self, scope: Scope) -> bool:
        if scope["type"] != "http":
            return False
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return bool(path == self._prefix or path.startswith(f"{self._prefix}/"))
