"""`python -m examples.agent_app`: starts the app and says where to click."""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from examples.agent_app.environment import read_address, set_defaults


class AnnouncingServer(uvicorn.Server):
    """Says its piece once the port is really open."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then speaks."""
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)


def main() -> None:
    """Prepares the stores, builds the app and serves it until it is told to stop."""
    address = read_address(os.environ)
    artifact_location = set_defaults(os.environ)

    # Only now: these read the environment when they are imported.
    from examples.agent_app.lakebase import sign_in_where_needed
    from examples.agent_app.tracking import choose_experiment, where_to_look

    sign_in_where_needed()
    experiment_id = choose_experiment(artifact_location)

    from examples.agent_app.agent import assistant
    from examples.agent_app.start_server import app

    announcement = "\n".join(
        [
            "",
            f"Ask a question and rate the answer at {address.url}",
            f"Answers are written by {assistant.writer.description}.",
            *where_to_look(os.environ["MLFLOW_TRACKING_URI"], experiment_id),
            "",
        ]
    )
    # Databricks Apps waits 15 seconds between SIGTERM and SIGKILL.
    config = uvicorn.Config(app, host=address.host, port=address.port, timeout_graceful_shutdown=3)
    server = AnnouncingServer(config, announcement)
    server.run()
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
