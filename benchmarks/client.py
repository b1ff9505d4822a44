"""The load: plain sockets and no parsing, so that the client is never what is measured."""

import http.client
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_PERSON = {"content-type": "application/json", "x-forwarded-email": "ann@example.com"}
_TIMEOUT_SECONDS = 60.0


def events_per_second(port: int, events: int) -> float:
    """Read a stream of that many events from start to end."""
    begun = time.perf_counter()
    response = _ask(port, events=events, stream=True)
    body = response.read()
    seconds = time.perf_counter() - begun
    _check(response, body, events)
    return events / seconds


def first_event_seconds(port: int) -> float:
    """Return how long a stream takes to its first byte."""
    begun = time.perf_counter()
    response = _ask(port, events=5, stream=True)
    first = response.read1(1)
    seconds = time.perf_counter() - begun
    _check(response, first + response.read(), 5)
    return seconds


def concurrent_seconds(port: int, clients: int) -> float:
    """Return how long that many simultaneous requests take until all have their answer."""
    with ThreadPoolExecutor(clients) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda _: _answer(port), range(clients)))
        return time.perf_counter() - begun


def settle(ports: list[int]) -> None:
    """Let the servers store their traces now, and not during the next measurement."""
    with ThreadPoolExecutor(len(ports)) as pool:
        list(pool.map(lambda port: _post(port, "/settle", {}).read(), ports))


def is_up(port: int) -> bool:
    """Say whether the server answers yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _answer(port: int) -> None:
    response = _ask(port, events=1, stream=False)
    _check(response, response.read(), 0)


def _ask(port: int, *, events: int, stream: bool) -> http.client.HTTPResponse:
    request = {
        "input": [{"role": "user", "content": "hello"}],
        "custom_inputs": {"events": events, "client_request_id": str(uuid.uuid4())},
        "stream": stream,
    }
    return _post(port, "/invocations", request)


def _post(port: int, path: str, content: Any) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    # The server closes after its answer: then http.client gives the socket to the response.
    headers = _PERSON | {"connection": "close"}
    connection.request("POST", path, json.dumps(content), headers)
    return connection.getresponse()


def _check(response: http.client.HTTPResponse, body: bytes, events: int) -> None:
    # A server that answers quickly because it fails must not win.
    if response.status != 200 or body.count(b"data: {") < events or b'"error"' in body:
        raise RuntimeError(f"status {response.status}, body {body[-300:]!r}")
