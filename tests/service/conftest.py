"""Applications without a server: the Python API on a ledger of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent_feedback import AgentFeedback
from agent_feedback.ledger.ledger import Ledger
from tests.support.rating import settings_in

OpenFeedback = Callable[..., AgentFeedback]


@pytest.fixture
def open_feedback(tmp_path: Path) -> Iterator[OpenFeedback]:
    """Give a function that builds an application; each name has a ledger of its own."""
    with ExitStack() as opened:

        def build(name: str = "ledger", **chosen: Any) -> AgentFeedback:
            url = f"sqlite:///{tmp_path}/{name}.db"
            feedback = AgentFeedback(settings_in(tmp_path, ledger_url=url, **chosen))
            opened.callback(feedback._parts.stop)
            return feedback

        yield build


@pytest.fixture
def feedback(open_feedback: OpenFeedback) -> AgentFeedback:
    """Build an application."""
    return open_feedback()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Open an empty ledger."""
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()
