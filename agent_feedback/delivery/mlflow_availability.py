"""Whether MLflow is worth asking now, as far as this process knows."""

from __future__ import annotations

import time
from collections.abc import Callable

_PROBE_SECONDS = 1.0


class Availability:
    """Keeps deliveries from a server that is away, and notices within seconds that it is back.

    Args:
        is_there: A cheap question to MLflow, which takes seconds where it hangs.
        on_return: Called when MLflow answers for the first time, and whenever it does so again.
    """

    def __init__(self, is_there: Callable[[], bool], on_return: Callable[[], None]) -> None:
        self._is_there = is_there
        self._on_return = on_return
        self._known = False
        self._doubted = False
        self._away = False
        self._quiet_until = 0.0

    @property
    def is_away(self) -> bool:
        """Whether MLflow did not answer when it was last asked."""
        return self._away

    @property
    def is_open(self) -> bool:
        """Whether an attempt makes sense at this moment."""
        return not (self._away or self._doubted or time.monotonic() < self._quiet_until)

    def doubt(self) -> None:
        """An attempt failed as it does where MLflow is away: ask before the next one."""
        self._doubted = True

    def be_quiet(self, seconds: float) -> None:
        """MLflow asked for fewer requests."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def seconds_to_wait(self) -> float:
        """How long to attempt nothing; asks MLflow where that is in doubt."""
        if self._away or self._doubted or not self._known:
            if not self._is_there():
                self._away = self._known = True
                return _PROBE_SECONDS
            if self._away or not self._known:
                self._on_return()
            self._away, self._doubted, self._known = False, False, True
        return max(0.0, self._quiet_until - time.monotonic())
