"""People who rate: over connections that stay open, as a browser's do."""

import http.client
import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

_TIMEOUT_SECONDS = 60.0
_DRAIN_SECONDS = 300.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Sent:
    """A rating that was taken."""

    seconds: float
    pending: bool
    """The answer said that MLflow does not hold it yet."""


class Raters:
    """Everybody who rates the answers of one server.

    Each rating is another person's, and the answers are rated in turn: no rating finds an earlier
    one of the same person, and all servers' traces grow alike.

    Args:
        port: Where the server is.
        durable: Whether it has agent_feedback's routes.
    """

    def __init__(self, port: int, *, durable: bool) -> None:
        self.port = port
        self._durable = durable
        self._people = itertools.count()
        self._traces: list[str] = []

    def ask(self, questions: int) -> None:
        """Let the agent give that many answers, which are rated from now on."""
        with closing(_connection(self.port)) as connection:
            for _ in range(questions):
                answer = _exchange(connection, "POST", "/invocations", {"question": "?"})
                self._traces.append(answer["trace_id"])

    def rate(self, ratings: int, *, clients: int, prefer: str = "") -> tuple[list[Sent], float]:
        """Send that many ratings; return them, and the seconds until all were taken."""
        people = list(itertools.islice(self._people, ratings))
        shares = [people[start::clients] for start in range(clients)]
        with ThreadPoolExecutor(clients) as pool:
            begun = time.perf_counter()
            sent = list(pool.map(lambda share: list(self._rate_all(share, prefer)), shares))
            seconds = time.perf_counter() - begun
        return [one for share in sent for one in share], seconds

    def wait_until_delivered(self) -> None:
        """Return when MLflow holds every rating."""
        if not self._durable:
            return
        deadline = time.monotonic() + _DRAIN_SECONDS
        with closing(_connection(self.port)) as connection:
            while (status := _exchange(connection, "GET", "/feedback/status"))["pending"]:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"MLflow does not get the ratings: {status}")
                time.sleep(_POLL_SECONDS)
        if status["undeliverable"]:
            raise RuntimeError(f"MLflow refuses ratings: {status}")

    def _rate_all(self, people: list[int], prefer: str) -> Iterator[Sent]:
        with closing(_connection(self.port)) as connection:
            for person in people:
                trace_id = self._traces[person % len(self._traces)]
                headers = {"x-forwarded-email": f"person{person}@example.com"}
                if prefer:
                    headers["prefer"] = prefer
                rating = {"trace_id": trace_id, "value": person % 2 == 0}
                begun = time.perf_counter()
                answer = _exchange(connection, "POST", "/feedback", rating, headers)
                yield Sent(time.perf_counter() - begun, answer["status"] == "pending")


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    content: Any = None,
    headers: dict[str, str] | None = None,
) -> Any:
    body = None if content is None else json.dumps(content).encode()
    named = {"content-type": "application/json"} | (headers or {})
    connection.request(method, path, body, named)
    response = connection.getresponse()
    answer = response.read()
    # A server that answers quickly because it fails must not win.
    if response.status not in (200, 201, 202):
        raise RuntimeError(f"{method} {path}: status {response.status}, body {answer[-300:]!r}")
    return json.loads(answer)
