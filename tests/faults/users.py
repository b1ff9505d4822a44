"""Users who ask, rate, and remember what they were promised.

A user's client does what a good client does: it sends the same again until it is answered with a
2xx. So at the end there is no rating of which nobody knows whether it counts: MLflow must hold
the promise with the highest revision, once, and nothing else (see :mod:`tests.faults.audit`).
"""

import itertools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """An answer that a user got and may rate."""

    trace_id: str
    client_request_id: str
    user: str


@dataclass(frozen=True)
class Key:
    """What there may be one rating of."""

    trace_id: str
    user: str
    name: str = "user_feedback"


@dataclass(frozen=True)
class Promise:
    """What a 2xx promised; ``value`` is ``None`` where the rating was withdrawn."""

    revision: int
    value: Any = None
    rationale: str | None = None
    assessment_id: str | None = None
    status_code: int = 200
    withdrawn: bool = False


class Users:
    """Many users, who send requests to any of several replicas.

    Args:
        urls: Where the replicas answer; every request goes to one of them by chance.
        count: How many users there are.
        seed: Of everything that happens by chance.
    """

    def __init__(self, urls: Sequence[str], *, count: int = 20, seed: int = 0) -> None:
        self.urls = list(urls)
        self.names = [f"user-{number}@example.com" for number in range(count)]
        self.random = random.Random(seed)
        self.made: dict[Key, list[Promise]] = defaultdict(list)
        self.answers: list[Answer] = []
        self.refused: list[str] = []
        """Statuses that no fault excuses (4xx but 429, 500), with their bodies."""
        self.unavailable = 0
        """How many times a 503 asked to try again."""
        self._client = httpx.Client(timeout=30, limits=httpx.Limits(max_connections=64))
        self._rationales = itertools.count()
        self._lock = threading.Lock()

    def __enter__(self) -> "Users":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, user: str | None = None) -> Answer:
        """Ask one question, as any of the users, and wait for the answer."""
        user = user or self.random.choice(self.names)
        body = self._until_answered("POST", "/invocations", user, {"question": "?"}).json()
        answer = Answer(body["trace_id"], body["client_request_id"], user)
        with self._lock:
            self.answers.append(answer)
        return answer

    def ask_many(self, count: int) -> list[Answer]:
        """Ask this many questions, a few at a time, so that every user asks."""
        with ThreadPoolExecutor(8) as pool:
            names = itertools.islice(itertools.cycle(self.names), count)
            return list(pool.map(self.ask, names))

    def rate(self, answer: Answer, value: bool | None = None, **more: Any) -> Promise:
        """Send a thumb until it is promised to count, with a rationale that nobody has sent yet."""
        value = self.random.random() < 0.5 if value is None else value
        rationale = f"rationale {next(self._rationales)}"
        body = {"trace_id": answer.trace_id, "value": value, "rationale": rationale, **more}
        response = self._until_answered("POST", "/feedback", answer.user, body)
        return self._promised(answer, response)

    def withdraw(self, answer: Answer) -> Promise:
        """Withdraw the thumb until it is promised to be gone."""
        path = f"/feedback?trace_id={answer.trace_id}"
        response = self._until_answered("DELETE", path, answer.user, None)
        return self._promised(answer, response, withdrawn=True)

    def fetch(self, answer: Answer) -> list[Any]:
        """Read the user's ratings of an answer, as a reloaded page does."""
        path = f"/feedback?trace_id={answer.trace_id}"
        found: list[Any] = self._until_answered("GET", path, answer.user, None).json()
        return found

    def rate_steadily(
        self, answers: Sequence[Answer], *, per_second: float, seconds: float
    ) -> list[Future[Promise]]:
        """Rate answers by chance at this pace; returns once all that was begun is promised."""
        begun, made = time.monotonic(), []
        with ThreadPoolExecutor(48) as pool:
            for number in range(int(per_second * seconds)):
                time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
                made.append(pool.submit(self.rate, self.random.choice(answers)))
        for each in made:
            each.result()
        return made

    def promises(self) -> dict[Key, Promise]:
        """For every rating, the promise that counts: that with the highest revision."""
        with self._lock:
            return {key: max(made, key=lambda p: p.revision) for key, made in self.made.items()}

    def _promised(
        self, answer: Answer, response: httpx.Response, *, withdrawn: bool = False
    ) -> Promise:
        body = response.json()
        promise = Promise(
            revision=body["revision"],
            value=None if withdrawn else body["value"],
            rationale=None if withdrawn else body["rationale"],
            assessment_id=body["assessment_id"],
            status_code=response.status_code,
            withdrawn=withdrawn,
        )
        with self._lock:
            self.made[Key(answer.trace_id, answer.user)].append(promise)
        return promise

    def _until_answered(self, method: str, path: str, user: str, body: Any) -> httpx.Response:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                response = self._client.request(
                    method,
                    self.random.choice(self.urls) + path,
                    json=body,
                    headers={"x-forwarded-email": user},
                )
            except httpx.TransportError:  # killed meanwhile: send it again
                time.sleep(0.2)
                continue
            if response.is_success:
                return response
            if response.status_code not in (429, 503):
                with self._lock:
                    self.refused.append(f"{response.status_code} {response.text}")
                raise AssertionError(f"{method} {path}: {self.refused[-1]}")
            with self._lock:
                self.unavailable += 1
            time.sleep(min(2.0, float(response.headers["retry-after"])))
        raise AssertionError(f"{method} {path} was not answered in {_PATIENCE_SECONDS:.0f} s")
