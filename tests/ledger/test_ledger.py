"""The ledger's contract, on every database: turns noted, ratings changed, all of it durable."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

import agent_feedback
from agent_feedback import InvalidFeedback
from agent_feedback.delivery.row_state import Stored
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.model import Content, Rating, RatingKey, TurnState
from tests.support.ledgers import KEY, becomes, end, flipped, keys, rated, rating, trace_named, turn
from tests.support.rating import eventually

PACKAGE = Path(agent_feedback.__file__).parent
WORKER = """
import sys, types
# Without the package's own module, which imports MLflow and so takes seconds.
sys.modules["agent_feedback"] = package = types.ModuleType("agent_feedback")
package.__path__ = [sys.argv[1]]
from agent_feedback.ledger.ledger import Ledger
ledger = Ledger(sys.argv[2])
sys.stdin.readline()
print(ledger.identity())
"""


def test_a_rating_reads_back_as_it_was_written(ledger: Ledger) -> None:
    """Every field of a desired state survives the database, emoji and floats included."""
    written = Rating(
        RatingKey("trace:/main.support.agent/0a", "zoë@example.com", "user_accuracy"),
        Content(0.8, "Gut \N{GRINNING FACE}\nzweite Zeile", ("complete", "easy to follow")),
        "a-1",
        store_id="a-2",
        withdrawn=True,
        revision=3,
        changed_at=1_795_000_000_000,
        client_request_id="request-1",
        clear_first=True,
    )
    assert ledger.ratings.change({written.key: becomes(written)}) == [written]
    assert ledger.ratings.of("zoë@example.com", [written.key.trace_id]) == [written]


def test_a_change_starts_from_what_is_there(ledger: Ledger) -> None:
    """A transition receives the present state, and its result is the next one's."""
    assert [ledger.ratings.change({KEY: flipped})[0].revision for _ in range(3)] == [1, 2, 3]
    assert ledger.ratings.of(KEY.person, [KEY.trace_id])[0].content.value is True


@pytest.mark.parametrize("transition", [lambda old: old, lambda _: None])
def test_a_transition_may_change_nothing(
    ledger: Ledger, transition: Callable[[Rating | None], Rating | None]
) -> None:
    """The same state, or none, leaves the row alone."""
    (before,) = rated(ledger)
    ledger.ratings.change({KEY: transition})
    assert ledger.ratings.of(KEY.person, [KEY.trace_id]) == [before]


def test_a_change_of_several_ratings_is_all_or_nothing(ledger: Ledger) -> None:
    """Where one transition refuses, none of the others is written, and its error comes through."""
    first, second, third = keys(3)
    rated(ledger, third)

    def refuse(_: Rating | None) -> Rating:
        raise InvalidFeedback("no")

    with pytest.raises(InvalidFeedback, match="no"):
        ledger.ratings.change({first: flipped, third: flipped, second: refuse})
    traces = [key.trace_id for key in (first, second, third)]
    assert [each.key for each in ledger.ratings.of(KEY.person, traces)] == [third]
    assert ledger.ratings.of(KEY.person, traces)[0].revision == 1


def test_one_rating_per_trace_person_and_name(ledger: Ledger) -> None:
    """Another person, another name and another trace are other ratings."""
    others = [
        KEY,
        replace(KEY, person="bob@example.com"),
        replace(KEY, name="user_accuracy"),
        replace(KEY, trace_id=trace_named(2)),
    ]
    rated(ledger, *others)
    rated(ledger, *others)
    mine = ledger.ratings.of(KEY.person, [trace_named(1), trace_named(2)])
    assert {each.key for each in mine} == {KEY, others[2], others[3]}
    assert len(mine) == 3
    assert ledger.ratings.of(KEY.person, []) == []


def test_many_threads_make_one_row_and_lose_no_change(ledger: Ledger, neighbour: Ledger) -> None:
    """Fifty changes from two replicas at once are fifty revisions of one rating."""
    with ThreadPoolExecutor(10) as pool:
        changes = [
            pool.submit(replica.ratings.change, {KEY: flipped})
            for _ in range(25)
            for replica in (ledger, neighbour)
        ]
    assert sorted(each.result()[0].revision for each in changes) == list(range(1, 51))
    (only,) = ledger.ratings.of(KEY.person, [KEY.trace_id])
    assert only.revision == 50


def test_a_change_is_seen_by_others_at_once(ledger: Ledger, neighbour: Ledger) -> None:
    """What is durable for one replica, another one reads."""
    rated(ledger)
    assert neighbour.ratings.of(KEY.person, [KEY.trace_id]) == [rating()]


def test_a_ledger_survives_its_process(ledger_url: str) -> None:
    """What was written is there after closing and opening again, under the same identity."""
    first = Ledger(ledger_url)
    rated(first)
    first.turns.record(turn("1"))
    identity = first.identity()
    first.close()
    second = Ledger(ledger_url)
    assert second.identity() == identity
    assert second.ratings.of(KEY.person, [KEY.trace_id]) == [rating()]
    assert second.turns.of_trace(trace_named(1)) == turn("1")
    second.close()


def test_a_closed_ledger_opens_again_by_itself(ledger: Ledger) -> None:
    """Closing lets go of the database; a later use works."""
    rated(ledger)
    ledger.close()
    assert ledger.ratings.change({KEY: flipped})[0].revision == 2


def test_many_workers_may_create_the_tables_at_once(ledger_url: str) -> None:
    """Processes that start together on an empty database agree on one ledger."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(PACKAGE), ledger_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    identities = {worker.communicate(timeout=60)[0].strip() for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(identities) == 1
    assert identities != {""}


def test_an_older_ledger_is_upgraded_in_place(ledger: Ledger, ledger_url: str) -> None:
    """Columns and indexes that came since are added, by any number of workers; nothing is lost."""
    rated(ledger)
    ledger.close()
    engine = sqlalchemy.create_engine(ledger_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX agent_feedback_delivered")
        for column in ("refused_ms", "refused_at", "delivered_at"):
            connection.exec_driver_sql(f"ALTER TABLE agent_feedback_ratings DROP COLUMN {column}")
    engine.dispose()
    workers = [Ledger(ledger_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Ledger.open, workers))
    for worker in workers:
        assert [each.key for each in worker.ratings.of(KEY.person, [KEY.trace_id])] == [KEY]
        worker.close()
    (claim,) = ledger.queue.claim(8)
    end(ledger.queue, claim, Stored(claim.rating.assessment_id))


def test_many_replicas_may_create_the_tables_at_once(ledger_url: str) -> None:
    """However close together they come, all of them start, on one ledger."""
    replicas = [Ledger(ledger_url) for _ in range(8)]
    together = threading.Barrier(len(replicas))

    def start(replica: Ledger) -> str:
        together.wait(60)
        return replica.identity()

    with ThreadPoolExecutor(len(replicas)) as pool:
        identities = set(pool.map(start, replicas))
    for replica in replicas:
        replica.close()
    assert len(identities) == 1


def test_a_turn_is_noted_without_waiting(ledger: Ledger) -> None:
    """A turn is known to its own process at once, and durable soon after."""
    ledger.turns.record(turn("1", state=TurnState.OPEN, closed_at=None))
    assert ledger.turns.of_trace(trace_named(1)) == turn("1", state=TurnState.OPEN, closed_at=None)
    ledger.turns.record(turn("1"))
    assert ledger.turns.of_trace(trace_named(1)) == turn("1")


def test_turns_reach_other_replicas(ledger: Ledger, neighbour: Ledger) -> None:
    """Each way to find a turn works from the database as well as from memory."""
    bare = f"{7:032x}"
    in_catalog = turn("2", trace_id=f"trace:/main.support/{bare}")
    for noted in (turn("1"), in_catalog):
        ledger.turns.record(noted)
    eventually(lambda: neighbour.turns.of_trace(in_catalog.trace_id or ""), bool)
    for replica in (ledger, neighbour):
        assert replica.turns.of_trace(trace_named(1)) == turn("1")
        assert replica.turns.of_bare_trace(bare) == in_catalog
        assert replica.turns.of_bare_trace(f"{1:032x}") == turn("1")
        assert replica.turns.of_bare_trace(bare[1:]) is None
        assert {t.turn_id for t in replica.turns.of_request("request-1")} == {"1", "2"}
        assert replica.turns.of_request("request-2") == []
        session = replica.turns.of_session("session-1", KEY.person)
        assert {found.turn_id for found in session} == {"1", "2"}
        assert replica.turns.of_session("session-1", "bob@example.com") == []
        assert replica.turns.of_trace(trace_named(9)) is None


def test_of_several_turns_the_one_that_began_last_is_first(
    ledger: Ledger, neighbour: Ledger
) -> None:
    """A client's id that was used twice means the newer question, whichever ended later."""
    ledger.turns.record(turn("1", state=TurnState.OPEN, closed_at=None))
    eventually(lambda: neighbour.turns.of_trace(trace_named(1)), bool)
    ledger.turns.record(turn("2"))
    eventually(lambda: neighbour.turns.of_trace(trace_named(2)), bool)
    ledger.turns.record(turn("1"))
    eventually(lambda: neighbour.turns.of_trace(trace_named(1)), lambda found: found == turn("1"))
    for replica in (ledger, neighbour):
        assert [t.turn_id for t in replica.turns.of_request("request-1")] == ["2", "1"]


@pytest.mark.parametrize("session_id", ["a\x00b", "\ud800", "x" * 300])
def test_a_turn_that_cannot_be_written_keeps_its_neighbours(
    ledger: Ledger, neighbour: Ledger, session_id: str
) -> None:
    """What one caller sends does not make the ledger forget other people's turns."""
    for noted in (turn("1"), turn("2", session_id=session_id), turn("3")):
        ledger.turns.record(noted)
    for trace_id in (trace_named(1), trace_named(3)):
        assert eventually(partial(neighbour.turns.of_trace, trace_id), bool, within=30)


def test_wildcards_in_an_id_are_letters(ledger: Ledger) -> None:
    """What a person sends as an id matches itself only."""
    ledger.turns.record(turn("1", trace_id=trace_named(10)))
    assert ledger.turns.of_bare_trace("%") is None
    assert ledger.turns.of_request("%") == []
    assert ledger.turns.of_session("%", KEY.person) == []


def test_ledgers_leave_no_thread_behind(ledger_url: str) -> None:
    """A closed ledger's threads have ended."""
    ledger = Ledger(ledger_url)
    rated(ledger)
    ledger.turns.record(turn("1"))
    ledger.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("agent-feedback")]


def test_the_newest_turn_comes_first_whoever_saw_it(ledger: Ledger, neighbour: Ledger) -> None:
    """A turn of another replica's is found before this one's own older one."""
    ledger.turns.record(turn("1"))
    neighbour.turns.record(turn("2"))
    found = eventually(lambda: ledger.turns.of_request("request-1"), lambda t: len(t) == 2)
    assert [each.turn_id for each in found] == ["2", "1"]
