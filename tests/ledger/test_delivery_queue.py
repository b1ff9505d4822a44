"""The ledger as delivery sees it: claims, leases, and what became of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from agent_feedback.ledger.delivery_queue import Claim, DeliveryQueue, new_lease
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.tables import now_ms, ratings
from agent_feedback.model import Assessment, Content, Rating
from tests.support.ledgers import KEY, flipped, keys, rated, rating, turn
from tests.support.rating import eventually

DAY_MS = 86_400_000


def state_of(ledger: Ledger) -> Rating:
    """Read the one rating of a test."""
    (only,) = ledger.ratings_of(KEY.person, [KEY.trace_id])
    return only


def set_columns(ledger: Ledger, **columns: Any) -> None:
    """Make time pass, by saying that it did."""
    ledger.write(lambda connection: connection.execute(update(ratings).values(**columns)))


def claimed(queue: DeliveryQueue) -> Claim:
    """Claim the one rating of a test."""
    (claim,) = queue.claim(8)
    return claim


def test_what_is_new_can_be_claimed_at_once(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A claim shows the desired state, under a lease of its own."""
    rated(ledger)
    claim = claimed(queue)
    assert claim.rating == rating()
    assert claim.attempts == 0
    assert claim.unsettled_ms == 0
    assert queue.held(claim.lease)[0].rating_id == claim.rating_id


def test_a_claim_takes_no_more_than_it_is_asked_for(ledger: Ledger, queue: DeliveryQueue) -> None:
    """The limit holds, and what was left is for the next claim."""
    rated(ledger, *keys(5))
    assert [len(queue.claim(3)), len(queue.claim(3)), len(queue.claim(3))] == [3, 2, 0]


def test_two_replicas_never_hold_one_rating(ledger: Ledger, neighbour: Ledger) -> None:
    """Replicas that claim at the same time share the ratings out among them."""
    rated(ledger, *keys(60))
    queues = [DeliveryQueue(ledger), DeliveryQueue(neighbour)]

    def claim_all(queue: DeliveryQueue) -> Iterator[str]:
        while claims := queue.claim(4):
            yield from (claim.rating_id for claim in claims)

    with ThreadPoolExecutor(8) as pool:
        claims = [*pool.map(lambda queue: list(claim_all(queue)), queues * 4)]
    ids = [each for found in claims for each in found]
    assert len(ids) == len(set(ids)) == 60


def test_a_lease_that_ran_out_is_claimed_again(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A delivery that died is taken up by another, and its own end no longer counts."""
    rated(ledger)
    dead = claimed(queue)
    assert queue.claim(8) == []
    set_columns(ledger, lease_until=now_ms() - 1)
    alive = claimed(queue)
    assert alive.lease != dead.lease
    queue.give_up(dead, "late")
    queue.settle(dead, "late")
    assert state_of(ledger).pending
    queue.settle(alive, None)
    assert not state_of(ledger).pending


def test_a_change_can_be_handed_over_with_its_lease(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What was leased with its change is nobody else's, and needs no claim."""
    lease = new_lease()
    ledger.change({KEY: flipped}, lease=lease)
    assert queue.claim(8) == []
    assert [claim.rating.revision for claim in queue.held(lease)] == [1]
    second = new_lease()
    ledger.change({KEY: flipped}, lease=second)
    assert queue.held(second) == []
    assert [claim.rating.revision for claim in queue.held(lease)] == [2]


def test_what_is_settled_is_done(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A delivered rating is claimed no more, and remembers the id that MLflow uses."""
    rated(ledger)
    queue.settle(claimed(queue), "a-mlflow")
    assert state_of(ledger).public_id == "a-mlflow"
    assert state_of(ledger).ids == {rating().assessment_id, "a-mlflow"}
    assert not state_of(ledger).pending
    assert queue.claim(8) == []
    assert queue.seconds_until_due() is None


ENDS: dict[str, Callable[[DeliveryQueue, Claim], None]] = {
    "settled": lambda queue, claim: queue.settle(claim, "a-old"),
    "postponed": lambda queue, claim: queue.postpone(claim, 3600, "x"),
    "given up": lambda queue, claim: queue.give_up(claim, "x"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_row_that_moved_on_is_delivered_again(
    ledger: Ledger, queue: DeliveryQueue, end: Callable[[DeliveryQueue, Claim], None]
) -> None:
    """A change during a delivery is due at once, however the older revision ended."""
    rated(ledger)
    claim = claimed(queue)
    ledger.change({KEY: flipped})
    end(queue, claim)
    again = claimed(queue)
    assert again.rating.revision == 2
    assert again.rating.pending
    assert again.rating.store_id is None
    assert not again.rating.undeliverable
    assert again.attempts == 0


def test_an_earlier_withdrawal_is_remembered_until_it_is_done(
    ledger: Ledger, queue: DeliveryQueue
) -> None:
    """What must be cleared first stays so while an older revision settles, and not longer."""
    ledger.change({KEY: lambda _: replace(rating(), clear_first=True)})
    claim = claimed(queue)
    ledger.change({KEY: flipped})
    queue.settle(claim, None)
    assert state_of(ledger).clear_first
    queue.settle(claimed(queue), None)
    assert not state_of(ledger).clear_first


def test_what_failed_is_due_later(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A postponed rating counts its attempts, waits its time, and is free again."""
    rated(ledger)
    queue.postpone(claimed(queue), 0.3, "NOT_FOUND")
    assert queue.claim(8) == []
    wait = queue.seconds_until_due()
    assert wait is not None
    assert 0 < wait <= 0.3
    time.sleep(wait + 0.05)
    assert claimed(queue).attempts == 1


def test_mlflows_return_makes_everything_due(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What waited for MLflow is due at once, from its first attempt."""
    rated(ledger, *keys(2))
    for claim in queue.claim(8):
        queue.postpone(claim, 3600, "TIMEOUT")
    queue.hasten()
    assert [claim.attempts for claim in queue.claim(8)] == [0, 0]


def test_an_unknown_outcome_is_looked_at_once_more(ledger: Ledger, queue: DeliveryQueue) -> None:
    """After an attempt that may still take effect, a rating is settled only later."""
    rated(ledger)
    queue.postpone(claimed(queue), 0, "TIMEOUT", unsettled_ms=400)
    again = claimed(queue)
    assert 0 < again.unsettled_ms <= 400
    queue.settle(again, None)
    assert not state_of(ledger).pending
    assert queue.claim(8) == []
    (last_look,) = eventually(lambda: queue.claim(8), bool)
    queue.settle(last_look, None)
    assert queue.seconds_until_due() is None


def test_what_can_never_work_is_kept_and_counted(ledger: Ledger, queue: DeliveryQueue) -> None:
    """An undeliverable rating is not tried again, is counted, and lives on with a change."""
    rated(ledger)
    queue.give_up(claimed(queue), "INVALID_PARAMETER_VALUE")
    assert queue.claim(8) == []
    assert state_of(ledger).undeliverable
    status = queue.status()
    assert (status.undeliverable, status.last_error) == (1, "INVALID_PARAMETER_VALUE")
    ledger.change({KEY: flipped})
    assert claimed(queue).rating.revision == 2
    assert queue.status().undeliverable == 0


def test_another_replicas_newer_rating_takes_the_row_over(
    ledger: Ledger, queue: DeliveryQueue
) -> None:
    """The row says what stands in MLflow, under its id, unless the person changed it again."""
    found = Assessment(
        "a-theirs",
        KEY.name,
        KEY.kind,
        "HUMAN",
        KEY.person,
        Content(False, "better so", ("complete",)),
        {},
        valid=True,
        on_trace=True,
        created_at=1,
        updated_at=1,
    )
    rated(ledger)
    queue.take_over(claimed(queue), found, 99)
    taken = state_of(ledger)
    assert (taken.content, taken.changed_at, taken.public_id) == (found.content, 99, "a-theirs")
    assert not taken.pending
    ledger.change({KEY: flipped})
    claim = claimed(queue)
    ledger.change({KEY: lambda old: replace(flipped(old), content=Content(True))})
    queue.take_over(claim, found, 999)
    assert state_of(ledger).content == Content(True)
    assert state_of(ledger).pending


def test_the_status_counts_what_waits(ledger: Ledger, queue: DeliveryQueue) -> None:
    """Operators see how many wait, for how long, and why; no person, no text."""
    now = int(time.time() * 1000)
    first, second = keys(2)
    rated(ledger, first, changed_at=now - 60_000)
    rated(ledger, second, changed_at=now)
    status = queue.status()
    assert (status.pending, status.undeliverable, status.last_error) == (2, 0, None)
    assert 59 < status.oldest_pending_seconds < 70
    for claim in queue.claim(8):
        queue.settle(claim, None)
    assert queue.status().pending == 0
    assert queue.status().oldest_pending_seconds == 0


def test_the_retention_ends_turns_and_delivered_ratings(
    ledger: Ledger, neighbour: Ledger, queue: DeliveryQueue
) -> None:
    """Old turns and delivered ratings go; younger ones, and whatever is undelivered, stay."""
    now = int(time.time() * 1000)
    old, young, undelivered = keys(3)
    rated(ledger, old, changed_at=now - 2 * DAY_MS)
    rated(ledger, young, changed_at=now)
    for claim in queue.claim(8):
        queue.settle(claim, None)
    rated(ledger, undelivered, changed_at=now - 2 * DAY_MS)
    for turn_id, opened_at in (("8", now - 2 * DAY_MS), ("9", now)):
        ledger.record(turn(turn_id, opened_at=opened_at))
        assert eventually(partial(neighbour.turn_of_trace, f"tr-{turn_id}"), bool)
    assert queue.purge(1.0) == 2
    assert queue.purge(1.0) == 0
    left = ledger.ratings_of(KEY.person, [key.trace_id for key in (old, young, undelivered)])
    assert {each.key for each in left} == {young, undelivered}
    assert neighbour.turn_of_trace("tr-8") is None
    assert neighbour.turn_of_trace("tr-9") is not None
