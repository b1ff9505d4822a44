"""Engines for the ledger: how each database is made durable, and created without a race."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from agent_feedback.errors import ConfigurationError, Unavailable
from agent_feedback.ledger.tables import ledger, metadata

_SQLITE_BUSY_MS = 30_000
_PATIENCE_SECONDS = 5
# Enough for the threads that write and for those that read: see `writer` and `database`.
_POOL_SIZE = 8
_MAX_OVERFLOW = 16
# So that the operating system notices within seconds that a database's machine is gone.
_NOTICE_ITS_DEATH = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_ADVISORY_LOCK = 0x6167656E74  # any constant: it keeps workers from creating the tables at once


def open_engines(url_text: str) -> tuple[Engine, Engine]:
    """One engine for the writer and one for readers, neither of them connected yet.

    Raises:
        ConfigurationError: no engine can be made of this URL.
    """
    try:
        url = make_url(url_text)
        if url.get_backend_name() == "sqlite":
            return _open_sqlite(url)
        engine = create_engine(
            url,
            pool_size=_POOL_SIZE,
            max_overflow=_MAX_OVERFLOW,
            pool_timeout=_PATIENCE_SECONDS,
            pool_pre_ping=True,
            connect_args=_bounds(url),
            hide_parameters=True,
        )
        return engine, engine
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError(
            "ledger_url is no SQLAlchemy URL: use sqlite:///file.db or"
            " postgresql+psycopg://user@host/database."
        ) from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"ledger_url needs the package {error.name}: for PostgreSQL install"
            " mlflow-agent-feedback[postgres] and write postgresql+psycopg://…"
        ) from None


def _bounds(url: URL) -> dict[str, int]:
    """How long PostgreSQL's client waits, unless the URL says so: on its own it waits for ever."""
    if url.get_backend_name() != "postgresql" or "psycopg" not in url.get_driver_name():
        return {}
    bounds = {"connect_timeout": _PATIENCE_SECONDS, **_NOTICE_ITS_DEATH}
    return {name: value for name, value in bounds.items() if name not in url.query}


def create_tables(engine: Engine) -> str:
    """Create or upgrade the tables, one worker at a time; returns the ledger's own id.

    Raises:
        ConfigurationError: the ledger cannot be where it is said to be.
        Unavailable: its database cannot be used now.
    """
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _ADVISORY_LOCK})
            metadata.create_all(connection)
            _add_what_is_missing(connection)
            if known := connection.scalar(select(ledger.c.ledger_id)):
                return str(known)
            ledger_id = uuid.uuid4().hex
            connection.execute(insert(ledger).values(ledger_id=ledger_id))
            return ledger_id
    except SQLAlchemyError as error:
        sentence = (
            f"The ledger at {engine.url.render_as_string(hide_password=True)} cannot be opened"
            f" ({type(error).__name__}): check AGENT_FEEDBACK_LEDGER_URL and that it is writable."
        )
        # A server may come back by itself, and a full disk or a lock may go; a folder that takes
        # no file stays what it is.
        if isinstance(error, OperationalError) and "unable to open" not in str(error.orig):
            raise Unavailable(sentence) from None
        raise ConfigurationError(sentence) from None


def _add_what_is_missing(connection: Connection) -> None:
    """Give tables that an older version made the columns and indexes that came since."""
    there = inspect(connection)
    for table in metadata.sorted_tables:
        known = {column["name"] for column in there.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                added = CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {added}"))
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _open_sqlite(url: URL) -> tuple[Engine, Engine]:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "ledger_url keeps ratings in memory only: name a file, like sqlite:///agent_feedback.db."
        )
    if not Path(url.database).resolve().parent.is_dir():
        raise ConfigurationError(
            f"ledger_url names the folder {Path(url.database).resolve().parent}, which is missing."
        )
    arguments = {"timeout": _SQLITE_BUSY_MS / 1000, "check_same_thread": False}
    # Parameters are what people wrote: neither errors nor SQLAlchemy's log may show them.
    writer = create_engine(url, connect_args=arguments, hide_parameters=True)
    reader = create_engine(url, connect_args=arguments, hide_parameters=True)
    event.listen(writer, "connect", _make_durable)
    event.listen(writer, "begin", _begin_immediate)
    event.listen(reader, "connect", _leave_transactions_to_us)
    return writer, reader


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _make_durable(connection: Any, _: Any) -> None:
    _leave_transactions_to_us(connection, None)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # A deferred transaction that turns into a write fails with "locked" instead of waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
