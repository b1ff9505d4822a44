"""Who waits for which rating to be stored."""

import pytest

from agent_feedback.delivery.waiters import Delivered, Waiters
from tests.support.ledgers import KEY, keys


@pytest.fixture
def waiters() -> Waiters:
    """Give the waiters of a process, of which there are none yet."""
    return Waiters()


def test_a_waiter_hears_of_its_revision_or_a_later_one(waiters: Waiters) -> None:
    """An earlier revision does not count, and one that came later answers for those before it."""
    second, third = waiters.add(KEY, 2), waiters.add(KEY, 3)
    waiters.resolve(KEY, Delivered(1, "a-1"))
    assert not second.stored.done()
    waiters.resolve(KEY, Delivered(3, "a-1"))
    assert [each.stored.result(0) for each in (second, third)] == [Delivered(3, "a-1")] * 2
    assert len(waiters) == 0


def test_a_waiter_hears_of_no_other_rating(waiters: Waiters) -> None:
    """Each rating has waiters of its own."""
    one, other = keys(2)
    waiter = waiters.add(one, 1)
    waiters.resolve(other, Delivered(1, "a-1"))
    assert not waiter.stored.done()
    assert len(waiters) == 1


def test_a_removed_waiter_hears_nothing(waiters: Waiters) -> None:
    """It is not kept either, while another of the same rating is; removing it twice is harmless."""
    removed, kept = waiters.add(KEY, 1), waiters.add(KEY, 1)
    waiters.remove([removed])
    waiters.remove([removed])
    assert len(waiters) == 1
    waiters.resolve(KEY, Delivered(1, "a-1"))
    assert not removed.stored.done()
    assert kept.stored.done()


def test_a_cancelled_waiter_disturbs_no_other(waiters: Waiters) -> None:
    """A client that hung up cancels what it awaited."""
    cancelled, kept = waiters.add(KEY, 1), waiters.add(KEY, 1)
    assert cancelled.stored.cancel()
    waiters.resolve(KEY, Delivered(1, "a-1"))
    assert kept.stored.result(0) == Delivered(1, "a-1")
    assert len(waiters) == 0
