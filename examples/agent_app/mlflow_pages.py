"""MLflow's own pages beside the app: a server that the app starts, and that ends with it.

Only over the app's own embedded store: every other store has its pages elsewhere.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from examples.agent_app.environment import PROJECT

VARIABLE = "AGENT_APP_MLFLOW_PAGES"
USUAL_PORT = 5000
HOST = "127.0.0.1"

# The first question comes first: importing MLflow once more would take half of a small machine.
_START_DELAY_SECONDS = 5.0
_POLL_SECONDS = 0.5
# The app has priority over the pages.
_NICENESS = 19
_STOP_SECONDS = 3.0


def port_to_try(environ: Mapping[str, str]) -> int | None:
    """The port for the pages if it is free; `None` where no pages are to be started.

    Where `AGENT_APP_MLFLOW_UI` is set, the pages run already. On Databricks Apps nobody could reach
    them.
    """
    setting = environ.get(VARIABLE) or str(USUAL_PORT)
    if setting == "off" or environ.get("DATABRICKS_APP_PORT") or environ.get("AGENT_APP_MLFLOW_UI"):
        return None
    if not setting.isdecimal() or not 0 < int(setting) < 65_536:
        raise SystemExit(f"{VARIABLE} is `off`, or a port from 1 to 65535; {setting!r} is neither.")
    return int(setting)


def free_port(wanted: int) -> int:
    """This port, or any other where something listens there already."""
    try:
        probe = socket.create_server((HOST, wanted))
    except OSError:
        probe = socket.create_server((HOST, 0))
    with probe:
        return int(probe.getsockname()[1])


def server_command(tracking_uri: str, port: int) -> list[str]:
    """The command that serves a store's pages to this machine; it works in any folder."""
    server = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    return [*server, "--workers", "1", "--backend-store-uri", tracking_uri]


def traces_page(experiment_id: str | None) -> str:
    """Where an MLflow server shows the traces; its first page where the experiment is unknown."""
    return f"/#/experiments/{experiment_id}/traces" if experiment_id else ""


class MlflowPages:
    """The pages' server, supervised by a process of its own that runs as long as this one.

    That process waits for the end of a pipe. The operating system closes the pipe when the app
    ends, however it ends: also by a SIGKILL, after which no clean-up code runs.
    """

    def __init__(self, tracking_uri: str, port: int, page: str, folder: Path) -> None:
        self.promise = [
            f"MLflow's own pages follow in a moment ({VARIABLE}=off leaves them out).",
        ]
        self._command = server_command(tracking_uri, port)
        self._address = (HOST, port)
        self._page = f"http://{HOST}:{port}{page}"
        self._folder = folder
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._log = folder / "mlflow-pages.log"

    def start(self) -> None:
        """Start in a moment, and print when they can be opened. Returns at once."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        time.sleep(_START_DELAY_SECONDS)
        # Kept while the app runs: the supervisor ends when its pipe is closed.
        self._supervisor = self._hold()
        self._announce(self._supervisor)

    def _hold(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", __name__, str(self._folder), *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                # Ctrl-C is for the app; all processes of MLflow's server are one group.
                start_new_session=True,
            )

    def _announce(self, supervisor: subprocess.Popen[bytes]) -> None:
        while supervisor.poll() is None:
            if _listens(self._address):
                print(f"The traces, with their ratings, are at {self._page}", flush=True)
                return
            time.sleep(_POLL_SECONDS)
        print(f"MLflow's own pages did not start: {self._log} says why.", flush=True)


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def keep(folder: Path, command: Sequence[str]) -> None:
    """Run the command in the folder until standard input ends; then end all that it started."""
    os.nice(_NICENESS)
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)
    # Not before: the server would inherit it. Only the pipe ends this process, so that the server
    # does not outlive it where somebody ends the app's processes by name.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(server,), daemon=True).start()
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _end_after(server: subprocess.Popen[bytes]) -> None:
    server.wait()
    # Its child processes too.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2:])
