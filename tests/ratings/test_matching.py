"""Which of a trace's assessments is a person's rating."""

from dataclasses import replace
from typing import Any

import pytest

from agent_feedback.model import ANONYMOUS, CORRECTION, RatingKey
from agent_feedback.ratings.matching import is_mine
from tests.support.assessments import assessment, mark
from tests.support.ledgers import KEY

CORRECTED = RatingKey(KEY.trace_id, KEY.person, CORRECTION)
NOBODYS = replace(KEY, person=ANONYMOUS)

MINE: list[tuple[bool, RatingKey, dict[str, Any]]] = [
    (True, KEY, {}),
    (True, KEY, {"source_id": "Ann@Example.COM"}),
    (True, KEY, {"metadata": mark()}),
    (True, replace(KEY, person="Ann"), {"source_id": "Ann"}),
    (False, replace(KEY, person="Ann"), {"source_id": "ann"}),
    (False, replace(KEY, person="straße@example.com"), {"source_id": "strasse@example.com"}),
    (True, KEY, {"valid": False}),
    (False, KEY, {"source_id": "bob@example.com"}),
    (False, KEY, {"source_type": "LLM_JUDGE"}),
    (False, KEY, {"source_type": "CODE"}),
    (False, KEY, {"name": "user_accuracy"}),
    (False, KEY, {"kind": "expectation"}),
    (False, KEY, {"on_trace": False}),
    (False, CORRECTED, {"name": CORRECTION, "kind": "expectation"}),
    (True, CORRECTED, {"name": CORRECTION, "kind": "expectation", "metadata": mark()}),
    (False, CORRECTED, {"name": CORRECTION, "metadata": mark()}),
    (False, NOBODYS, {"source_id": ANONYMOUS}),
    (True, NOBODYS, {"source_id": ANONYMOUS, "metadata": mark()}),
    (False, replace(KEY, person="default"), {"source_id": "default"}),
    (True, replace(KEY, person="default"), {"source_id": "default", "metadata": mark()}),
]


@pytest.mark.parametrize(("mine", "key", "fields"), MINE)
def test_only_a_persons_own_rating_is_theirs(
    mine: bool, key: RatingKey, fields: dict[str, Any]
) -> None:
    """Same person, type and name, on the trace itself; shared names and corrections by our mark."""
    assert is_mine(assessment(**fields), key) is mine
