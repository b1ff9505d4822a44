"""The ledger as delivery sees it: claims, leases, and what became of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from agent_feedback.delivery import row_state
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import Claim, DeliveryQueue, new_lease
from agent_feedback.ledger.statistics import delivery_statistics
from agent_feedback.ledger.tables import now_ms, ratings
from agent_feedback.model import Assessment, Content, Rating
from tests.support.ledgers import KEY, flipped, keys, rated, rating, trace_named, turn
from tests.support.rating import eventually

DAY_MS = 86_400_000


def state_of(ledger: Ledger) -> Rating:
    """Read the one rating of a test."""
    (only,) = ledger.ratings.of(KEY.person, [KEY.trace_id])
    return only


def set_columns(ledger: Ledger, **columns: Any) -> None:
    """Make time pass, by saying that it did."""
    ledger.database.write(lambda connection: connection.execute(update(ratings).values(**columns)))


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
    assert claim.refused_ms == 0
    assert claim.seconds_left > 15
    assert queue.held(claim.lease)[0].rating_id == claim.rating_id


def test_a_claim_takes_no_more_than_it_is_asked_for(ledger: Ledger, queue: DeliveryQueue) -> None:
    """The limit holds, and what was left is for the next claim."""
    rated(ledger, *keys(5))
    assert [len(queue.claim(3)), len(queue.claim(3)), len(queue.claim(3))] == [3, 2, 0]


def test_two_replicas_never_hold_one_rating(ledger: Ledger, neighbour: Ledger) -> None:
    """Replicas that claim at the same time share the ratings out among them."""
    rated(ledger, *keys(60))
    queues = [ledger.queue, neighbour.queue]

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
    ledger.ratings.change({KEY: flipped}, lease=lease)
    assert queue.claim(8) == []
    assert [claim.rating.revision for claim in queue.held(lease)] == [1]
    second = new_lease()
    ledger.ratings.change({KEY: flipped}, lease=second)
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
    ledger.ratings.change({KEY: flipped})
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
    ledger.ratings.change({KEY: lambda _: replace(rating(), clear_first=True)})
    claim = claimed(queue)
    ledger.ratings.change({KEY: flipped})
    queue.settle(claim, None)
    assert state_of(ledger).clear_first
    queue.settle(claimed(queue), None)
    assert not state_of(ledger).clear_first


def test_what_failed_is_due_later(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A postponed rating counts its attempts, waits its time, and is free again."""
    rated(ledger)
    queue.postpone(claimed(queue), 3600, "NOT_FOUND")
    assert queue.claim(8) == []
    wait = queue.seconds_until_due()
    assert wait is not None
    assert 3000 < wait <= 3600
    set_columns(ledger, due_at=now_ms())
    assert claimed(queue).attempts == 1


def test_mlflows_return_makes_everything_due(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What waited for MLflow is due at once, from its first attempt."""
    rated(ledger, *keys(2))
    for claim in queue.claim(8):
        queue.postpone(claim, 3600, "TIMEOUT")
    queue.make_due()
    assert [claim.attempts for claim in queue.claim(8)] == [0, 0]


def test_an_unknown_outcome_is_looked_at_once_more(
    ledger: Ledger, queue: DeliveryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an attempt that may still take effect, a rating is settled only later."""
    monkeypatch.setattr(row_state, "UNSETTLED_MS", 3_600_000)
    rated(ledger)
    queue.postpone(claimed(queue), 0, "TIMEOUT", unsettled=True)
    again = claimed(queue)
    queue.settle(again, None)
    assert not state_of(ledger).pending
    assert queue.claim(8) == []
    set_columns(ledger, due_at=now_ms(), unsettled_until=now_ms())
    last_look = claimed(queue)
    queue.settle(last_look, None)
    assert queue.seconds_until_due() is None


def test_an_unknown_outcome_stays_unknown_while_mlflow_is_away(
    ledger: Ledger, queue: DeliveryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the outage lasts, the last look comes a while after MLflow answered again."""
    monkeypatch.setattr(row_state, "UNSETTLED_MS", 3_600_000)
    rated(ledger)
    queue.postpone(claimed(queue), 0, "TIMEOUT", unsettled=True)
    set_columns(ledger, changed_at=now_ms() - 2 * 3_600_000)  # the outage was long
    queue.settle(claimed(queue), None)
    wait = queue.seconds_until_due()
    assert wait is not None
    assert 3000 < wait <= 3600


def test_another_replicas_attempt_is_looked_for(ledger: Ledger, queue: DeliveryQueue) -> None:
    """Where a ledger of another replica writes too, a last look comes when its lease is over."""
    rated(ledger)
    queue.settle(claimed(queue), None, recheck=True)
    assert not state_of(ledger).pending
    wait = queue.seconds_until_due()
    assert wait is not None
    assert 15 < wait <= 20
    assert queue.seconds_until_due(undelivered_only=True) is None


def test_who_came_late_looks_again(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A delivery that outlived its lease may have undone a later one: somebody looks."""
    rated(ledger)
    late = claimed(queue)
    set_columns(ledger, lease_until=now_ms() - 1)
    queue.settle(claimed(queue), None)
    set_columns(ledger, state="delivered")
    assert queue.seconds_until_due() is None
    queue.settle(late, "a-late")
    assert state_of(ledger).store_id is None
    assert claimed(queue).rating.revision == 1


@pytest.mark.parametrize("handed_over", [False, True])
def test_what_a_dead_delivery_had_sent_is_looked_for(
    ledger: Ledger, queue: DeliveryQueue, handed_over: bool
) -> None:
    """Whoever lets a lease run out was perhaps killed while MLflow held what it had sent."""
    rated(ledger)
    claimed(queue)
    set_columns(ledger, lease_until=now_ms() - 1)
    if handed_over:
        lease = new_lease()
        ledger.ratings.change({KEY: flipped}, lease=lease)
        (taken_up,) = queue.held(lease)
    else:
        taken_up = claimed(queue)
    queue.settle(taken_up, None)
    assert not state_of(ledger).pending
    wait = queue.seconds_until_due()
    assert wait is not None
    assert 50 < wait <= 60


def test_only_the_time_of_refusals_counts(ledger: Ledger, queue: DeliveryQueue) -> None:
    """How long MLflow has said no is the sum between its answers; an outage in between is not."""
    rated(ledger)
    queue.postpone(claimed(queue), 0, "NOT_FOUND", refused=True)
    set_columns(ledger, refused_at=now_ms() - 50_000)
    once = claimed(queue)
    assert 50_000 <= once.refused_ms < 60_000
    queue.postpone(once, 0, "NOT_FOUND", refused=True)
    set_columns(ledger, refused_at=now_ms() - 9_000_000)
    capped = claimed(queue)
    assert 650_000 <= capped.refused_ms < 660_000
    queue.postpone(capped, 0, "TIMEOUT")
    set_columns(ledger, changed_at=1)
    assert claimed(queue).refused_ms == once.refused_ms


def test_a_return_hastens_nothing_that_was_refused(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What MLflow answered it will not take now is no better off for its having been away."""
    rated(ledger)
    queue.postpone(claimed(queue), 300, "PERMISSION_DENIED", refused=True)
    queue.make_due()
    assert queue.claim(8) == []


def test_what_was_not_begun_is_given_back(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A released claim is due at once, for whoever comes, and costs no attempt."""
    rated(ledger)
    queue.release(claimed(queue))
    assert claimed(queue).attempts == 0


def test_an_operator_can_put_the_undeliverable_back(ledger: Ledger, queue: DeliveryQueue) -> None:
    """After the cause is gone, one word tries them all again, as if they were new."""
    rated(ledger, *keys(3))
    for claim in queue.claim(2):
        queue.give_up(claim, "ENDPOINT_NOT_FOUND")
    assert queue.retry() == 2
    assert queue.retry() == 0
    assert {claim.attempts for claim in queue.claim(8)} == {0}
    assert delivery_statistics(ledger).last_error is None


def test_what_can_never_work_is_kept_and_counted(ledger: Ledger, queue: DeliveryQueue) -> None:
    """An undeliverable rating is not tried again, is counted, and lives on with a change."""
    rated(ledger)
    queue.give_up(claimed(queue), "INVALID_PARAMETER_VALUE")
    assert queue.claim(8) == []
    assert state_of(ledger).undeliverable
    status = delivery_statistics(ledger)
    assert (status.undeliverable, status.last_error) == (1, "INVALID_PARAMETER_VALUE")
    ledger.ratings.change({KEY: flipped})
    assert claimed(queue).rating.revision == 2
    assert delivery_statistics(ledger).undeliverable == 0


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
    ledger.ratings.change({KEY: flipped})
    claim = claimed(queue)
    ledger.ratings.change({KEY: lambda old: replace(flipped(old), content=Content(True))})
    queue.take_over(claim, found, 999)
    assert state_of(ledger).content == Content(True)
    assert state_of(ledger).pending


def test_the_status_counts_what_waits(ledger: Ledger, queue: DeliveryQueue) -> None:
    """Operators see how many wait, for how long, and why; no person, no text."""
    now = int(time.time() * 1000)
    first, second = keys(2)
    rated(ledger, first, changed_at=now - 60_000)
    rated(ledger, second, changed_at=now)
    status = delivery_statistics(ledger)
    assert (status.pending, status.undeliverable, status.last_error) == (2, 0, None)
    assert 59 < status.oldest_pending_seconds < 600
    for claim in queue.claim(8):
        queue.settle(claim, None)
    assert delivery_statistics(ledger).pending == 0
    assert delivery_statistics(ledger).oldest_pending_seconds == 0


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
    set_columns(ledger, delivered_at=now_ms() - 2 * DAY_MS)
    rated(ledger, undelivered, changed_at=now - 2 * DAY_MS)
    for turn_id, opened_at in (("8", now - 2 * DAY_MS), ("9", now)):
        ledger.turns.record(turn(turn_id, opened_at=opened_at))
        assert eventually(partial(neighbour.turns.of_trace, trace_named(int(turn_id))), bool)
    assert queue.purge(1.0) == 2
    assert queue.purge(1.0) == 0
    left = ledger.ratings.of(KEY.person, [key.trace_id for key in (old, young, undelivered)])
    assert {each.key for each in left} == {young, undelivered}
    assert neighbour.turns.of_trace(trace_named(8)) is None
    assert neighbour.turns.of_trace(trace_named(9)) is not None
