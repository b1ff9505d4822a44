"""What to do to MLflow, and when to try again: tables of decisions."""

from dataclasses import replace
from typing import Any

import pytest

from agent_feedback.assessment_format import LEDGER_KEY
from agent_feedback.delivery.plan import Plan, Retry, after_failure, is_mine, plan
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.model import ANONYMOUS, CORRECTION, Assessment, Content, Rating, RatingKey
from tests.support.assessments import OURS, assessment, mark, trace
from tests.support.ledgers import KEY

NOW = 1_000_000
WANTED = Rating(KEY, Content(True), "a-ours", changed_at=NOW)
WITHDRAWN = replace(WANTED, content=Content(), withdrawn=True)
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


@pytest.mark.parametrize(("mine", "key", "said"), MINE)
def test_only_a_persons_own_rating_is_theirs(
    mine: bool, key: RatingKey, said: dict[str, Any]
) -> None:
    """Same person, type and name, on the trace itself; shared names and corrections by our mark."""
    assert is_mine(assessment(**said), key) is mine


SAID = assessment("a-ours", metadata=mark(NOW))
OTHER_PATH = assessment("a-other", False, created_at=5, updated_at=5)
HIDDEN = assessment("a-hidden", False, valid=False, created_at=2, updated_at=9)
FOREIGN = assessment("a-foreign", False, metadata=mark(NOW + 1, ledger="ledger-2"), created_at=7)
EXPERT = assessment("a-expert", source_type="LLM_JUDGE")

PLANS: dict[str, tuple[Rating, list[Assessment], Plan]] = {
    "nothing there": (WANTED, [], Plan(create=True)),
    "only other people's": (WANTED, [EXPERT], Plan(create=True)),
    "said already": (WANTED, [SAID], Plan(keep="a-ours")),
    "says something else": (
        WANTED,
        [replace(SAID, content=Content(False))],
        Plan(keep="a-ours", update=True),
    ),
    "says it with an old rationale": (
        WANTED,
        [replace(SAID, content=Content(True, "because"))],
        Plan(keep="a-ours", update=True),
    ),
    "says it, but earlier": (
        WANTED,
        [replace(SAID, metadata=mark(1))],
        Plan(keep="a-ours", update=True),
    ),
    "made by another path": (WANTED, [OTHER_PATH], Plan(keep="a-other", update=True)),
    "ours beside another path's": (
        WANTED,
        [OTHER_PATH, SAID],
        Plan(delete=("a-other",), keep="a-ours"),
    ),
    "MLflow's id wins over the first": (
        replace(WANTED, store_id="a-other"),
        [SAID, OTHER_PATH],
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
    "rated again, and that arrived": (
        replace(WANTED, clear_first=True),
        [OTHER_PATH, SAID],
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
    """The newest word of the person stands, whichever replica heard it; clocks are not trusted."""
    made = plan(
        rating,
        trace(OTHER_PATH, found),
        is_foreign=lambda each: each.metadata.get(LEDGER_KEY, OURS) != OURS,
        now=NOW,
    )
    assert made.yield_to is (found if yields else None)
    if yields:
        assert made == Plan(delete=("a-other",), yield_to=found, contested=True)


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("failure", "attempts", "age_ms", "refused_ms", "jitter", "retry"),
    [
        (Failure.NOT_FOUND, 0, 0, 0, 0.0, Retry(0.3, refused=True)),
        (Failure.NOT_FOUND, 50, 14_999, 0, 1.0, Retry(0.5, refused=True)),
        (Failure.NOT_FOUND, 0, 15_000, 15_000, 0.5, Retry(0.5, refused=True)),
        (Failure.NOT_FOUND, 99, 60_000, 60_000, 0.5, Retry(60.0, refused=True)),
        (Failure.NOT_FOUND, 99, DAY_MS, DAY_MS + 1, 0.5, Retry(None)),
        # A day of outage is no day of MLflow's saying no.
        (Failure.NOT_FOUND, 99, 9 * DAY_MS, 0, 0.5, Retry(60.0, refused=True)),
        (Failure.REFUSED, 0, 0, 0, 0.0, Retry(300.0, refused=True)),
        (Failure.REFUSED, 9, 9 * DAY_MS, DAY_MS, 1.0, Retry(330.0, refused=True)),
        (Failure.REFUSED, 0, DAY_MS, DAY_MS + 1, 0.0, Retry(None)),
        (Failure.IMPOSSIBLE, 0, 0, 0, 0.0, Retry(None)),
        (Failure.BUSY, 0, 0, 0, 0.5, Retry(0.5)),
        (Failure.BUSY, 3, 0, 0, 0.5, Retry(4.0)),
        (Failure.LOCKED_OUT, 10_000, 9 * DAY_MS, 9 * DAY_MS, 0.5, Retry(60.0)),
        (Failure.UNKNOWN, 1, 0, 0, 0.5, Retry(1.0, unsettled=True)),
        (Failure.UNKNOWN, 99, 9 * DAY_MS, 9 * DAY_MS, 0.5, Retry(60.0, unsettled=True)),
    ],
)
def test_a_failure_decides_when_to_try_again(
    failure: Failure, attempts: int, age_ms: int, refused_ms: int, jitter: float, retry: Retry
) -> None:
    """Soon in the export gap, ever later in an outage, never where it cannot work."""
    decided = after_failure(
        StoreError(failure, "X"),
        attempts=attempts,
        age_ms=age_ms,
        refused_ms=refused_ms,
        jitter=jitter,
    )
    assert (decided.unsettled, decided.refused) == (retry.unsettled, retry.refused)
    assert decided.seconds == (None if retry.seconds is None else pytest.approx(retry.seconds))


@pytest.mark.parametrize(("asked_for", "waits"), [(30.0, 30.0), (0.1, 0.5)])
def test_who_asks_for_patience_gets_it(asked_for: float, waits: float) -> None:
    """``Retry-After`` lengthens a pause, and never shortens it."""
    busy = StoreError(Failure.BUSY, "X", retry_after=asked_for)
    decided = after_failure(busy, attempts=0, age_ms=0, refused_ms=0, jitter=0.5)
    assert decided.seconds == pytest.approx(waits)
