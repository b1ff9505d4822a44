"""Clocks that tests set, so that the speed of the machine does not count."""

import time


class AttemptsClock:
    """Stands for the module `time` of what polls: each reading moves it by a step."""

    STEP = 1 / 64  # a sum of such steps is exact

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Say the time, which was a step less when it was last asked for."""
        self._now += self.STEP
        return self._now

    def sleep(self, seconds: float) -> None:
        """Sleep as always: this clock goes by attempts."""
        time.sleep(seconds)
