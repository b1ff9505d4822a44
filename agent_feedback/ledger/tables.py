"""The ledger's tables, and the database's own clock.

Sizes follow MLflow's columns (``client_request_id`` 50, ``source_id`` 250), so that nothing is
accepted here that its database refuses later.

Tables only ever gain columns, and those have defaults: what an older version made is upgraded in
place, and processes of the older version go on working beside the newer one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from agent_feedback.text import MAX_NAME_LENGTH

metadata = MetaData()

ledger = Table(
    "agent_feedback_ledger",
    metadata,
    Column("ledger_id", String(32), primary_key=True),
)

turns = Table(
    "agent_feedback_turns",
    metadata,
    Column("turn_id", String(32), primary_key=True),
    Column("trace_id", String(820), index=True),
    Column("client_request_id", String(50), nullable=False, index=True),
    Column("session_id", String(MAX_NAME_LENGTH), index=True),
    Column("user_id", String(MAX_NAME_LENGTH)),
    Column("asker", String(MAX_NAME_LENGTH)),
    Column("state", String(16), nullable=False),
    Column("opened_at", BigInteger, nullable=False, index=True),
    Column("closed_at", BigInteger),
)

ratings = Table(
    "agent_feedback_ratings",
    metadata,
    Column("rating_id", String(32), primary_key=True),
    Column("trace_id", String(820), nullable=False),
    Column("person", String(MAX_NAME_LENGTH), nullable=False),
    Column("name", String(64), nullable=False),
    Column("client_request_id", String(50)),
    # What the rating should be.
    Column("value", Text),
    Column("rationale", Text),
    Column("reasons", Text),
    Column("withdrawn", Boolean, nullable=False),
    Column("clear_first", Boolean, nullable=False),
    Column("assessment_id", String(50), nullable=False),
    Column("store_id", String(50)),
    Column("revision", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    # How far its delivery has come.
    Column("state", String(16), nullable=False),
    Column("delivered_revision", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", BigInteger, nullable=False),
    Column("unsettled_until", BigInteger, nullable=False),
    Column("last_error", String(100)),
    # How long MLflow has been answering that it will not take it, and when it last did.
    Column("refused_ms", BigInteger, nullable=False, server_default="0"),
    Column("refused_at", BigInteger, nullable=False, server_default="0"),
    Column("delivered_at", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("trace_id", "person", "name", name="agent_feedback_one_rating"),
    Index("agent_feedback_due", "state", "due_at"),
    Index("agent_feedback_delivered", "delivered_at"),
)


class now_ms(GenericFunction[int]):  # noqa: N801 - it reads as the SQL function that it is
    """Milliseconds since the epoch by the database's clock: replicas' own clocks may differ."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms)
def _now_on_postgresql(element: Any, compiler: Any, **_: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(now_ms, "sqlite")
def _now_on_sqlite(element: Any, compiler: Any, **_: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
