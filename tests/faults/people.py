"""People who ask, rate, and remember what they were promised, and the audit of those promises.

A person's client does what a good client does: it says the same again until it is answered with a
2xx. So at the end there is no rating of which nobody knows whether it counts: MLflow must hold
the promise with the highest revision, once, and nothing else.
"""

import itertools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from mlflow import MlflowClient
from mlflow.entities import Assessment

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """An answer that a person got and may rate."""

    trace_id: str
    client_request_id: str
    person: str


@dataclass(frozen=True)
class Key:
    """What there may be one rating of."""

    trace_id: str
    person: str
    name: str = "user_feedback"


@dataclass(frozen=True)
class Promise:
    """What a 2xx said; ``value`` is ``None`` where the rating was withdrawn."""

    revision: int
    value: Any = None
    rationale: str | None = None
    assessment_id: str | None = None
    status_code: int = 200
    withdrawn: bool = False


class People:
    """Many people, who speak to any of several replicas.

    Args:
        urls: Where the replicas answer; every request goes to one of them by chance.
        count: How many people there are.
        seed: Of everything that happens by chance.
    """

    def __init__(self, urls: Sequence[str], *, count: int = 20, seed: int = 0) -> None:
        self.urls = list(urls)
        self.names = [f"person-{number}@example.com" for number in range(count)]
        self.random = random.Random(seed)
        self.made: dict[Key, list[Promise]] = defaultdict(list)
        self.answers: list[Answer] = []
        self.refused: list[str] = []
        """Statuses that no fault excuses (4xx but 429, 500), with their bodies."""
        self.unavailable = 0
        """How many times a 503 asked to try again."""
        self._client = httpx.Client(timeout=30, limits=httpx.Limits(max_connections=64))
        self._statements = itertools.count()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def ask(self, person: str | None = None) -> Answer:
        """Ask one question, as anybody, and wait for the answer."""
        person = person or self.random.choice(self.names)
        told = self._until_answered("POST", "/invocations", person, {"question": "?"}).json()
        answer = Answer(told["trace_id"], told["client_request_id"], person)
        with self._lock:
            self.answers.append(answer)
        return answer

    def ask_many(self, count: int) -> list[Answer]:
        """Ask this many questions, a few at a time, so that everybody asks."""
        with ThreadPoolExecutor(8) as pool:
            names = itertools.islice(itertools.cycle(self.names), count)
            return list(pool.map(self.ask, names))

    def rate(self, answer: Answer, value: bool | None = None, **more: Any) -> Promise:
        """Say a thumb until it is promised to count; its rationale is one that nobody said yet."""
        value = self.random.random() < 0.5 if value is None else value
        rationale = f"statement {next(self._statements)}"
        body = {"trace_id": answer.trace_id, "value": value, "rationale": rationale, **more}
        response = self._until_answered("POST", "/feedback", answer.person, body)
        return self._promised(answer, response)

    def withdraw(self, answer: Answer) -> Promise:
        """Withdraw the thumb until it is promised to be gone."""
        path = f"/feedback?trace_id={answer.trace_id}"
        response = self._until_answered("DELETE", path, answer.person, None)
        return self._promised(answer, response, withdrawn=True)

    def fetch(self, answer: Answer) -> list[Any]:
        """Read one's own ratings of an answer, as a page does that is loaded again."""
        path = f"/feedback?trace_id={answer.trace_id}"
        found: list[Any] = self._until_answered("GET", path, answer.person, None).json()
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
        told = response.json()
        promise = Promise(
            revision=told["revision"],
            value=None if withdrawn else told["value"],
            rationale=None if withdrawn else told["rationale"],
            assessment_id=told["assessment_id"],
            status_code=response.status_code,
            withdrawn=withdrawn,
        )
        with self._lock:
            self.made[Key(answer.trace_id, answer.person)].append(promise)
        return promise

    def _until_answered(self, method: str, path: str, person: str, body: Any) -> httpx.Response:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                response = self._client.request(
                    method,
                    self.random.choice(self.urls) + path,
                    json=body,
                    headers={"x-forwarded-email": person},
                )
            except httpx.TransportError:  # killed under us: say it again
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


@dataclass
class Audit:
    """What MLflow holds, compared with what was promised."""

    promised: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Another value, rationale or id than the promise with the highest revision."""
    resurrected: list[str] = field(default_factory=list)
    """There though it was withdrawn, or though nobody was ever promised it."""

    def figures(self) -> dict[str, int]:
        """How many of each."""
        return {
            "promised": self.promised,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "wrong": len(self.wrong),
            "resurrected": len(self.resurrected),
        }

    def is_clean(self) -> bool:
        """Whether every promise was kept, and nothing else is there."""
        return not (self.lost or self.doubled or self.wrong or self.resurrected)


def audit(
    tracking_uri: str,
    experiment_id: str,
    promises: Mapping[Key, Promise],
    *,
    traces: Collection[str] | None = None,
) -> Audit:
    """Compare every promise with MLflow, and everything in MLflow with the promises.

    Args:
        tracking_uri: The store itself, not a proxy before it.
        experiment_id: Where the app's traces are.
        promises: What counts, by rating.
        traces: The only traces to look at, where others rate others in the same experiment.
    """
    found = ratings_in(tracking_uri, experiment_id)
    if traces is not None:
        found = {key: there for key, there in found.items() if key.trace_id in traces}
    result = Audit(promised=len(promises))
    for key, promise in promises.items():
        there = found.pop(key, [])
        if promise.withdrawn:
            result.resurrected += [f"{key}: {each}" for each in there]
        elif not there:
            result.lost.append(f"{key}: {promise}")
        elif len(there) > 1:
            result.doubled.append(f"{key}: {there}")
        elif not _is_kept(promise, there[0]):
            result.wrong.append(f"{key}: {promise} became {there[0]}")
    result.resurrected += [f"{key}: {there}" for key, there in found.items()]
    return result


def audit_once_settled(look: Callable[[], Audit], *, within: float) -> Audit:
    """Look until every promise is kept; returns the last audit, clean or not.

    Where MLflow took longer than an attempt waits, a late write may stand for up to a minute, until
    the last look: ``within`` must be longer than that.
    """
    deadline = time.monotonic() + within
    while not (seen := look()).is_clean() and time.monotonic() < deadline:
        time.sleep(0.3)
    return seen


def _is_kept(promise: Promise, there: Assessment) -> bool:
    return (
        there.feedback is not None
        and there.feedback.value == promise.value
        and (there.rationale or None) == promise.rationale
        and there.assessment_id == promise.assessment_id
        and there.source.source_type == "HUMAN"
        and there.valid is not False
    )


def ratings_in(tracking_uri: str, experiment_id: str) -> dict[Key, list[Assessment]]:
    """Return every assessment in an experiment, also hidden ones, by what it rates."""
    client, token = MlflowClient(tracking_uri), None
    found: dict[Key, list[Assessment]] = defaultdict(list)
    while True:
        page = client.search_traces(
            locations=[experiment_id], include_spans=False, max_results=500, page_token=token
        )
        for trace in page:
            for each in trace.info.assessments or ():
                key = Key(trace.info.trace_id, each.source.source_id or "", each.name)
                found[key].append(each)
        token = page.token
        if not token:
            return found
