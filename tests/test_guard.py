"""The guard for the host's answers."""

import logging

import pytest

from agent_feedback.guard import Guard


def test_a_failure_of_ours_is_swallowed_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The block's failure does not reach the host, and the log names it once, with its cause."""
    guard = Guard()
    for _ in range(3):
        with guard.protect("tagging a trace"):
            raise RuntimeError("broken")
    assert [record.getMessage() for record in caplog.records] == [
        "agent_feedback: tagging a trace failed; the answer is unharmed"
    ]
    assert caplog.records[0].exc_info is not None


def test_different_failures_are_logged_each(caplog: pytest.LogCaptureFixture) -> None:
    """One kind of failure does not hide another, and a second guard knows nothing of the first."""
    with caplog.at_level(logging.WARNING):
        for guard, what in [(first := Guard(), "a"), (first, "b"), (Guard(), "a")]:
            with guard.protect(what):
                raise ValueError
    assert len(caplog.records) == 3


def test_a_cancellation_is_not_swallowed() -> None:
    """What ends the host's own work passes through."""
    with pytest.raises(KeyboardInterrupt), Guard().protect("anything"):
        raise KeyboardInterrupt
