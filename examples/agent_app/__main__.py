"""`python -m examples.agent_app`: starts the app and prints its address."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import uvicorn

from examples.agent_app.environment import home, read_address, set_defaults, take_port
from examples.agent_app.mlflow_pages import (
    VARIABLE,
    MlflowPages,
    free_port,
    port_to_try,
    traces_page,
)


class AnnouncingServer(uvicorn.Server):
    """Prints its announcement once it accepts requests, and only then starts MLflow's pages."""

    def __init__(
        self, config: uvicorn.Config, announcement: str, pages: MlflowPages | None
    ) -> None:
        super().__init__(config)
        self._announcement = announcement
        self._pages = pages

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then prints."""
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)
            if self._pages:
                self._pages.start()


def main() -> None:
    """Prepares the stores, builds the app and serves it until it is told to stop."""
    address = read_address(os.environ)
    pages_port = port_to_try(os.environ)
    listener = take_port(address)
    artifact_location = set_defaults(os.environ)

    # Only now: these take seconds, and read the environment when they are imported.
    from examples.agent_app.lakebase import sign_in_where_needed
    from examples.agent_app.tracking import (
        choose_experiment,
        experiment_named,
        report_command,
        where_to_look,
    )

    sign_in_where_needed()
    # MLflow names it in the environment, by its id, once it is chosen.
    experiment = experiment_named(os.environ)
    experiment_id = choose_experiment(artifact_location)
    tracking_uri = os.environ["MLFLOW_TRACKING_URI"]
    # A store that the environment names has its pages elsewhere.
    pages = None
    if pages_port and artifact_location:
        pages = _pages(tracking_uri, pages_port, traces_page(experiment_id))

    from examples.agent_app.agent import assistant
    from examples.agent_app.start_server import app

    announcement = [
        "",
        f"Ask a question and rate the answer at {address.url} (Ctrl-C ends the app).",
        f"Answers are written by {assistant.writer.description}.",
        *(pages.promise if pages else where_to_look(tracking_uri, experiment_id)),
        "How people rate them, in another shell (--format html --output report.html for a page):",
        f"    {report_command(tracking_uri, experiment)}",
        "",
    ]
    # Databricks Apps waits 15 seconds between SIGTERM and SIGKILL.
    config = uvicorn.Config(app, host=address.host, port=address.port, timeout_graceful_shutdown=3)
    server = AnnouncingServer(config, "\n".join(announcement), pages)
    # Where Ctrl-C ended it, uvicorn raises it once more after its shutdown.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    sys.exit(0 if server.started else 1)


def _pages(tracking_uri: str, wanted_port: int, page: str) -> MlflowPages:
    port = free_port(wanted_port)
    # The links to the traces go there.
    os.environ[VARIABLE] = str(port)
    return MlflowPages(tracking_uri, port, page, home(os.environ))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
