"""Ledgers that earlier versions wrote: upgraded in place, and every row means what it meant.

``past/`` holds a ledger of each database, with ratings in every state and turns of every kind. Both
were written by the package's own code of that version, and are not to be made anew.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from agent_feedback.delivery.row_state import Stored
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.statistics import delivery_statistics
from agent_feedback.model import CORRECTION, THUMB, Content, Rating, RatingKey, Turn, TurnState
from tests.support.ledgers import empty_schema, end

PAST = Path(__file__).with_name("past")
ANN = "ann@example.com"
WRITTEN_AT = 1_795_000_000_000
"""Each rating was first given, and each turn began, so many milliseconds and its number later."""


@pytest.fixture(params=["sqlite-0.1.db", "postgresql-0.1.sql"])
def past(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Open a copy of a past version's ledger."""
    if request.param.endswith(".db"):
        copy = shutil.copy(PAST / request.param, tmp_path / "ledger.db")
        yield from opened(f"sqlite:///{copy}")
        return
    with empty_schema(request.getfixturevalue("postgres_url")) as url:
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql((PAST / request.param).read_text())
        engine.dispose()
        yield from opened(url)


def opened(url: str) -> Iterator[Ledger]:
    """Open a ledger for the length of a test."""
    ledger = Ledger(url)
    ledger.open()
    yield ledger
    ledger.close()


def trace(number: int) -> str:
    """The id of a trace that was rated."""
    return f"tr-{number:032x}"


def ratings(ledger: Ledger) -> dict[int, Rating]:
    """Ann's ratings by their traces' numbers."""
    found = ledger.ratings.of(ANN, [trace(number) for number in range(20)])
    return {int(rating.key.trace_id[3:], 16): rating for rating in found}


def test_every_rating_has_the_content_that_it_had(past: Ledger) -> None:
    """Values, texts, reasons, names, and when they were changed."""
    found = ratings(past)
    thumbs_down = {
        5: Content(False, "Too long.", ("incomplete",)),
        6: Content(False),
        14: Content(False),
    }
    stars = Content(0.8, "Good.", ("correct", "complete"))
    others = {12: stars, 13: Content("It is kept."), 7: Content(), 8: Content()}
    expected = dict.fromkeys(range(1, 15), Content(True)) | thumbs_down | others
    assert {number: rating.content for number, rating in found.items()} == expected
    names = dict.fromkeys(range(1, 15), THUMB) | {12: "user_accuracy", 13: CORRECTION}
    assert {number: rating.key.name for number, rating in found.items()} == names
    assert all(rating.client_request_id == f"request-{n}" for n, rating in found.items())
    changed = {7: 70, 8: 80}
    for number in set(found) - {6, 14}:
        assert found[number].changed_at == WRITTEN_AT + changed.get(number, number)


def test_every_rating_is_as_far_as_it_was(past: Ledger) -> None:
    """Waiting, delivered, changed since, withdrawn, undeliverable: as before."""
    found = ratings(past)
    pending = {number for number, rating in found.items() if rating.pending}
    assert pending == {1, 2, 3, 6, 7, 9, 11, 14}
    assert {n for n, rating in found.items() if rating.withdrawn} == {7, 8}
    assert {n for n, rating in found.items() if rating.undeliverable} == {9}
    assert {n for n, rating in found.items() if rating.clear_first} == {14}
    assert {n: r.revision for n, r in found.items() if r.revision > 1} == {6: 2, 7: 2, 8: 2, 14: 3}
    assert found[5].public_id == "a-of-mlflow"
    assert all(rating.assessment_id.startswith("a-") for rating in found.values())
    counts = delivery_statistics(past)
    assert (counts.pending, counts.undeliverable) == (7, 1)


def test_what_waits_is_claimed(past: Ledger) -> None:
    """Also what a process held that is gone, and nothing that MLflow has, is claimed."""
    queue = past.queue
    assert queue.retry() == 1
    claims = {int(claim.rating.key.trace_id[3:], 16): claim for claim in queue.claim(100)}
    assert claims.keys() >= {1, 3, 9}
    assert not claims.keys() & {4, 5, 8, 12, 13}
    for claim in claims.values():
        end(queue, claim, Stored(claim.rating.assessment_id))
    assert not ratings(past)[1].pending


def test_every_turn_is_known(past: Ledger) -> None:
    """A turn is found by its trace, its request and its session, and names who asked."""
    states = [TurnState.OK, TurnState.OPEN, TurnState.ERROR, TurnState.INTERRUPTED]
    for number, state in enumerate(states, start=1):
        opened_at = WRITTEN_AT + number
        expected = Turn(
            trace_id=trace(number),
            client_request_id=f"request-{number}",
            session_id="session-1",
            user_id=ANN,
            asker=ANN,
            state=state,
            turn_id=f"turn{number}",
            opened_at=opened_at,
            closed_at=None if state is TurnState.OPEN else opened_at + 1,
        )
        assert past.turns.of_trace(trace(number)) == expected
    (without_trace,) = past.turns.of_request("request-5")
    assert without_trace.trace_id is None
    (anonymous,) = past.turns.of_request("request-6")
    assert (anonymous.asker, anonymous.user_id) == ("anonymous", "claimed@example.com")
    in_catalog = past.turns.of_bare_trace(f"{7:032x}")
    assert in_catalog is not None
    assert in_catalog.trace_id == f"trace:/catalog.schema.prefix/{7:032x}"
    (unknown,) = past.turns.of_request("request-8")
    assert (unknown.asker, unknown.user_id) == (None, None)
    assert [turn.turn_id for turn in past.turns.of_session("session-1", ANN)] == [
        f"turn{number}" for number in (5, 4, 3, 2, 1)
    ]


def test_a_rating_goes_on_from_there(past: Ledger) -> None:
    """A change finds the row, keeps its id and is the next revision."""
    key = RatingKey(trace(4), ANN, THUMB)
    before = ratings(past)[4]
    (after,) = past.ratings.change({key: lambda old: old and _flipped(old)})
    assert (after.assessment_id, after.revision) == (before.assessment_id, 2)


def _flipped(old: Rating) -> Rating:
    return Rating(
        old.key,
        Content(False),
        old.assessment_id,
        revision=old.revision + 1,
        changed_at=old.changed_at,
    )
