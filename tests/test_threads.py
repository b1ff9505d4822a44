"""Threads for work that may hang: they do it, hand back what it raises, and hold nobody."""

import subprocess
import sys
import threading
import time

import pytest

from agent_feedback.threads import DaemonThreads

_HANGS = """
import threading
from agent_feedback.threads import DaemonThreads
threads = DaemonThreads(2, "hang")
for _ in range(3):
    threads.submit(threading.Event().wait)
threads.close(0.1)
print("ended")
"""


def test_work_is_done_and_failures_are_handed_back() -> None:
    """A result or an exception is the waiting one's."""
    threads = DaemonThreads(2, "work")
    assert threads.submit(lambda: 7).result(60) == 7
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(60)
    threads.close(5)


def test_there_are_no_more_than_asked_for_and_idle_ones_are_used_again() -> None:
    """One after another needs one thread; many at once get as many as there may be."""
    threads = DaemonThreads(3, "few")
    seen: set[int] = set()

    def note() -> None:
        seen.add(threading.get_ident())
        time.sleep(0.02)

    for _ in range(5):
        threads.submit(note).result(60)
        time.sleep(0.02)
    assert len(seen) == 1
    for done in [threads.submit(note) for _ in range(20)]:
        done.result(60)
    assert len(seen) == 3
    threads.close(5)


def test_what_waits_is_finished_at_the_end_and_a_later_use_works() -> None:
    """Closing runs what was handed over; afterwards there are new threads."""
    threads = DaemonThreads(1, "again")
    done = [threads.submit(lambda number=number: number) for number in range(10)]  # type: ignore[misc]
    threads.close(5)
    assert [each.result(0) for each in done] == list(range(10))
    assert threads.submit(lambda: "more").result(60) == "more"
    threads.close(5)


def test_work_that_waits_can_be_called_off() -> None:
    """A cancelled future's work is never begun."""
    threads, go = DaemonThreads(1, "cancel"), threading.Event()
    first = threads.submit(lambda: go.wait(60))
    second = threads.submit(lambda: pytest.fail("it was called off"))
    assert second.cancel()
    go.set()
    assert first.result(60)
    threads.close(5)


def test_a_process_ends_whatever_its_threads_wait_for() -> None:
    """Calls that hang hold no process: the standard library's pool would."""
    ended = subprocess.run(
        [sys.executable, "-c", _HANGS], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stdout == "ended\n"
