"""What one operation learns while the ledger applies its changes, and what it waits for."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent_feedback import InvalidFeedback
from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.delivery.waiters import Delivered, Waiters
from agent_feedback.guard import Guard
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.model import Identity, Rating
from agent_feedback.service.changes import Changes
from agent_feedback.service.forms import RatingForm
from agent_feedback.service.service import Service
from agent_feedback.service.targets import Target
from tests.support.assessments import FakeStore
from tests.support.ledgers import KEY, becomes, flipped, keys, rated, rating
from tests.support.rating import settings_in

DELIVERED = Delivered(1, rating().assessment_id)


@pytest.fixture
def waiters() -> Waiters:
    """Give the waiters of a process, of which there are none yet."""
    return Waiters()


def test_a_delivery_right_after_the_commit_is_heard(ledger: Ledger, waiters: Waiters) -> None:
    """It comes before anybody could ask what there is to wait for."""
    changes = Changes(waiters, None)
    ledger.ratings.change(changes.observed({KEY: flipped}))
    waiters.resolve(KEY, DELIVERED)
    assert [each.result(0) for each in changes.awaited] == [DELIVERED]
    assert changes.delivered(KEY) == DELIVERED
    assert len(waiters) == 0


def test_a_repeated_transaction_leaves_one_waiter(waiters: Waiters) -> None:
    """What counts is the last call, which may have found another replica's change."""
    changes = Changes(waiters, None)
    transition = changes.observed({KEY: flipped})[KEY]
    transition(None)
    theirs = rating()
    transition(theirs)
    assert len(waiters) == 1
    assert changes.before(KEY) == theirs
    waiters.resolve(KEY, DELIVERED)
    assert changes.delivered(KEY) is None
    waiters.resolve(KEY, Delivered(2, "a-1"))
    assert changes.delivered(KEY) == Delivered(2, "a-1")


def test_a_transaction_that_is_late_leaves_no_waiter(waiters: Waiters) -> None:
    """Its caller was refused while the database hung; the write may still run, and is undone."""
    changes = Changes(waiters, None)
    transition = changes.observed({KEY: flipped})[KEY]
    changes.stop_waiting()
    transition(None)
    assert len(waiters) == 0


def test_a_repeated_transaction_may_leave_nothing_to_wait_for(waiters: Waiters) -> None:
    """The first call would have changed something, the last one finds it delivered."""
    changes = Changes(waiters, None)
    transition = changes.observed({KEY: lambda old: old or rating()})[KEY]
    transition(None)
    transition(replace(rating(), delivered_revision=1))
    assert (len(waiters), changes.awaited) == (0, [])


def test_a_failed_change_leaves_no_waiter(ledger: Ledger, waiters: Waiters) -> None:
    """Those of the ratings before the one that was refused are removed."""
    first, second = keys(2)

    def refuse(_: Rating | None) -> Rating:
        raise InvalidFeedback("no")

    changes = Changes(waiters, None)
    with pytest.raises(InvalidFeedback):
        ledger.ratings.change(changes.observed({first: flipped, second: refuse}))
    changes.stop_waiting()
    assert len(waiters) == 0


def test_a_failed_operation_leaves_no_waiter(ledger: Ledger, tmp_path: Path) -> None:
    """Whatever fails after the commit, nobody is left waiting."""
    store = FakeStore()
    dispatcher = Dispatcher(ledger.queue, store, is_open=lambda _: False, retention_days=30)
    waiting: list[int] = []

    def fail() -> None:
        waiting.append(len(dispatcher.waiters))
        raise LookupError

    service = Service(settings_in(tmp_path), ledger, store, store, dispatcher, Guard(), began=fail)
    person = Identity(KEY.person, "x-forwarded-email", is_human=True)
    with pytest.raises(LookupError):
        service.submit(Target(KEY.trace_id), RatingForm(True), person)
    service.close()
    assert (waiting, len(dispatcher.waiters)) == ([1], 0)


def test_nobody_waits_in_vain(ledger: Ledger) -> None:
    """Where waiting makes no sense, the change is noted all the same."""
    changes = Changes(None, None)
    ledger.ratings.change(changes.observed({KEY: flipped}))
    changes.stop_waiting()
    assert (changes.before(KEY), changes.awaited, changes.delivered(KEY)) == (None, [], None)


def test_only_a_change_is_news(ledger: Ledger, waiters: Waiters) -> None:
    """A double click changes nothing, and yet waits for the delivery that is under way."""
    first, second = keys(2)
    rated(ledger, first)
    changes = Changes(waiters, None)
    unchanged, changed = ledger.ratings.change(
        changes.observed({first: lambda old: old, second: flipped})
    )
    assert (changes.are_news(unchanged), changes.are_news(changed)) == (False, True)
    assert len(changes.awaited) == 2


def test_the_requests_id_is_on_what_changed(ledger: Ledger) -> None:
    """Neither a rating that has one already nor one that did not change gets another."""
    first, second, third = keys(3)
    rated(ledger, first)
    named = replace(rating(key=third), client_request_id="request-1")
    changes = Changes(None, "request-2")
    ratings = ledger.ratings.change(
        changes.observed({first: lambda old: old, second: flipped, third: becomes(named)})
    )
    assert [each.client_request_id for each in ratings] == [None, "request-2", "request-1"]
