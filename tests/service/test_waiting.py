"""How answers wait: for a trace to appear, and for MLflow to store."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from agent_feedback import FeedbackError, RatingNotFound, TraceNotFound, Unavailable
from agent_feedback.delivery.waiters import Delivered
from agent_feedback.service import waiting as waiting_module
from agent_feedback.service.receipts import Submission
from agent_feedback.service.waiting import Waiting
from tests.support.clocks import AttemptsClock


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again ten times a second."""
    monkeypatch.setattr(waiting_module, "_ASK_AGAIN_SECONDS", 0.1)


class Trace:
    """A trace that appears after some attempts, or never."""

    def __init__(self, appears_at: int | None, error: Callable[[], FeedbackError]) -> None:
        self.attempts = 0
        self.appears_at = appears_at
        self._error = error

    async def ask(self) -> str:
        """Ask as the routes do."""
        return self.ask_blocking()

    def ask_blocking(self) -> str:
        """Ask as the Python API does."""
        self.attempts += 1
        if self.appears_at is not None and self.attempts >= self.appears_at:
            return "found"
        raise self._error()


def a_trace(appears_at: int | None = None, *, final: bool = False) -> Trace:
    """Make a trace that is not there yet."""
    return Trace(appears_at, lambda: TraceNotFound(final=final))


async def asked(waiting: Waiting, trace: Trace, blocking: bool) -> str:
    """Ask in one of both worlds."""
    if blocking:
        return await asyncio.to_thread(waiting.for_trace_blocking, trace.ask_blocking)
    return await waiting.for_trace(trace.ask)


both_worlds = pytest.mark.parametrize("blocking", [False, True], ids=["routes", "python"])


@both_worlds
async def test_a_trace_that_appears_is_found(blocking: bool) -> None:
    """An unknown trace is asked for again within the bound."""
    trace = a_trace(appears_at=3)
    assert await asked(Waiting(5.0, 0.0), trace, blocking) == "found"
    assert trace.attempts == 3


@both_worlds
async def test_a_trace_that_stays_unknown_is_given_up(
    monkeypatch: pytest.MonkeyPatch, blocking: bool
) -> None:
    """Within the bound it is asked for again each time, and the last attempt is not beyond it."""
    monkeypatch.setattr(waiting_module, "time", AttemptsClock())
    monkeypatch.setattr(waiting_module, "_ASK_AGAIN_SECONDS", AttemptsClock.STEP)
    trace = a_trace()
    with pytest.raises(TraceNotFound):
        await asked(Waiting(AttemptsClock.STEP * 8, 0.0), trace, blocking)
    assert trace.attempts == 8


@both_worlds
@pytest.mark.parametrize(("seconds", "final"), [(0.0, False), (30.0, True)])
async def test_a_trace_that_cannot_appear_is_asked_for_once(
    blocking: bool, seconds: float, final: bool
) -> None:
    """Without patience, or where it can never appear, one attempt is all."""
    trace = a_trace(final=final)
    with pytest.raises(TraceNotFound):
        await asked(Waiting(seconds, 0.0), trace, blocking)
    assert trace.attempts == 1


@both_worlds
async def test_other_refusals_are_not_waited_for(blocking: bool) -> None:
    """Only an unknown trace can become known."""
    trace = Trace(None, RatingNotFound)
    with pytest.raises(RatingNotFound):
        await asked(Waiting(30.0, 0.0), trace, blocking)
    assert trace.attempts == 1


async def a_hundred_requests_to(waiting: Waiting) -> tuple[list[Trace], list[asyncio.Task[str]]]:
    """Let a hundred wait for traces that are not there yet."""
    traces = [a_trace() for _ in range(100)]
    requests = [asyncio.create_task(waiting.for_trace(trace.ask)) for trace in traces]
    while waiting._waiting < 100:  # noqa: ASYNC110 - nothing says so
        await asyncio.sleep(0.01)
    return traces, requests


async def test_no_more_than_a_hundred_wait() -> None:
    """The next one is told to come back; when the others are done, there is room again."""
    waiting = Waiting(60.0, 0.0)
    traces, requests = await a_hundred_requests_to(waiting)
    threads = threading.active_count()
    with pytest.raises(Unavailable) as refused:
        await waiting.for_trace(a_trace().ask)
    assert refused.value.retry_after >= 1
    assert threading.active_count() == threads
    assert await waiting.for_trace(a_trace(appears_at=1).ask) == "found"
    for trace in traces:
        trace.appears_at = 1
    assert await asyncio.gather(*requests) == ["found"] * 100
    assert await waiting.for_trace(a_trace(appears_at=2).ask) == "found"


async def test_a_cancelled_request_no_longer_counts() -> None:
    """A cancelled request no longer counts among those that wait."""
    waiting = Waiting(60.0, 0.0)
    _, requests = await a_hundred_requests_to(waiting)
    for each in requests:
        each.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    assert await waiting.for_trace(a_trace(appears_at=2).ask) == "found"


def submission(*awaited: Future[Delivered]) -> Submission:
    """Build what an answer may wait for."""
    return Submission([], awaited, list)


@both_worlds
async def test_an_answer_waits_for_delivery_and_no_longer(blocking: bool) -> None:
    """It goes on as soon as MLflow has everything, and at the bound in any case."""

    async def waited(bound: float, *awaited: Future[Delivered]) -> None:
        waiting = Waiting(0.0, bound)
        wait = (
            asyncio.to_thread(waiting.for_delivery_blocking, submission(*awaited))
            if blocking
            else waiting.for_delivery(submission(*awaited))
        )
        await asyncio.wait_for(wait, 60)  # far from the longest bound below

    done: Future[Delivered] = Future()
    threading.Timer(0.1, done.set_result, [Delivered(1, "a-1")]).start()
    await waited(600.0, done)
    assert done.done()
    never: Future[Delivered] = Future()
    await waited(0.2, never, done)
    await waited(0.0, never)
    assert not never.done()
    await waited(600.0)
