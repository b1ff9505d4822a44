"""Writes become transactions: what both writers promise, and how each keeps it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from agent_feedback.ledger import writer as writer_module
from agent_feedback.ledger.dialects import create_tables, open_engines
from agent_feedback.ledger.tables import ledger as names
from agent_feedback.ledger.writer import DirectWriter, GroupWriter, QueueFull, Writer, writer_for
from tests.support.ledgers import empty_schema


@contextmanager
def prepared(url: str) -> Iterator[Engine]:
    """Open a writer's engine on a database that has the ledger's tables."""
    engine, reader = open_engines(url)
    create_tables(engine)
    yield engine
    engine.dispose()
    reader.dispose()


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    """Open an engine on each database."""
    with prepared(ledger_url) as opened:
        yield opened


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    """Start the writer that suits the database."""
    started = writer_for(engine, prepare=lambda: None)
    yield started
    started.close(10)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    """Open an engine on SQLite."""
    with prepared(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Engine]:
    """Open an engine on PostgreSQL."""
    with empty_schema(postgres_url) as url, prepared(url) as opened:
        yield opened


@pytest.fixture
def direct(postgres: Engine) -> Iterator[DirectWriter]:
    """Start PostgreSQL's writer."""
    started = DirectWriter(postgres, prepare=lambda: None)
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


@contextmanager
def occupied(writer: Writer) -> Iterator[None]:
    """Keep every thread of a writer busy, so that what is submitted meanwhile has to wait."""
    threads = 1 if isinstance(writer, GroupWriter) else writer_module._MAX_CONNECTIONS
    all_busy, free = threading.Barrier(threads + 1), threading.Event()

    def wait(_: Connection) -> None:
        all_busy.wait(60)
        free.wait(60)

    for _ in range(threads):
        writer.submit(wait)
    all_busy.wait(60)
    try:
        yield
    finally:
        free.set()


def refuse(connection: Connection) -> None:
    """Fail by an error of the write's own, after half of it."""
    add("half")(connection)
    raise LookupError("not this one")


def add_again(connection: Connection) -> None:
    """Fail by a row that is there already."""
    add("a")(connection)


def write_nonsense(connection: Connection) -> None:
    """Fail by a statement that the database does not take."""
    connection.execute(text("INSERT INTO no_such_table VALUES (1)"))


# -- what both writers promise ----------------------------------------------------------------


def test_a_write_is_done_once_it_is_durable(writer: Writer, engine: Engine) -> None:
    """Its future gives what the write returned, and others see the row by then."""
    assert writer.submit(add("a")).result(60) == "a"
    assert stored(engine) == {"a"}


@pytest.mark.parametrize(("failing", "error"), [(refuse, LookupError), (add_again, IntegrityError)])
def test_a_failing_write_keeps_its_neighbours(
    writer: Writer,
    engine: Engine,
    failing: Callable[[Connection], None],
    error: type[Exception],
) -> None:
    """What fails is undone as a whole; what waited beside it is stored, each once."""
    writer.submit(add("a")).result(60)
    with occupied(writer):
        before, bad, after = map(writer.submit, (add("b"), failing, add("c")))
    assert isinstance(bad.exception(60), error)
    assert (before.result(60), after.result(60)) == ("b", "c")
    assert stored(engine) == {"a", "b", "c"}


def test_a_database_error_fails_its_write_and_not_the_writer(writer: Writer) -> None:
    """The next write works."""
    assert isinstance(writer.submit(write_nonsense).exception(60), DBAPIError)
    assert writer.submit(add("a")).result(60) == "a"


def test_a_failing_preparation_fails_its_writes(engine: Engine) -> None:
    """Where the ledger cannot be opened, every write fails with the reason."""

    def prepare() -> None:
        raise LookupError("no ledger")

    unprepared = writer_for(engine, prepare)
    assert isinstance(unprepared.submit(add("a")).exception(60), LookupError)
    unprepared.close(10)
    assert stored(engine) == set()


def test_a_cancelled_write_is_not_done(writer: Writer, engine: Engine) -> None:
    """A write whose caller gave up while it was waiting is left out."""
    with occupied(writer):
        cancelled = writer.submit(add("a"))
        assert cancelled.cancel()
    writer.submit(add("b")).result(60)
    writer.close(60)
    assert stored(engine) == {"b"}


def test_too_many_waiting_writes_are_refused(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is bounded, and what was taken is still written."""
    monkeypatch.setattr(writer_module, "_MAX_QUEUE", 2)
    with occupied(writer):
        waiting = [writer.submit(add("a")), writer.submit(add("b"))]
        with pytest.raises(QueueFull):
            writer.submit(add("c"))
    assert [each.result(60) for each in waiting] == ["a", "b"]


def test_closing_writes_what_is_queued(writer: Writer, engine: Engine) -> None:
    """The end of a writer loses nothing, and takes nothing more."""
    with occupied(writer):
        queued = [writer.submit(add(str(number))) for number in range(300)]
    writer.close(60)
    assert all(each.done() for each in queued)
    assert len(stored(engine)) == 300
    with pytest.raises(QueueFull):
        writer.submit(add("late"))


# -- SQLite's ---------------------------------------------------------------------------------


def test_writes_that_wait_share_a_commit(sqlite: Engine) -> None:
    """Whatever is queued during one transaction is committed by the next."""
    commits: list[Connection] = []
    event.listen(sqlite, "commit", commits.append)
    group = GroupWriter(sqlite, prepare=lambda: None)
    with occupied(group):
        queued = [group.submit(add(str(number))) for number in range(20)]
    assert len({each.result(60) for each in queued}) == 20
    group.close()
    assert len(commits) == 2


# -- PostgreSQL's -----------------------------------------------------------------------------


def test_writes_run_at_the_same_time(direct: DirectWriter) -> None:
    """Each is a transaction of its own, on a connection of its own."""
    both_run = threading.Barrier(2)

    def transaction(connection: Connection) -> int:
        both_run.wait(60)
        return int(connection.scalar(text("SELECT pg_backend_pid()")))

    one, other = direct.submit(transaction), direct.submit(transaction)
    assert one.result(60) != other.result(60)


def test_a_deadlock_is_repeated(direct: DirectWriter, postgres: Engine) -> None:
    """Of two transactions that lock two rows in opposite order, both are done in the end."""
    for name in ("a", "b"):
        direct.submit(add(name)).result(60)
    locked = {"a": threading.Event(), "b": threading.Event()}
    done = {"a": threading.Event(), "b": threading.Event()}
    began: list[str] = []

    def lock(connection: Connection, name: str) -> None:
        row = select(names).where(names.c.ledger_id == name)
        connection.execute(row.with_for_update())

    def submit(first: str, second: str) -> Future[None]:
        def write(connection: Connection) -> None:
            if first in began:  # the repetition: not to be quicker than who is waiting for the row
                assert done[second].wait(60)
            began.append(first)
            lock(connection, first)
            locked[first].set()
            assert locked[second].wait(60)
            lock(connection, second)
            add(f"{first}, then {second}")(connection)

        submitted = direct.submit(write)
        submitted.add_done_callback(lambda _: done[first].set())
        return submitted

    one, other = submit("a", "b"), submit("b", "a")
    one.result(60)
    other.result(60)
    assert len(began) == 3
    assert stored(postgres) == {"a", "b", "a, then b", "b, then a"}


def failing_with(error: Exception, calls: list[Exception]) -> Callable[[Connection], None]:
    """Make a write that always fails, and notes its calls."""

    def write(_: Connection) -> None:
        calls.append(error)
        raise error

    return write


class Deadlock(Exception):
    sqlstate = "40P01"


@pytest.mark.parametrize(
    ("error", "times"),
    [
        pytest.param(OperationalError("", {}, Deadlock()), 2, id="undone by the server"),
        pytest.param(OperationalError("", {}, Exception()), 1, id="not connected"),
        pytest.param(
            OperationalError("", {}, Exception(), connection_invalidated=True), 1, id="cut off"
        ),
        pytest.param(IntegrityError("", {}, Exception()), 1, id="a conflict"),
        pytest.param(LookupError(), 1, id="the write's own error"),
    ],
)
def test_only_what_the_server_undid_is_repeated_and_once(
    direct: DirectWriter, error: Exception, times: int
) -> None:
    """Another error would be the same a second time, or its transaction may have been committed."""
    calls: list[Exception] = []
    assert direct.submit(failing_with(error, calls)).exception(60) is error
    assert len(calls) == times
