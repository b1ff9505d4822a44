"""One writer, many writes to a commit."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agent_feedback.ledger.dialects import create_tables, open_engines
from agent_feedback.ledger.tables import ledger as names
from agent_feedback.ledger.writer import GroupWriter, QueueFull


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    """Open a writer's engine on a database that has the ledger's tables."""
    writer, reader = open_engines(ledger_url)
    create_tables(writer)
    yield writer
    writer.dispose()
    reader.dispose()


@pytest.fixture
def group(engine: Engine) -> Iterator[GroupWriter]:
    """Start a writer."""
    started = GroupWriter(engine, prepare=lambda: None)
    yield started
    started.close()


def add(name: str) -> Callable[[Connection], str]:
    """Write one row."""

    def write(connection: Connection) -> str:
        connection.execute(insert(names).values(ledger_id=name))
        return name

    return write


def stored(engine: Engine) -> set[str]:
    """Read the rows that tests wrote: the ledger's own name is longer."""
    with engine.connect() as connection:
        short = func.length(names.c.ledger_id) < 32
        return set(connection.scalars(select(names.c.ledger_id).where(short)))


def together(group: GroupWriter, *writes: Callable[[Connection], Any]) -> list[Future[Any]]:
    """Queue writes while the writer is busy, so that they share a commit."""
    busy, free = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        busy.set()
        free.wait(60)

    group.submit(wait)
    assert busy.wait(60)
    queued = [group.submit(write) for write in writes]
    free.set()
    return queued


def test_a_write_is_done_once_it_is_durable(group: GroupWriter, engine: Engine) -> None:
    """Its future gives what the write returned, and others see the row by then."""
    assert group.submit(add("a")).result(60) == "a"
    assert stored(engine) == {"a"}


def test_writes_that_wait_share_a_transaction(group: GroupWriter, engine: Engine) -> None:
    """Whatever is queued meanwhile is committed at once."""
    number = "txid_current()" if engine.dialect.name == "postgresql" else "total_changes()"

    def transaction(connection: Connection) -> Any:
        return connection.scalar(text(f"SELECT {number}"))

    seen = [each.result(60) for each in together(group, *[transaction] * 20)]
    assert len(set(seen)) == 1


def _refuse(_: Connection) -> None:
    raise LookupError("not this one")


def _break_a_rule(connection: Connection) -> None:
    add("a")(connection)


def _write_nonsense(connection: Connection) -> None:
    connection.execute(text("INSERT INTO no_such_table VALUES (1)"))


@pytest.mark.parametrize(
    ("failing", "error"),
    [(_refuse, LookupError), (_break_a_rule, SQLAlchemyError)],
)
def test_a_failing_write_keeps_its_neighbours(
    group: GroupWriter,
    engine: Engine,
    failing: Callable[[Connection], None],
    error: type[Exception],
) -> None:
    """One write's own failure is its own: the others of its commit are stored, each once."""
    group.submit(add("a")).result(60)
    before, bad, after = together(group, add("b"), failing, add("c"))
    assert isinstance(bad.exception(5), error)
    assert (before.result(60), after.result(60)) == ("b", "c")
    assert stored(engine) == {"a", "b", "c"}


def test_what_a_failing_write_did_first_is_undone(group: GroupWriter, engine: Engine) -> None:
    """A write is all or nothing, also within a shared transaction."""

    def half(connection: Connection) -> None:
        add("half")(connection)
        raise LookupError

    bad, good = together(group, half, add("whole"))
    assert isinstance(bad.exception(5), LookupError)
    assert good.result(60) == "whole"
    assert stored(engine) == {"whole"}


def test_a_broken_database_fails_the_writes_and_not_the_writer(
    group: GroupWriter, engine: Engine
) -> None:
    """A write that the database refuses is told so, and the next one works."""
    assert isinstance(group.submit(_write_nonsense).exception(5), DBAPIError)
    assert group.submit(add("a")).result(60) == "a"


def test_a_failing_preparation_fails_its_writes(engine: Engine) -> None:
    """Where the ledger cannot be opened, every waiting write is told so."""

    def prepare() -> None:
        raise LookupError("no ledger")

    group = GroupWriter(engine, prepare)
    assert isinstance(group.submit(add("a")).exception(5), LookupError)
    group.close()
    assert stored(engine) == set()


def test_a_cancelled_write_is_not_done(group: GroupWriter, engine: Engine) -> None:
    """Who no longer waits for a queued write does not get it."""
    busy, free = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        busy.set()
        free.wait(60)

    group.submit(wait)
    assert busy.wait(60)
    queued = group.submit(add("a"))
    assert queued.cancel()
    free.set()
    group.submit(add("b")).result(60)
    assert stored(engine) == {"b"}


def test_closing_writes_what_is_queued(group: GroupWriter, engine: Engine) -> None:
    """The end of the writer loses nothing, and takes nothing more."""
    queued = together(group, *[add(str(number)) for number in range(300)])
    group.close()
    assert all(each.done() for each in queued)
    assert len(stored(engine)) == 300
    with pytest.raises(QueueFull):
        group.submit(add("late"))
