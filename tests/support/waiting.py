"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.02
_MAX_PAUSE_SECONDS = 0.3


def eventually(
    fetch: Callable[[], T], wanted: Callable[[T], object] = bool, *, within: float = 30.0
) -> T:
    """Fetch until it is as wanted; return the last that was fetched."""
    deadline, pause = time.monotonic() + within, _FIRST_PAUSE_SECONDS
    while not wanted(found := fetch()) and time.monotonic() < deadline:
        time.sleep(pause)
        # Each fetch takes time from whatever is waited for: ever more rarely.
        pause = min(_MAX_PAUSE_SECONDS, pause * 1.2)
    return found


def until(
    fetch: Callable[[], T | None], otherwise: Callable[[], str] | str, *, within: float = 30.0
) -> T:
    """Fetch until it is true, and return that; a failure says what else is the case."""
    found = eventually(fetch, within=within)
    if not found:
        reason = otherwise if isinstance(otherwise, str) else otherwise()
        raise AssertionError(f"not within {within:.0f} s: {reason}")
    return found
