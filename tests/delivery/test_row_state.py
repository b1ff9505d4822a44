"""What becomes of a ledger's row after an attempt: a table of decisions."""

from dataclasses import replace

import pytest

from agent_feedback.delivery.row_state import (
    RECHECK_MS,
    UNSETTLED_MS,
    Outcome,
    Postponed,
    Released,
    Stored,
    Superseded,
    Undeliverable,
    next_row,
)
from agent_feedback.ledger.queue import LEASE_MS, UNTIL_IT_ANSWERS, Claim
from agent_feedback.ledger.rows import RatingRow, changed_row
from agent_feedback.model import Content, Rating
from tests.support.assessments import assessment, mark
from tests.support.ledgers import KEY

NOW = 100_000_000
RATING = Rating(
    KEY,
    Content(True),
    "a-ours",
    store_id="a-old",
    revision=2,
    delivered_revision=1,
    changed_at=NOW - 9000,
    clear_first=True,
)
HELD = RatingRow(
    "row-1",
    RATING,
    due_at=NOW - 8000,
    attempts=3,
    lease="mine",
    lease_until=NOW + 5000,
    last_error="TIMEOUT",
    refused_ms=700,
    refused_at=NOW - 1000,
    delivered_at=NOW - 50_000,
)
CLAIM = Claim(HELD, taken_at=0.0, now=NOW - 2000)
THEIRS = assessment("a-theirs", False, metadata=mark(NOW - 10, ledger="ledger-2"))

STORED = Stored("a-ours")
OUTCOMES: dict[str, Outcome] = {
    "released": Released(),
    "stored": STORED,
    "stored, to be fetched once more": Stored("a-ours", recheck=True),
    "superseded": Superseded(THEIRS),
    "postponed": Postponed(2.5, "BUSY"),
    "postponed, perhaps in effect": Postponed(2.5, "TIMEOUT", unsettled=True),
    "postponed, refused": Postponed(2.5, "NOT_FOUND", refused=True),
    "undeliverable": Undeliverable("X"),
}

FREE = replace(HELD, lease=None, lease_until=0)
DELIVERED = replace(
    FREE,
    rating=replace(RATING, delivered_revision=2, store_id=None, clear_first=False),
    state="delivered",
    due_at=0,
    attempts=0,
    last_error=None,
    refused_ms=0,
    refused_at=0,
    delivered_at=NOW,
)
CURRENT: dict[str, tuple[Outcome, RatingRow]] = {
    "released": (Released(), replace(FREE, due_at=NOW)),
    "stored under our id": (STORED, DELIVERED),
    "stored under another id": (
        Stored("a-other", adopted=True),
        replace(DELIVERED, rating=replace(DELIVERED.rating, store_id="a-other")),
    ),
    "stored, to be fetched once more": (
        Stored("a-ours", recheck=True),
        replace(
            DELIVERED, state="pending", due_at=NOW + RECHECK_MS, unsettled_until=NOW + RECHECK_MS
        ),
    ),
    "superseded": (
        Superseded(THEIRS),
        replace(
            DELIVERED,
            rating=replace(
                DELIVERED.rating, content=Content(False), changed_at=NOW - 10, store_id="a-theirs"
            ),
        ),
    ),
    "not attempted": (
        Postponed(2.5),
        replace(FREE, due_at=NOW + 2500, last_error=None, refused_at=0),
    ),
    "failed": (
        Postponed(2.5, "BUSY"),
        replace(FREE, due_at=NOW + 2500, attempts=4, last_error="BUSY", refused_at=0),
    ),
    "failed, perhaps in effect": (
        Postponed(2.5, "TIMEOUT", unsettled=True),
        replace(
            FREE, due_at=NOW + 2500, attempts=4, refused_at=0, unsettled_until=UNTIL_IT_ANSWERS
        ),
    ),
    "refused": (
        Postponed(2.5, "NOT_FOUND", refused=True),
        replace(
            FREE,
            due_at=NOW + 2500,
            attempts=4,
            last_error="NOT_FOUND",
            refused_ms=1700,
            refused_at=NOW,
        ),
    ),
    "undeliverable": (
        Undeliverable("X"),
        replace(FREE, state="undeliverable", due_at=NOW, last_error="X"),
    ),
}


@pytest.mark.parametrize(("outcome", "expected"), CURRENT.values(), ids=CURRENT.keys())
def test_an_outcome_of_the_current_revision_counts(outcome: Outcome, expected: RatingRow) -> None:
    """The lease ends, and the row becomes what the outcome says."""
    assert next_row(HELD, CLAIM, outcome, NOW) == expected


def test_a_superseded_withdrawal_is_none_any_more() -> None:
    """The person rated again later, through another replica."""
    withdrawn = replace(HELD, rating=replace(RATING, content=Content(), withdrawn=True))
    after = next_row(withdrawn, replace(CLAIM, row=withdrawn), Superseded(THEIRS), NOW)
    assert (after.rating.withdrawn, after.rating.content) == (False, Content(False))


CHANGED = changed_row(
    HELD,
    replace(RATING, content=Content(), withdrawn=True, revision=3, changed_at=NOW - 500),
    NOW - 500,
)
DUE = replace(CHANGED, lease=None, lease_until=0, due_at=NOW)
# Under which id MLflow holds it is known now, and that what had to be cleared is cleared.
OLDER_DELIVERED = replace(
    DUE,
    rating=replace(CHANGED.rating, delivered_revision=2, store_id=None, clear_first=False),
    delivered_at=NOW,
)
CHANGED_MEANWHILE: dict[str, RatingRow] = {
    "released": DUE,
    "stored": OLDER_DELIVERED,
    "stored, to be fetched once more": replace(OLDER_DELIVERED, unsettled_until=NOW + RECHECK_MS),
    "superseded": replace(
        OLDER_DELIVERED, rating=replace(OLDER_DELIVERED.rating, store_id="a-theirs")
    ),
    "postponed": DUE,
    "postponed, perhaps in effect": replace(DUE, unsettled_until=UNTIL_IT_ANSWERS),
    "postponed, refused": DUE,
    "undeliverable": DUE,
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_change_meanwhile_is_due_at_once(outcome: str) -> None:
    """Only what MLflow holds, or may yet come to hold, is kept of an older revision's outcome."""
    expected = CHANGED_MEANWHILE[outcome]
    assert next_row(CHANGED, CLAIM, OUTCOMES[outcome], NOW) == expected


def test_a_rating_anew_meanwhile_keeps_its_own_id() -> None:
    """Withdrawn and given again, it is another assessment: the older one's id is not its own."""
    anew = replace(CHANGED.rating, assessment_id="a-new", store_id=None, withdrawn=False)
    after = next_row(replace(CHANGED, rating=anew), CLAIM, Stored("a-other"), NOW)
    assert after.rating == replace(anew, delivered_revision=2)


LATER = NOW + LEASE_MS
LEASE_LOST: dict[str, tuple[RatingRow, RatingRow]] = {
    "held by another claim": (
        replace(HELD, lease="another"),
        replace(HELD, lease="another", unsettled_until=LATER),
    ),
    "changed, and held by another claim": (
        replace(CHANGED, lease="another"),
        replace(CHANGED, lease="another", unsettled_until=LATER),
    ),
    "free again": (FREE, replace(FREE, unsettled_until=LATER)),
    "unsettled for longer": (
        replace(FREE, unsettled_until=UNTIL_IT_ANSWERS),
        replace(FREE, unsettled_until=UNTIL_IT_ANSWERS),
    ),
    "delivered": (
        DELIVERED,
        replace(DELIVERED, state="pending", due_at=NOW, unsettled_until=LATER),
    ),
    "undeliverable": (
        replace(FREE, state="undeliverable"),
        replace(FREE, state="undeliverable"),
    ),
}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES.keys())
@pytest.mark.parametrize(("row", "expected"), LEASE_LOST.values(), ids=LEASE_LOST.keys())
def test_an_outcome_after_the_lease_was_lost_only_asks_for_another_fetch(
    row: RatingRow, expected: RatingRow, outcome: Outcome
) -> None:
    """What another claim noted stands; what this one did may have come after it."""
    assert next_row(row, CLAIM, outcome, NOW) == expected


RECHECK = Stored("a-ours", recheck=True)


@pytest.mark.parametrize(
    ("outcome", "unsettled_until", "settles_at"),
    [
        pytest.param(STORED, NOW - 1, None, id="settled before"),
        pytest.param(STORED, NOW, None, id="settled now"),
        pytest.param(STORED, NOW + 1, NOW + 1, id="settled soon"),
        pytest.param(STORED, UNTIL_IT_ANSWERS, NOW + UNSETTLED_MS, id="answered now"),
        pytest.param(RECHECK, NOW - 1, NOW + RECHECK_MS, id="recheck"),
        pytest.param(RECHECK, NOW + RECHECK_MS + 1, NOW + RECHECK_MS + 1, id="recheck, later"),
        pytest.param(RECHECK, UNTIL_IT_ANSWERS, NOW + UNSETTLED_MS, id="recheck, answered now"),
        pytest.param(
            Superseded(THEIRS), UNTIL_IT_ANSWERS, NOW + UNSETTLED_MS, id="superseded, answered now"
        ),
    ],
)
def test_a_stored_row_waits_until_nothing_can_change_any_more(
    outcome: Outcome, unsettled_until: int, settles_at: int | None
) -> None:
    """It is delivered at once where nothing is unsettled, else due when that is over."""
    after = next_row(replace(HELD, unsettled_until=unsettled_until), CLAIM, outcome, NOW)
    assert not after.rating.pending
    if settles_at is None:
        assert after.state == "delivered"
    else:
        assert after.state == "pending"
        assert (after.due_at, after.unsettled_until) == (settles_at, settles_at)


def test_a_repeated_delivery_is_no_news() -> None:
    """A revision that MLflow held already was delivered when it came there first."""
    known = replace(HELD, rating=replace(RATING, delivered_revision=2))
    after = next_row(known, replace(CLAIM, row=known), STORED, NOW)
    assert after == replace(DELIVERED, delivered_at=HELD.delivered_at)


@pytest.mark.parametrize(
    ("refused_at", "refused_ms"),
    [
        pytest.param(0, 700, id="first refusal"),
        pytest.param(NOW - 599_999, 600_699, id="within ten minutes"),
        pytest.param(NOW - 9_000_000, 600_700, id="after an outage"),
        pytest.param(NOW + 1, 700, id="the clock went back"),
    ],
)
def test_only_the_time_between_refusals_counts(refused_at: int, refused_ms: int) -> None:
    """Two refusals are taken to be at most ten minutes apart."""
    refused = Postponed(2.5, "NOT_FOUND", refused=True)
    after = next_row(replace(HELD, refused_at=refused_at), CLAIM, refused, NOW)
    assert (after.refused_ms, after.refused_at) == (refused_ms, NOW)
