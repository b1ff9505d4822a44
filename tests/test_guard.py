"""The guard for the host's answers."""

import logging

import pytest

from agent_feedback.guard import Guard


def test_a_failure_of_ours_is_swallowed_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The block's failure does not reach the host, and the log names it once, with its cause."""
    guard = Guard()
    for _ in range(3):
        with guard.protect("tagging a trace"):
            raise RuntimeError("s3cret")
    (record,) = caplog.records
    first, *origin = record.getMessage().splitlines()
    assert first == "agent_feedback: tagging a trace failed; the answer is unharmed"
    assert origin[-1] == "builtins.RuntimeError"
    assert any("test_guard.py" in line for line in origin)


def test_no_text_of_an_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the failure's own words nor those of what caused it: they hold what people wrote."""
    comment = "call Ann, " + "555-0100"

    def caused() -> None:
        try:
            raise LookupError(comment)
        except LookupError as error:
            raise ValueError(f"no such channel: {comment}") from error

    def while_handling() -> None:
        try:
            raise LookupError(comment)
        except LookupError:
            raise ValueError(comment)  # noqa: B904 - the context is what this is about

    for fail in (caused, while_handling):
        with Guard().protect("the on_rating hook"):
            fail()
    assert "555-0100" not in caplog.text
    for kind in ("builtins.LookupError", "builtins.ValueError"):
        assert caplog.text.count(kind) == 2


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
