"""Signs the ledger in to Lakebase, Databricks' PostgreSQL, which takes tokens instead of passwords.

Databricks Apps sets `PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER` and `PGSSLMODE` for a database
resource, which PostgreSQL's own client library reads, and no password: that is an OAuth token of
the app, valid for an hour and checked when a connection is opened. So each new connection gets a
fresh one, by the event that SQLAlchemy has for this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from databricks.sdk import WorkspaceClient
from sqlalchemy import Dialect, Engine, event


def sign_in_with_tokens(
    new_token: Callable[[], str], engines: Engine | type[Engine] = Engine
) -> None:
    """Gives PostgreSQL connections that have no password a token for one.

    By default those of every engine of this process: the ledger makes its engine itself.
    """

    def add_token(
        dialect: Dialect,
        connection_record: object,  # noqa: ARG001 - the event's signature
        positional: object,  # noqa: ARG001
        parameters: dict[str, Any],
    ) -> None:
        if dialect.name == "postgresql" and not parameters.get("password"):
            parameters["password"] = new_token()

    event.listen(engines, "do_connect", add_token)


def sign_in_where_needed() -> None:
    """Signs in to Lakebase where `app.yaml` bound one; a URL with a password does not need it."""
    if endpoint := os.environ.get("LAKEBASE_ENDPOINT"):
        sign_in_with_tokens(lambda: _credential(endpoint))


def _credential(endpoint: str) -> str:
    token = _workspace().postgres.generate_database_credential(endpoint=endpoint).token
    if not token:
        raise RuntimeError("Databricks answered without a token for the Lakebase endpoint.")
    return token


@cache
def _workspace() -> WorkspaceClient:
    # Building one asks the workspace for its settings; it is kept for all later tokens.
    return WorkspaceClient()
