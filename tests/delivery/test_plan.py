"""What to do to MLflow so that a trace holds a rating: a table of decisions."""

from dataclasses import replace

import pytest

from agent_feedback.assessment_format import LEDGER_KEY
from agent_feedback.delivery.plan import Plan, plan
from agent_feedback.model import Assessment, Content, Rating
from tests.support.assessments import OURS, assessment, mark, trace
from tests.support.ledgers import KEY

NOW = 1_000_000
WANTED = Rating(KEY, Content(True), "a-ours", changed_at=NOW)
WITHDRAWN = replace(WANTED, content=Content(), withdrawn=True)

STORED = assessment("a-ours", metadata=mark(NOW))
OTHER_PATH = assessment("a-other", False, created_at=5, updated_at=5)
HIDDEN = assessment("a-hidden", False, valid=False, created_at=2, updated_at=9)
FOREIGN = assessment("a-foreign", False, metadata=mark(NOW + 1, ledger="ledger-2"), created_at=7)
EXPERT = assessment("a-expert", source_type="LLM_JUDGE")

PLANS: dict[str, tuple[Rating, list[Assessment], Plan]] = {
    "nothing there": (WANTED, [], Plan(create=True)),
    "only other people's": (WANTED, [EXPERT], Plan(create=True)),
    "stored already": (WANTED, [STORED], Plan(keep="a-ours")),
    "another value": (
        WANTED,
        [replace(STORED, content=Content(False))],
        Plan(keep="a-ours", update=True),
    ),
    "an old rationale": (
        WANTED,
        [replace(STORED, content=Content(True, "because"))],
        Plan(keep="a-ours", update=True),
    ),
    "the same, but of an earlier change": (
        WANTED,
        [replace(STORED, metadata=mark(1))],
        Plan(keep="a-ours", update=True),
    ),
    "made by another path": (WANTED, [OTHER_PATH], Plan(keep="a-other", update=True)),
    "ours beside another path's": (
        WANTED,
        [OTHER_PATH, STORED],
        Plan(delete=("a-other",), keep="a-ours"),
    ),
    "MLflow's id wins over the first": (
        replace(WANTED, store_id="a-other"),
        [STORED, OTHER_PATH],
        Plan(delete=("a-ours",), keep="a-other", update=True),
    ),
    "an id that is gone": (
        replace(WANTED, store_id="a-gone"),
        [OTHER_PATH],
        Plan(keep="a-other", update=True),
    ),
    "of two from another path, the newer": (
        WANTED,
        [OTHER_PATH, assessment("a-newer", updated_at=6)],
        Plan(delete=("a-other",), keep="a-newer", update=True),
    ),
    "an override hid the first": (
        WANTED,
        [OTHER_PATH, HIDDEN],
        Plan(delete=("a-hidden",), keep="a-other", update=True),
    ),
    "only a hidden one": (WANTED, [HIDDEN], Plan(delete=("a-hidden",), create=True)),
    "withdrawn, nothing there": (WITHDRAWN, [], Plan()),
    "withdrawn, oldest first": (
        WITHDRAWN,
        [FOREIGN, OTHER_PATH, HIDDEN, EXPERT],
        Plan(delete=("a-hidden", "a-other", "a-foreign")),
    ),
    "rated again before the withdrawal was done": (
        replace(WANTED, clear_first=True),
        [OTHER_PATH],
        Plan(delete=("a-other",), create=True),
    ),
    "rated again, and that is stored": (
        replace(WANTED, clear_first=True),
        [OTHER_PATH, STORED],
        Plan(delete=("a-other",), keep="a-ours"),
    ),
}


@pytest.mark.parametrize(("rating", "found", "steps"), PLANS.values(), ids=PLANS.keys())
def test_the_steps_make_the_trace_hold_the_rating(
    rating: Rating, found: list[Assessment], steps: Plan
) -> None:
    """The plan leaves one valid rating of this person's, or none, and touches nobody else's."""
    made = plan(rating, trace(*found), is_foreign=lambda _: False, now=NOW)
    assert made == steps


YIELDS: dict[str, tuple[Assessment, bool]] = {
    "newer": (FOREIGN, True),
    "older": (replace(FOREIGN, metadata=mark(NOW - 1, ledger="ledger-2")), False),
    "just as old": (replace(FOREIGN, metadata=mark(NOW, ledger="ledger-2")), False),
    "newer, but hidden": (replace(FOREIGN, valid=False), False),
    "newer, of our own ledger": (replace(FOREIGN, metadata=mark(NOW + 1)), False),
    "newer, of no ledger": (replace(FOREIGN, metadata={}, updated_at=NOW + 1), False),
    "a few minutes ahead": (replace(FOREIGN, metadata=mark(NOW + 299_999, ledger="x")), True),
    "far ahead of our clock": (replace(FOREIGN, metadata=mark(NOW + 300_001, ledger="x")), False),
    "of unreadable age": (replace(FOREIGN, metadata={LEDGER_KEY: "x", "changed": "?"}), False),
    "another person's": (replace(FOREIGN, source_id="bob@example.com"), False),
}


@pytest.mark.parametrize("rating", [WANTED, WITHDRAWN], ids=["wanted", "withdrawn"])
@pytest.mark.parametrize(("found", "yields"), YIELDS.values(), ids=YIELDS.keys())
def test_only_a_newer_rating_of_another_ledger_wins(
    rating: Rating, found: Assessment, yields: bool
) -> None:
    """The person's newest rating stands, whichever replica wrote it; clocks are not trusted."""
    made = plan(
        rating,
        trace(OTHER_PATH, found),
        is_foreign=lambda each: each.metadata.get(LEDGER_KEY, OURS) != OURS,
        now=NOW,
    )
    assert made.yield_to is (found if yields else None)
    if yields:
        assert made == Plan(delete=("a-other",), yield_to=found, contested=True)
