"""What the agent's tests share."""

from pathlib import Path

import pytest

from tests.agent.hosting import Hosts
from tests.conftest import Serve
from tests.support.mlflow_store import Tracking


@pytest.fixture
def hosts(tmp_path: Path, tracking: Tracking, serve: Serve) -> Hosts:
    """Give what serves a test's handlers with feedback mounted; traces are stored at once."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    return Hosts(folder, tracking, serve)
