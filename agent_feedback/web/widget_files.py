"""Serves the web component: the script that a page names, and the modules that it is made of."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parents[1] / "static"
# Not what the operating system thinks of a suffix: to some of them .ts is a film.
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".ts": "text/plain; charset=utf-8"}


class Component:
    """The files of the component, each under its own name."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=_FOLDER)
        self._names = sorted(
            path.relative_to(_FOLDER).as_posix()
            for path in _FOLDER.rglob("*")
            if path.suffix in _MEDIA_TYPES
        )

    def add_to(self, app: FastAPI, prefix: str) -> None:
        """Add a route for each file: what is not the component's is not found."""
        for name in self._names:
            app.add_api_route(
                f"{prefix}/{name}",
                partial(self._file, name),
                methods=["GET", "HEAD"],
                include_in_schema=False,
                name=name,
            )

    async def _file(self, name: str, request: Request) -> Response:
        """Asked for again each time, and answered "not modified": a new version shows at once."""
        response = await self._files.get_response(name, request.scope)
        if response.status_code == 200:
            response.headers["Content-Type"] = _MEDIA_TYPES[Path(name).suffix]
        response.headers["Cache-Control"] = "no-cache"
        return response
