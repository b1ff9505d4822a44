"""Load that goes on while a fault is caused, and everything that users do, mixed."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.users import Answer, Users

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
def rating_load(users: Users, answers: Sequence[Answer], *, threads: int = 8) -> Iterator[None]:
    """Let users rate, change and withdraw these, some dozens of times a second, meanwhile."""

    def one() -> None:
        answer = users.random.choice(answers)
        if users.random.random() < 0.2:
            users.withdraw(answer)
        else:
            users.rate(answer)

    with repeating(one, threads=threads, pause=0.1):
        yield


@dataclass
class MixedLoad:
    """Users ask, and rate, change, withdraw and fetch what they were answered lately.

    Args:
        users: Who does all that.
        rated_for_seconds: How long an answer is rated after it was given.
    """

    users: Users
    rated_for_seconds: float
    asked: int = 0
    _recent: deque[tuple[float, Answer]] = field(
        default_factory=lambda: deque(maxlen=_MAX_REMEMBERED)
    )

    def step(self) -> None:
        """Let one user do one thing."""
        answer = self._recent_answer()
        chance = self.users.random.random()
        if answer is None or chance < 0.35:
            self._recent.append((time.monotonic(), self.users.ask()))
            self.asked += 1
        elif chance < 0.75:
            self.users.rate(answer)
        elif chance < 0.85:
            self.users.withdraw(answer)
        else:
            self.users.fetch(answer)

    def _recent_answer(self) -> Answer | None:
        young = time.monotonic() - self.rated_for_seconds
        recent = [answer for at, answer in list(self._recent) if at > young]
        return self.users.random.choice(recent) if recent else None
