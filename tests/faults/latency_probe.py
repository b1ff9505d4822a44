"""Requests to the agent, and to another route of its app, while the ledger or MLflow fails.

They rate nothing, so the fault must not reach them: no failure, and no wait.
"""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.processes import Replica

# The shortest wait of ours that could reach an answer is 5 s; a busy machine's hiccups are shorter.
_UNAFFECTED_SECONDS = 3.5


@dataclass
class Phase:
    """What was answered in one phase: for each kind of request, how many seconds each took."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)

    def median_ms(self, kind: str) -> float:
        """The usual time of one kind, in milliseconds."""
        return round(statistics.median(self.seconds[kind]) * 1000, 1)

    def slowest(self) -> float:
        """The longest time of all, in seconds."""
        return round(max(max(each) for each in self.seconds.values()), 2)


class LatencyProbe:
    """Times requests: one thread for each kind of them, which pauses after each."""

    def __init__(self, app: Replica, pause_seconds: float) -> None:
        self._url = app.url
        self._pause_seconds = pause_seconds
        self._client = httpx.Client(timeout=30)
        self._kinds: dict[str, Callable[[], bool]] = {
            "answer": self._ask,
            "stream": self._listen,
            "plain route": self._fetch,
        }
        self._over = threading.Event()
        self.phases: dict[str, Phase] = defaultdict(Phase)
        self.phase = "before"
        self._threads = [
            threading.Thread(target=self._go_on, args=(kind,), name=f"probe-{kind}")
            for kind in self._kinds
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the last requests end."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    @contextmanager
    def during(self, fault: str) -> Iterator[None]:
        """RatingKey what is going on: requests that begin within the block belong to this phase."""
        self.phase = fault
        try:
            yield
        finally:
            self.phase = "after"

    def assert_unaffected(self, fault: str) -> None:
        """Nothing failed, at no time, and the fault delayed nothing."""
        assert not self._over.is_set() or not any(t.is_alive() for t in self._threads)
        for name, phase in self.phases.items():
            assert phase.failures == [], f"{name}: {phase.failures[:5]}"
        before, meanwhile = self.phases["before"], self.phases[fault]
        for kind in self._kinds:
            assert len(meanwhile.seconds[kind]) >= 3, f"{kind}: {meanwhile.seconds[kind]}"
            usual, now = before.median_ms(kind), meanwhile.median_ms(kind)
            assert now < 5 * usual + 250, f"{kind}: {usual} ms became {now} ms"
        assert meanwhile.slowest() < _UNAFFECTED_SECONDS, dict(meanwhile.seconds)

    def figures(self, fault: str) -> dict[str, float]:
        """What the fault made of an answer's time."""
        return {
            "answer_ms_before": self.phases["before"].median_ms("answer"),
            "answer_ms_during": self.phases[fault].median_ms("answer"),
            "slowest_answer_s": self.phases[fault].slowest(),
        }

    def _go_on(self, kind: str) -> None:
        while not self._over.wait(self._pause_seconds):
            phase, begun, what = self.phases[self.phase], time.monotonic(), "not as it should be"
            done = False
            try:
                done = self._kinds[kind]()
            except httpx.HTTPError as error:
                what = repr(error)
            if done:
                phase.seconds[kind].append(time.monotonic() - begun)
            else:
                phase.failures.append(f"{kind} after {time.monotonic() - begun:.1f} s: {what}")

    def _ask(self) -> bool:
        answer = self._post({"question": "?"})
        return answer.status_code == 200 and bool(answer.json()["trace_id"])

    def _listen(self) -> bool:
        answer = self._post({"question": "?", "stream": True})
        done = '"type": "done"' in answer.text and '"status": "ok"' in answer.text
        return answer.status_code == 200 and done and answer.text.rstrip().endswith("[DONE]")

    def _fetch(self) -> bool:
        return self._client.get(f"{self._url}/plain").status_code == 200

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        named = {"x-forwarded-email": "probe@example.com"}
        return self._client.post(f"{self._url}/invocations", json=body, headers=named)


@contextmanager
def probing(
    app: Replica, *, before_seconds: float = 2.0, pause_seconds: float = 0.1
) -> Iterator[LatencyProbe]:
    """Send requests; the block begins once it is known how long they usually take."""
    made = LatencyProbe(app, pause_seconds)
    made.start()
    try:
        time.sleep(before_seconds)
        yield made
    finally:
        with suppress(RuntimeError):
            made.stop()
