"""A ledger that cannot be used now says so, soon, and promises nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from agent_feedback import ConfigurationError, Unavailable
from agent_feedback.ledger import database
from agent_feedback.ledger.dialects import open_engines
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.model import Rating
from tests.support.ledgers import KEY, empty_schema, flipped, rated, trace_named, turn


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name an SQLite ledger's file."""
    return tmp_path / "ledger.db"


@pytest.fixture
def on_file(file: Path) -> Iterator[Ledger]:
    """Open an SQLite ledger."""
    ledger = Ledger(f"sqlite:///{file}")
    ledger.open()
    yield ledger
    ledger.close()


def test_a_locked_ledger_is_waited_for(on_file: Ledger, file: Path) -> None:
    """A lock that another process holds for a moment delays a write, and fails nothing."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        on_file.turns.record(turn("1"))
        other.execute("COMMIT")
    assert rated(on_file)


def in_time(write: Callable[[], object]) -> None:
    """Write, and fail where that takes as long as a database's own patience."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write).result(20)


def test_a_ledger_locked_for_too_long_refuses(
    on_file: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the bound a write is refused, and what was refused does not appear afterwards."""
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.3)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # While the lock is held, and long before the database itself would give up.
        for _ in range(2):  # the second waits behind the first
            with pytest.raises(Unavailable) as refused:
                in_time(partial(rated, on_file))
        assert refused.value.retry_after >= 1
        assert on_file.ratings.of(KEY.person, [KEY.trace_id]) == []
        other.execute("COMMIT")
    monkeypatch.undo()
    seen: list[Rating | None] = []

    def look(old: Rating | None) -> None:
        seen.append(old)

    on_file.ratings.change({KEY: look})
    assert seen == [None]


def test_a_ledger_whose_tables_are_gone_refuses(on_file: Ledger, file: Path) -> None:
    """A damaged ledger is an error for a rating, and none for a turn."""
    with closing(sqlite3.connect(file)) as other:
        for table in ("ratings", "turns"):
            other.execute(f"DROP TABLE agent_feedback_{table}")
    on_file.turns.record(turn("1"))
    assert on_file.turns.of_trace(trace_named(1)) == turn("1")
    with pytest.raises(Unavailable) as refused:
        rated(on_file)
    assert "table" not in str(refused.value)
    with pytest.raises(Unavailable):
        on_file.ratings.of(KEY.person, [KEY.trace_id])


def test_a_read_only_database_refuses_ratings_and_shows_them(postgres_url: str) -> None:
    """Where nothing can be written, what was written can be read."""
    with empty_schema(postgres_url) as url:
        first, read_only = Ledger(url), Ledger(f"{url} -cdefault_transaction_read_only=on")
        rated(first)
        with pytest.raises(Unavailable):
            read_only.ratings.change({KEY: flipped})
        assert read_only.ratings.of(KEY.person, [KEY.trace_id])[0].revision == 1
        for ledger in (first, read_only):
            ledger.close()


def test_a_database_that_went_away_and_came_back_works(postgres_url: str) -> None:
    """Connections that the server ended are replaced without losing a rating."""
    end_all = sqlalchemy.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
    )
    admin = sqlalchemy.create_engine(postgres_url)
    with empty_schema(postgres_url) as url:
        ledger = Ledger(f"{url}&application_name=test-of-trouble")
        rated(ledger)
        with admin.begin() as connection:
            ended = connection.execute(end_all, {"name": "test-of-trouble"})
            assert ended.rowcount >= 1
        assert ledger.ratings.change({KEY: flipped})[0].revision == 2
        ledger.close()
    admin.dispose()


def test_a_database_that_is_not_there_refuses() -> None:
    """A server that does not answer is "try again" for a rating, and no configuration error."""
    ledger = Ledger("postgresql+psycopg://me:s3cret@127.0.0.1:1/db")
    with pytest.raises(Unavailable) as refused:
        rated(ledger)
    with pytest.raises(Unavailable):
        ledger.ratings.of(KEY.person, [])
    assert "s3cret" not in str(refused.value)
    ledger.close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:////no/such/folder/x.db"])
def test_an_engine_is_not_made_of_nonsense(url: str) -> None:
    """What cannot be a durable ledger is refused before anything is opened."""
    with pytest.raises(ConfigurationError):
        open_engines(url)


def test_sqlite_survives_a_power_cut(file: Path) -> None:
    """The writer syncs every commit to the disk, and readers do not wait for writers."""
    writer, reader = open_engines(f"sqlite:///{file}")
    with writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    writer.dispose()
    reader.dispose()
