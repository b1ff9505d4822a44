"""A ledger, a FAKE store, and delivery between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_feedback.delivery import availability
from agent_feedback.delivery.delivery import Delivery
from agent_feedback.ledger import delivery_queue
from agent_feedback.ledger.delivery_queue import DeliveryQueue
from agent_feedback.ledger.ledger import Ledger
from tests.support.assessments import FakeStore


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Open an empty ledger."""
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def queue(ledger: Ledger) -> DeliveryQueue:
    """See the ledger as delivery does."""
    return DeliveryQueue(ledger)


@pytest.fixture
def store() -> FakeStore:
    """Give a FAKE store with one empty trace."""
    return FakeStore()


@pytest.fixture
def open_traces() -> set[str]:
    """Name the traces that are still open in this process."""
    return set()


@pytest.fixture
def delivery(
    queue: DeliveryQueue,
    store: FakeStore,
    open_traces: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Delivery]:
    """Give a delivery that has not started, and whose pauses are short."""
    monkeypatch.setattr(availability, "_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(delivery_queue, "UNSETTLED_MS", 500)
    monkeypatch.setattr(delivery_queue, "LAST_LOOK_MS", 300)
    made = Delivery(queue, store, is_open=open_traces.__contains__, retention_days=30)
    yield made
    made.stop()
