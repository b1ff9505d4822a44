"""A ledger, a FAKE store, and delivery between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_feedback.delivery import mlflow_availability, row_state
from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import DeliveryQueue
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
    return ledger.queue


@pytest.fixture
def store() -> FakeStore:
    """Give a FAKE store with one empty trace."""
    return FakeStore()


@pytest.fixture
def open_traces() -> set[str]:
    """Name the traces that are still open in this process."""
    return set()


@pytest.fixture
def dispatcher(
    queue: DeliveryQueue,
    store: FakeStore,
    open_traces: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Dispatcher]:
    """Give a dispatcher that has not started, and whose pauses are short."""
    monkeypatch.setattr(mlflow_availability, "_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(row_state, "UNSETTLED_MS", 500)
    monkeypatch.setattr(row_state, "RECHECK_MS", 300)
    made = Dispatcher(queue, store, is_open=open_traces.__contains__, retention_days=30)
    yield made
    made.stop()
