"""What the tests of the clients for MLflow share."""

import socket
from typing import Any

import pytest
import urllib3.util.connection


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note each connection that an HTTP client of this process tries to make."""
    tried: list[object] = []
    connect = urllib3.util.connection.create_connection

    def noted(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        tried.append(address)
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", noted)
    return tried
