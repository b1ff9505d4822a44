"""Where the app runs: folders, stores, address."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Address:
    """Where the server listens, and the address for a browser."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to open in a browser; 0.0.0.0 is only for listening."""
        host = "localhost" if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{self.port}"


def read_address(environ: MutableMapping[str, str]) -> Address:
    """This machine only, unless Databricks Apps, whose proxy is elsewhere, sets a port."""
    databricks_port = environ.get("DATABRICKS_APP_PORT")
    host = "0.0.0.0" if databricks_port else "127.0.0.1"
    port = databricks_port or environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise SystemExit(f"The port {port!r} is not a number from 1 to 65535.")
    return Address(host, int(port))


def take_port(address: Address) -> socket.socket:
    """Opens the port for the server, before anything slow begins; early requests wait.

    Raises:
        SystemExit: the port is not available; the text says what to do.
    """
    try:
        listener = socket.create_server((address.host, address.port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is in use by another program" if taken else f"cannot be opened ({error.strerror})"
        other = address.port % 65_535 + 1 if taken else 8000
        raise SystemExit(
            f"Port {address.port} {why}: start with another, for instance `PORT={other} make run`."
        ) from None
    # asyncio does this for sockets that it opens itself; without it every answer takes 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def home(environ: Mapping[str, str]) -> Path:
    """The folder for the app's own stores."""
    return Path(environ.get("AGENT_APP_HOME") or PROJECT / ".agent_app").resolve()


def set_defaults(environ: MutableMapping[str, str]) -> str | None:
    """Points MLflow and the ledger at embedded stores, unless the environment names others.

    Runs before anything of the app is imported: `AgentFeedback()` and MLflow read the environment.
    Returns where MLflow shall put its files, where the store is the app's own.
    """
    # The example contacts no server that is not configured.
    environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    folder = home(environ)
    stores = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/feedback.db",
    }
    missing = {name: url for name, url in stores.items() if not environ.get(name)}
    if missing:
        _make_folder(folder)
    environ.update(missing)
    return (folder / "artifacts").as_uri() if "MLFLOW_TRACKING_URI" in missing else None


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The app's files are not to be committed, wherever the folder is.
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
