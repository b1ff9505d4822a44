"""One contract for every database: SQLite and a real PostgreSQL, empty for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import DeliveryQueue
from tests.support.ledgers import empty_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database, which lives as long as the test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    with empty_schema(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Open a ledger on the empty database."""
    opened = Ledger(ledger_url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def queue(ledger: Ledger) -> DeliveryQueue:
    """See the ledger as delivery does."""
    return ledger.queue


@pytest.fixture
def neighbour(ledger_url: str, ledger: Ledger) -> Iterator[Ledger]:
    """Open the same ledger once more, as another replica does."""
    opened = Ledger(ledger_url)
    opened.open()
    yield opened
    opened.close()
