"""How a rating's desired state changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent_feedback import RatingNotFound
from agent_feedback.model import Content, Rating
from agent_feedback.ratings import transitions
from tests.support.assessments import assessment
from tests.support.ledgers import KEY

UP, DOWN = Content(True), Content(False, "wrong", ("incorrect",))
FRESH = Rating(KEY, UP, "a-1", changed_at=10)
DELIVERED = replace(FRESH, delivered_revision=1, store_id="a-store")
WITHDRAWN = replace(FRESH, content=Content(), withdrawn=True, revision=2)
WITHDRAWAL_DELIVERED = replace(WITHDRAWN, delivered_revision=2)
UNDELIVERABLE = replace(FRESH, undeliverable=True)

state_up = transitions.state(KEY, UP, now=20, client_request_id="r-1")
state_down = transitions.state(KEY, DOWN, now=20)
withdraw = transitions.withdraw(KEY, now=20)


def test_a_first_rating_has_an_id_before_it_is_sent() -> None:
    """The id, the time and the request's id are on the row from the first moment."""
    new = state_up(None)
    assert new is not None
    assert new == replace(
        FRESH, assessment_id=new.assessment_id, changed_at=20, client_request_id="r-1"
    )
    assert new.assessment_id.startswith("a-")
    other = state_up(None)
    assert other is not None
    assert other.assessment_id != new.assessment_id


def test_a_change_keeps_the_ids() -> None:
    """Changing one's mind raises the revision and nothing else of what identifies the rating."""
    assert state_down(DELIVERED) == replace(DELIVERED, content=DOWN, revision=2, changed_at=20)


def test_a_double_click_changes_nothing() -> None:
    """The same rating again, while it is on its way, is the same state."""
    assert state_up(FRESH) is FRESH


def test_the_same_rating_again_later_is_delivered_again() -> None:
    """A delivered rating that is stated again is delivered again: MLflow may hold another."""
    assert state_up(DELIVERED) == replace(DELIVERED, revision=2, changed_at=20)


def test_an_undeliverable_rating_is_tried_again_when_it_is_stated_again() -> None:
    """The person's next click frees what could not be delivered."""
    assert state_up(UNDELIVERABLE) == replace(FRESH, revision=2, changed_at=20)


@pytest.mark.parametrize(
    ("before", "clear_first"), [(WITHDRAWN, True), (WITHDRAWAL_DELIVERED, False)]
)
def test_a_rating_after_a_withdrawal_is_another_one(before: Rating, clear_first: bool) -> None:
    """It gets a fresh id; what the withdrawal has not removed yet must go first."""
    new = state_up(before)
    assert new is not None
    assert new.assessment_id != before.assessment_id
    assert new.store_id is None
    assert not new.withdrawn
    assert (new.revision, new.clear_first) == (3, clear_first)


def test_what_must_go_first_is_remembered_over_changes() -> None:
    """Changing the new rating does not forget that the old one must be removed."""
    again = state_up(WITHDRAWN)
    assert again is not None
    changed = state_down(again)
    assert changed is not None
    assert changed.clear_first
    assert changed.assessment_id == again.assessment_id
    withdrawn = withdraw(changed)
    assert withdrawn is not None
    once_more = state_up(withdrawn)
    assert once_more is not None
    assert once_more.clear_first


def test_a_change_is_newer_even_if_the_clock_went_back() -> None:
    """A change is newer than what it changes, whatever the clock says."""
    early = transitions.state(KEY, DOWN, now=3)
    changed = early(FRESH)
    assert changed is not None
    assert changed.changed_at == 11


def test_a_withdrawal_has_no_content() -> None:
    """The content is gone at once; the ids stay, so that MLflow's can be found."""
    assert withdraw(DELIVERED) == replace(
        DELIVERED, content=Content(), withdrawn=True, revision=2, changed_at=20
    )


def test_withdrawing_what_the_ledger_does_not_know_leaves_a_tombstone() -> None:
    """What another client wrote is withdrawn as well."""
    tombstone = withdraw(None)
    assert tombstone is not None
    assert tombstone.withdrawn
    assert tombstone.pending


def test_withdrawing_twice_on_the_way_changes_nothing() -> None:
    """A second withdrawal of what is on its way out is the same state."""
    assert withdraw(WITHDRAWN) is WITHDRAWN


def test_withdrawing_again_later_is_delivered_again() -> None:
    """What another client wrote since a withdrawal was done goes, too."""
    assert withdraw(WITHDRAWAL_DELIVERED) == replace(
        WITHDRAWAL_DELIVERED, revision=3, changed_at=20
    )


def shout(old: Content) -> Content:
    """Amend a rationale."""
    return replace(old, rationale="!")


@pytest.mark.parametrize("by", ["a-1", "a-store"])
def test_an_amendment_keeps_what_it_does_not_name(by: str) -> None:
    """Either id finds the rating, and only the amended part differs."""
    amended = transitions.amend(by, shout, now=20)(DELIVERED)
    assert amended == replace(DELIVERED, content=Content(True, "!"), revision=2, changed_at=20)


def test_an_amendment_to_the_same_changes_nothing() -> None:
    """Amending to what is there already is no change."""
    assert transitions.amend("a-1", lambda old: old, now=20)(FRESH) is FRESH


REFUSED: list[tuple[Callable[[Rating | None], Rating | None], Rating | None]] = [
    (transitions.amend("a-1", shout, now=20), None),
    (transitions.amend("a-1", shout, now=20), WITHDRAWN),
    (transitions.amend("a-9", shout, now=20), FRESH),
    (transitions.withdraw(KEY, now=20, assessment_id="a-9"), FRESH),
    (transitions.withdraw(KEY, now=20, assessment_id="a-1"), None),
]


@pytest.mark.parametrize(("transition", "old"), REFUSED, ids=range(len(REFUSED)))
def test_an_id_that_is_not_there_is_refused(
    transition: Callable[[Rating | None], Rating | None], old: Rating | None
) -> None:
    """A change by id finds exactly that rating, or is an error."""
    with pytest.raises(RatingNotFound):
        transition(old)


def test_a_withdrawal_by_id_may_come_twice() -> None:
    """The id of a withdrawn rating is still known."""
    assert transitions.withdraw(KEY, now=20, assessment_id="a-1")(WITHDRAWN) is WITHDRAWN


def test_what_only_mlflow_holds_becomes_a_row() -> None:
    """An assessment without a row is as if the ledger had delivered it."""
    row = transitions.adopted(KEY, assessment("a-other", False, updated_at=7))
    assert row.content == Content(False)
    assert row.ids == {"a-other"}
    assert (row.pending, row.changed_at) == (False, 7)
