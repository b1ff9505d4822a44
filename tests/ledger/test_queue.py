"""The ratings that have to be delivered, in a database: claims, leases, and what is written."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update

from agent_feedback.delivery.row_state import Postponed, Released, Stored, Undeliverable
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import LEASE_MS, UNTIL_IT_ANSWERS, Claim, DeliveryQueue
from agent_feedback.ledger.rows import RatingRow
from agent_feedback.ledger.statistics import delivery_statistics
from agent_feedback.ledger.tables import now_ms, ratings
from agent_feedback.model import Content, Rating
from tests.support.ledgers import KEY, end, flipped, keys, rated, rating, trace_named, turn
from tests.support.rating import eventually

DAY_MS = 86_400_000
STORED = Stored(rating().assessment_id)
REFUSED = Postponed(3600, "NOT_FOUND", refused=True)
FAILED = Postponed(3600, "TIMEOUT")


def set_columns(ledger: Ledger, **columns: Any) -> None:
    """Change every row, as if time had passed."""
    ledger.database.write(lambda connection: connection.execute(update(ratings).values(**columns)))


def claimed(queue: DeliveryQueue) -> Claim:
    """Claim the one rating of a test."""
    (claim,) = queue.claim(8)
    return claim


def row_of(queue: DeliveryQueue, claim: Claim) -> RatingRow:
    """Read the row of a claim, and change nothing."""
    rows: list[RatingRow] = []

    def read(row: RatingRow, _: int) -> RatingRow:
        rows.append(row)
        return row

    queue.update(claim, read)
    return rows[0]


def test_a_new_rating_can_be_claimed_at_once(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A claim has the row as it is in the database, with a lease of its own."""
    rated(ledger)
    claim = claimed(queue)
    assert claim.rating == rating()
    assert (claim.row.attempts, claim.refused_ms) == (0, 0)
    assert claim.age_ms == claim.now - rating().changed_at
    assert claim.row.lease is not None
    assert claim.row.lease_until == claim.now + LEASE_MS
    stored = row_of(queue, claim)
    # The statement that reads the time and the one that writes the lease are two.
    assert replace(stored, lease_until=claim.row.lease_until) == claim.row


def test_a_claim_takes_no_more_than_its_limit(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What one claim leaves is for the next."""
    rated(ledger, *keys(5))
    assert [len(queue.claim(3)), len(queue.claim(3)), len(queue.claim(3))] == [3, 2, 0]


def test_two_replicas_never_hold_one_rating(ledger: Ledger, neighbour: Ledger) -> None:
    """Replicas that claim at the same time share the ratings out among them."""
    rated(ledger, *keys(60))
    queues = [ledger.queue, neighbour.queue]

    def claim_all(queue: DeliveryQueue) -> Iterator[str]:
        while claims := queue.claim(4):
            yield from (claim.row.rating_id for claim in claims)

    with ThreadPoolExecutor(8) as pool:
        claims = [*pool.map(lambda queue: list(claim_all(queue)), queues * 4)]
    ids = [each for found in claims for each in found]
    assert len(ids) == len(set(ids)) == 60


def test_an_abandoned_lease_is_claimed_again(ledger: Ledger, queue: DeliveryQueue) -> None:
    """Whoever let it run out may have sent something: the outcome is unknown until MLflow answers.

    Its own late outcome is not written over the other claim's.
    """
    rated(ledger)
    late = claimed(queue)
    assert late.row.unsettled_until == 0
    assert queue.claim(8) == []
    set_columns(ledger, lease_until=now_ms() - 1)
    later = claimed(queue)
    assert later.row.lease != late.row.lease
    assert later.row.unsettled_until == UNTIL_IT_ANSWERS
    end(queue, late, Undeliverable("LATE"))
    row = row_of(queue, later)
    assert (row.state, row.lease, row.last_error) == ("pending", later.row.lease, None)
    assert row.unsettled_until == UNTIL_IT_ANSWERS
    end(queue, later, STORED)
    assert not row_of(queue, later).rating.pending


def test_a_released_claim_is_free_at_once(ledger: Ledger, queue: DeliveryQueue) -> None:
    """What was given back can be claimed, and nothing of it is taken for abandoned."""
    rated(ledger)
    end(queue, claimed(queue), Released())
    assert claimed(queue).row.unsettled_until == 0


def test_an_update_writes_every_column_that_is_decided(
    ledger: Ledger, queue: DeliveryQueue
) -> None:
    """The row becomes what was decided, and no other row changes."""
    first, second = keys(2)
    rated(ledger, first, second)
    claim, other = queue.claim(8)
    before = row_of(queue, other)
    decided = RatingRow(
        claim.row.rating_id,
        Rating(
            claim.rating.key,
            Content(False, "why", ("wrong",)),
            "a-2",
            store_id="a-3",
            withdrawn=True,
            revision=5,
            delivered_revision=4,
            changed_at=6,
            client_request_id="request-1",
            clear_first=True,
            undeliverable=True,
        ),
        state="undeliverable",
        due_at=7,
        attempts=8,
        lease="another",
        lease_until=9,
        unsettled_until=10,
        last_error="X",
        refused_ms=11,
        refused_at=12,
        delivered_at=13,
    )
    queue.update(claim, lambda _, __: decided)
    assert row_of(queue, claim) == decided
    assert row_of(queue, other) == before


def test_an_update_decides_on_the_row_as_it_is_now(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A change by the person during an attempt is what is decided on, and is due at once."""
    rated(ledger)
    claim = claimed(queue)
    ledger.ratings.change({KEY: flipped})
    assert row_of(queue, claim).rating == flipped(rating())
    end(queue, claim, STORED)
    again = claimed(queue)
    assert again.rating == replace(flipped(rating()), delivered_revision=1)


def test_an_update_of_a_purged_row_decides_nothing(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A row that is gone meanwhile stays gone."""
    rated(ledger)
    claim = claimed(queue)
    ledger.database.write(lambda connection: connection.execute(delete(ratings)))

    def decide(row: RatingRow, _: int) -> RatingRow:
        pytest.fail("there is no row to decide on")

    queue.update(claim, decide)
    assert ledger.ratings.of(KEY.person, [KEY.trace_id]) == []


def test_only_the_time_between_refusals_counts(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A claim knows for how long MLflow has been refusing; an outage adds ten minutes at most."""
    rated(ledger)
    end(queue, claimed(queue), REFUSED)
    set_columns(ledger, due_at=0, refused_ms=50_000, refused_at=now_ms() - 9_000_000)
    assert claimed(queue).refused_ms == 650_000


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [
        pytest.param(FAILED, [0], id="failed"),
        pytest.param(REFUSED, [], id="refused"),
        pytest.param(Postponed(3600), [], id="not attempted"),
        pytest.param(Undeliverable("X"), [], id="undeliverable"),
        pytest.param(replace(STORED, recheck=True), [], id="to be fetched once more"),
    ],
)
def test_mlflows_return_makes_due_what_waited_for_it(
    ledger: Ledger, queue: DeliveryQueue, outcome: Any, attempts: list[int]
) -> None:
    """What failed is due at once, from its first attempt; what waits for something else is not."""
    rated(ledger)
    end(queue, claimed(queue), outcome)
    assert queue.claim(8) == []
    queue.make_due()
    assert [claim.row.attempts for claim in queue.claim(8)] == attempts


def test_an_operator_can_put_the_undeliverable_back(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A retry makes undeliverable ratings due, as if they were new, and touches no others."""
    rated(ledger, *keys(3))
    first, second, third = queue.claim(3)
    end(queue, first, Undeliverable("ENDPOINT_NOT_FOUND"))
    end(queue, second, Undeliverable("ENDPOINT_NOT_FOUND"))
    end(queue, third, FAILED)
    assert queue.claim(8) == []
    set_columns(ledger, attempts=2, refused_ms=3, refused_at=4)
    assert queue.retry() == 2
    assert queue.retry() == 0
    back = {claim.row.rating_id: claim.row for claim in queue.claim(8)}
    assert back.keys() == {first.row.rating_id, second.row.rating_id}
    for row in back.values():
        assert (row.attempts, row.refused_ms, row.refused_at, row.last_error) == (0, 0, 0, None)


def test_it_is_known_when_the_next_rating_is_due(ledger: Ledger, queue: DeliveryQueue) -> None:
    """A held rating is due when its lease ends, a postponed one when its pause does."""
    assert queue.seconds_until_due() is None
    rated(ledger)
    assert queue.seconds_until_due() == 0
    claim = claimed(queue)
    assert 0 < (queue.seconds_until_due() or 0) <= LEASE_MS / 1000
    end(queue, claim, FAILED)
    assert LEASE_MS / 1000 < (queue.seconds_until_due() or 0) <= 3600
    set_columns(ledger, due_at=now_ms())
    end(queue, claimed(queue), STORED)
    assert queue.seconds_until_due() is None


def test_a_delivered_rating_may_be_due_for_one_more_fetch(
    ledger: Ledger, queue: DeliveryQueue
) -> None:
    """What MLflow holds already is passed over where only undelivered ratings count."""
    rated(ledger)
    end(queue, claimed(queue), replace(STORED, recheck=True))
    assert queue.seconds_until_due() is not None
    assert queue.seconds_until_due(undelivered_only=True) is None


def test_the_statistics_count_what_waits(ledger: Ledger, queue: DeliveryQueue) -> None:
    """Operators see how many ratings wait, for how long, and why."""
    now = int(time.time() * 1000)
    older, newer = keys(2)
    rated(ledger, older, changed_at=now - 60_000)
    rated(ledger, newer, changed_at=now)
    counts = delivery_statistics(ledger)
    assert (counts.pending, counts.undeliverable, counts.last_error) == (2, 0, None)
    assert 59 < counts.oldest_pending_seconds < 600
    claims = {claim.rating.key: claim for claim in queue.claim(8)}
    end(queue, claims[older], replace(STORED, recheck=True))
    end(queue, claims[newer], Undeliverable("X"))
    counts = delivery_statistics(ledger)
    assert (counts.pending, counts.undeliverable, counts.last_error) == (0, 1, "X")
    assert (counts.oldest_pending_seconds, counts.deliveries_per_minute) == (0, 1)


def test_the_retention_ends_turns_and_delivered_ratings(
    ledger: Ledger, neighbour: Ledger, queue: DeliveryQueue
) -> None:
    """Old turns and delivered ratings go; younger ones, and whatever is undelivered, stay."""
    now = int(time.time() * 1000)
    old, young, undeliverable, undelivered = keys(4)
    rated(ledger, old, undeliverable, changed_at=now - 2 * DAY_MS)
    rated(ledger, young, changed_at=now)
    for claim in queue.claim(8):
        end(queue, claim, Undeliverable("X") if claim.rating.key == undeliverable else STORED)
    rated(ledger, undelivered, changed_at=now - 2 * DAY_MS)
    set_columns(ledger, delivered_at=now_ms() - 2 * DAY_MS)
    for turn_id, opened_at in (("8", now - 2 * DAY_MS), ("9", now)):
        ledger.turns.record(turn(turn_id, opened_at=opened_at))
        assert eventually(partial(neighbour.turns.of_trace, trace_named(int(turn_id))), bool)
    assert queue.purge(1.0) == 2
    assert queue.purge(1.0) == 0
    left = ledger.ratings.of(KEY.person, [trace_named(number) for number in range(4)])
    assert {each.key for each in left} == {young, undeliverable, undelivered}
    assert neighbour.turns.of_trace(trace_named(8)) is None
    assert neighbour.turns.of_trace(trace_named(9)) is not None
