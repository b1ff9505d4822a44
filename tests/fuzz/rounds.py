"""How long a fuzz test runs, and with which seeds."""

import os
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""How long each test of the served application runs; 0 for one short round."""

SEED = int(os.environ.get("FUZZ_SEED", "0"))
"""What the first round starts from; each that follows starts from one more."""


def seeds(at_least: int) -> Iterator[int]:
    """Give the seed of each round that a test of the served application takes."""
    end = time.monotonic() + SECONDS
    seed = SEED
    while seed < SEED + at_least or time.monotonic() < end:
        yield seed
        seed += 1
