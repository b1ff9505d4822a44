"""docs/databricks-apps.md: its files, as far as they can be run without a workspace."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import PROJECT, block

DOCUMENT = "docs/databricks-apps.md"

# Asks what a connection of the ledger would send as its password, and connects to nothing.
_PASSWORD = """
from sqlalchemy import create_engine, event

from agent_server import lakebase, start_server

lakebase._credential = lambda endpoint: f"a token for {endpoint}"
engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")


@event.listens_for(engine, "do_connect")
def refuse(dialect, record, positional, parameters):
    print(parameters["password"], "|", start_server.feedback is not None)
    raise ConnectionRefusedError


try:
    engine.connect()
except ConnectionRefusedError:
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out an agent as the document says: the README's, its server, and the copied file."""
    package = tmp_path / "agent_server"
    package.mkdir()
    (package / "__init__.py").touch()
    for document, name in (("README.md", "agent.py"), (DOCUMENT, "start_server.py")):
        (package / name).write_text(block(document, "python", f"# agent_server/{name}"))
    shutil.copy(PROJECT / "examples/agent_app/lakebase.py", package / "lakebase.py")
    return tmp_path


def test_the_ledger_signs_in_to_lakebase(folder: Path) -> None:
    """With the document's server, a PostgreSQL connection gets a token of the bound endpoint."""
    done = subprocess.run(
        [sys.executable, "-c", _PASSWORD],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(PROJECT),
            "LAKEBASE_ENDPOINT": "my-endpoint",
            "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout.strip() == "a token for my-endpoint | True", done.stderr


def test_the_variables_are_those_of_app_yaml() -> None:
    """The entries that the document shows stand in the repository's app.yaml, word for word."""
    shown = block(DOCUMENT, "yaml", "LAKEBASE_ENDPOINT").removeprefix("env:\n")
    assert shown in (PROJECT / "app.yaml").read_text()


def test_the_command_line_has_uvicorns_options() -> None:
    """What stands in for `agent_server.run` names options that uvicorn has."""
    from uvicorn.main import main

    command = block(DOCUMENT, "yaml", "uvicorn")
    known = {name for parameter in main.params for name in parameter.opts}
    options = [word.strip('",]') for word in command.split() if word.startswith('"--')]
    assert "--timeout-graceful-shutdown" in options
    assert set(options) <= known
