"""What becomes of a row when its person changes the rating."""

from dataclasses import replace

import pytest

from agent_feedback.ledger.rows import RatingRow, changed_row
from agent_feedback.model import Content
from tests.support.ledgers import rating

WITHDRAWN = replace(rating(), content=Content(), withdrawn=True, revision=2, delivered_revision=2)
ANEW = replace(rating(), revision=3, assessment_id="a-new")


@pytest.mark.parametrize(
    ("state", "clear_first"), [("pending", True), ("undeliverable", True), ("delivered", False)]
)
def test_a_withdrawn_assessment_goes_first_until_it_was_seen_to_be_gone(
    state: str, clear_first: bool
) -> None:
    """MLflow's answer that it was deleted is not enough: its last fetch makes the row delivered."""
    row = RatingRow("row-1", WITHDRAWN, state=state)  # type: ignore[arg-type]
    assert changed_row(row, ANEW, 5).rating == replace(ANEW, clear_first=clear_first)


@pytest.mark.parametrize("state", ["pending", "delivered"])
def test_another_change_clears_nothing(state: str) -> None:
    """A rating that was not withdrawn is changed in place, and a withdrawal deletes anyway."""
    changed = replace(ANEW, assessment_id=rating().assessment_id)
    row = RatingRow("row-1", rating(), state=state)  # type: ignore[arg-type]
    assert changed_row(row, changed, 5).rating == changed
    assert changed_row(row, WITHDRAWN, 5).rating == WITHDRAWN
