"""Turns on their way into the ledger."""

import threading
from collections.abc import Sequence

import pytest

from agent_feedback.ledger.turn_log import TurnLog
from agent_feedback.model import Turn
from tests.support.ledgers import turn
from tests.support.waiting import eventually


class Written:
    """Where turns go: slowly, and as often as not, nowhere."""

    def __init__(self, *, fails: bool = False) -> None:
        self.turns: list[Turn] = []
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.fails = fails

    def __call__(self, turns: Sequence[Turn]) -> None:
        """Write turns once the test lets it."""
        self.begun.set()
        assert self.may_end.wait(60)
        if self.fails:
            raise RuntimeError("s3cret")
        self.turns += turns


def test_what_comes_during_a_write_is_written_before_the_end() -> None:
    """Closing loses no turn, also not one that was noted while others were being written."""
    written = Written()
    log = TurnLog(written)
    log.record(turn("1"))
    assert written.begun.wait(60)
    log.record(turn("2"))
    threading.Timer(0.1, written.may_end.set).start()
    log.close()
    assert [each.turn_id for each in written.turns] == ["1", "2"]


def test_a_turn_that_ends_at_once_is_written_once() -> None:
    """Its last state is what the ledger gets."""
    written = Written()
    written.may_end.set()
    log = TurnLog(written)
    for session_id in ("a", "b"):
        log.record(turn("1", session_id=session_id))
    log.close()
    assert [each.session_id for each in written.turns] == ["b"]


def test_the_newest_turns_are_remembered_in_order_of_opening() -> None:
    """Newest first, whichever ended last, and no more than a process can hold."""
    log = TurnLog(lambda _: None)
    for number in range(1200):
        log.record(turn(str(number)))
    log.record(turn("700", session_id="ended"))
    remembered = log.remembered()
    log.close()
    assert [each.turn_id for each in remembered[:2]] == ["1199", "1198"]
    assert len(remembered) == 1000
    assert [each.turn_id for each in remembered if each.session_id == "ended"] == ["700"]
    assert remembered[499].turn_id == "700"


def test_what_could_not_be_written_is_written_later() -> None:
    """An outage of the ledger costs no turn, and what a turn became meanwhile is what counts."""
    written = Written(fails=True)
    written.may_end.set()
    log = TurnLog(written)
    log.record(turn("1", session_id="begun"))
    log.record(turn("2"))
    assert written.begun.wait(60)
    log.record(turn("1", session_id="ended"))
    written.fails = False
    eventually(lambda: {each.turn_id for each in written.turns}, lambda found: len(found) == 2)
    log.close()
    newest = {each.turn_id: each.session_id for each in written.turns}
    assert newest == {"1": "ended", "2": "session-1"}


def test_a_ledger_that_is_away_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Turns that cannot be written are complained about once a minute, without any detail."""
    written = Written(fails=True)
    written.may_end.set()
    log = TurnLog(written)
    for number in range(3):
        written.begun.clear()
        log.record(turn(str(number)))
        assert written.begun.wait(60)
    log.close()
    assert len(caplog.records) == 1
    assert "s3cret" not in caplog.text
