"""How the example app signs its ledger in to Lakebase, which takes tokens instead of passwords."""

from typing import Any

import pytest
from sqlalchemy import create_engine, event, make_url, text

from examples.agent_app.lakebase import sign_in_with_tokens


def passwords(url: str, new_token: Any) -> list[str]:
    """Open two connections and return the passwords that would have been sent."""
    engine = create_engine(url)
    sign_in_with_tokens(new_token, engine)
    seen: list[str] = []

    @event.listens_for(engine, "do_connect")
    def refuse(*arguments: Any) -> None:
        seen.append(arguments[-1].get("password"))
        raise ConnectionRefusedError

    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            engine.connect()
    return seen


def test_every_new_connection_gets_a_fresh_token() -> None:
    """A PostgreSQL address without a password signs in with a new token each time."""
    tokens = iter(["first", "second"])
    seen = passwords("postgresql+psycopg://", lambda: next(tokens))
    assert seen == ["first", "second"]


def test_a_password_is_left_alone() -> None:
    """An address that has a password of its own is none of Lakebase's."""
    seen = passwords("postgresql+psycopg://me:mine@host/db", lambda: "token")
    assert seen == ["mine", "mine"]


def test_the_address_of_app_yaml_reaches_a_real_postgresql(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an empty URL, host, user and database come from the platform's PG* variables."""
    real = make_url(postgres_url)
    host = real.query.get("host") or real.host
    monkeypatch.setenv("PGHOST", str(host))
    monkeypatch.setenv("PGUSER", str(real.username))
    monkeypatch.setenv("PGDATABASE", str(real.database))
    engine = create_engine("postgresql+psycopg://")
    sign_in_with_tokens(lambda: "token", engine)
    with engine.connect() as connection:
        assert connection.scalar(text("select current_database()")) == real.database
    engine.dispose()
