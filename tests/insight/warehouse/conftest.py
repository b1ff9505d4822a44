"""A fake workspace for this package's tests, and sources that ask it over HTTP."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient

from agent_feedback.insight.warehouse.client import Warehouse
from agent_feedback.insight.warehouse.source import WarehouseSource
from tests.support.fake_warehouse import FakeWarehouse, running_fake_warehouse

CATALOG, SCHEMA, PREFIX = "main", "agents", "bot"
TABLES = f"{CATALOG}.{SCHEMA}.{PREFIX}"


@pytest.fixture
def fake() -> Iterator[FakeWarehouse]:
    """A fresh fake workspace, whose warehouse executes what it is sent."""
    with running_fake_warehouse() as warehouse:
        yield warehouse


@pytest.fixture
def source(fake: FakeWarehouse) -> Callable[..., WarehouseSource]:
    """What makes a source over the fake's tables: it does not sleep, and a poll takes a second."""
    client = WorkspaceClient(host=fake.url, token="a-token")

    def made(tables: str = TABLES, experiments: tuple[str, ...] = ()) -> WarehouseSource:
        warehouse = Warehouse(
            fake.warehouse_id,
            tables,
            lambda: client,
            deadline_seconds=60,
            clock=itertools.count().__next__,
            sleep=lambda _: None,
        )
        return WarehouseSource(tables, warehouse, experiments)

    return made
