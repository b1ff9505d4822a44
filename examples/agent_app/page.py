"""Serves the chat page and the documents that answers cite, under a strict content policy."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from examples.agent_app.documents import DocumentPages
from examples.agent_app.environment import PROJECT
from examples.agent_app.mlflow_ui import MlflowUi
from examples.agent_app.passages import document_paths

STATIC = Path(__file__).parent / "static"

# Scripts, styles and requests of this app alone: markup in an answer cannot load or send anything.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Revalidated each time ("not modified"): a new version shows at once.
    "Cache-Control": "no-cache",
}


class StaticFilesWithPolicy(StaticFiles):
    """The page's own files, each with the policy's headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Adds the headers to whatever is answered."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def add_page(app: FastAPI, answers_by: str, mlflow_ui: MlflowUi) -> None:
    """Adds `/`, `/about`, `/static` and `/sources` to the app.

    `answers_by` says in words who writes the answers.
    """

    async def about() -> JSONResponse:
        """What the page shows besides the answers; requested again while it is open."""
        facts = {"answers_by": answers_by, "trace_page": await mlflow_ui.trace_page()}
        return JSONResponse(facts, headers=HEADERS)

    app.mount("/static", StaticFilesWithPolicy(directory=STATIC), name="static")
    app.add_api_route("/", chat_page, include_in_schema=False)
    app.add_api_route("/about", about, include_in_schema=False)
    app.add_api_route("/favicon.ico", favicon, include_in_schema=False)
    app.add_api_route("/sources/{path:path}", source, include_in_schema=False)


async def chat_page() -> FileResponse:
    """The page."""
    return FileResponse(STATIC / "index.html", headers=HEADERS)


async def favicon() -> FileResponse:
    """The page's icon, for browsers that ask for it by its old name."""
    return FileResponse(STATIC / "icon.svg", headers=HEADERS)


def source(path: str) -> HTMLResponse:
    """A document that answers cite, as a page; only those that the agent knows."""
    known = {known.relative_to(PROJECT).as_posix(): known for known in document_paths(PROJECT)}
    if path not in known:
        raise HTTPException(status_code=404, detail="There is no such document.")
    markdown = known[path].read_text(encoding="utf-8")
    return HTMLResponse(DocumentPages(known).page(path, markdown), headers=HEADERS)
