"""Load that goes on while a fault is caused, and everything people do at once."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.people import Answer, People

_MAX_REMEMBERED = 200


@contextmanager
def repeating(do: Callable[[], object], *, threads: int, pause: float) -> Iterator[None]:
    """Do this again and again in several threads; what it raises is raised at the end."""
    over = threading.Event()
    failures: list[BaseException] = []

    def repeat() -> None:
        while not over.is_set():
            try:
                do()
            except BaseException as error:  # noqa: BLE001 - raised below
                failures.append(error)
                return
            time.sleep(pause)

    started = [threading.Thread(target=repeat, name=f"load-{n}") for n in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in started:
            thread.join()
    for failure in failures:
        raise failure


@contextmanager
def being_rated(crowd: People, answers: Sequence[Answer], *, threads: int = 8) -> Iterator[None]:
    """Let people rate, change and withdraw these, some dozens of times a second, meanwhile."""

    def one() -> None:
        answer = crowd.random.choice(answers)
        if crowd.random.random() < 0.2:
            crowd.withdraw(answer)
        else:
            crowd.rate(answer)

    with repeating(one, threads=threads, pause=0.1):
        yield


@dataclass
class DailyLife:
    """People ask, and rate, change, withdraw and look at what they were answered lately.

    Args:
        crowd: The people.
        rated_for_seconds: How long an answer interests anybody.
    """

    crowd: People
    rated_for_seconds: float
    asked: int = 0
    _recent: deque[tuple[float, Answer]] = field(
        default_factory=lambda: deque(maxlen=_MAX_REMEMBERED)
    )

    def step(self) -> None:
        """Let somebody do one thing."""
        answer = self._recent_answer()
        chance = self.crowd.random.random()
        if answer is None or chance < 0.35:
            self._recent.append((time.monotonic(), self.crowd.ask()))
            self.asked += 1
        elif chance < 0.75:
            self.crowd.rate(answer)
        elif chance < 0.85:
            self.crowd.withdraw(answer)
        else:
            self.crowd.fetch(answer)

    def _recent_answer(self) -> Answer | None:
        young = time.monotonic() - self.rated_for_seconds
        recent = [answer for at, answer in list(self._recent) if at > young]
        return self.crowd.random.choice(recent) if recent else None
