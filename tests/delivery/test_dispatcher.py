"""The dispatcher: whatever happens on the way, MLflow ends up with what the ledger says, once."""

import logging
import time
from concurrent.futures import Future
from dataclasses import replace

import pytest

from agent_feedback.delivery import attempt, row_state
from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.delivery.waiters import Delivered
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import DeliveryQueue
from agent_feedback.ledger.statistics import delivery_statistics
from agent_feedback.mlflow_client.failures import Failure
from agent_feedback.model import Content, Rating, RatingKey
from agent_feedback.ratings.transitions import Transition
from agent_feedback.service.changes import Changes
from tests.support.assessments import FakeStore, assessment, mark
from tests.support.ledgers import KEY, assessment_named, becomes, flipped, keys
from tests.support.ledgers import rated as rated_at
from tests.support.rating import eventually


def rated(ledger: Ledger, *rated_keys: RatingKey) -> list[Rating]:
    """Write first ratings as of now."""
    return rated_at(ledger, *rated_keys, changed_at=int(time.time() * 1000))


def first_rating(_: Rating | None) -> Rating:
    """Rate for the first time, as of now."""
    return replace(flipped(None), changed_at=int(time.time() * 1000))


def change(ledger: Ledger, dispatcher: Dispatcher, transition: Transition) -> Future[Delivered]:
    """Change the one rating of a test, as the service does; returns what to wait for."""
    changes = Changes(dispatcher.waiters, None)
    ledger.ratings.change(changes.observed({KEY: transition}))
    dispatcher.wake()
    (stored,) = changes.awaited
    return stored


def state_of(ledger: Ledger) -> Rating:
    """Read the one rating of a test."""
    (only,) = ledger.ratings.of(KEY.person, [KEY.trace_id])
    return only


def settled(queue: DeliveryQueue, *, within: float = 5.0) -> bool:
    """Wait until nothing is left to deliver, not even one more fetch."""
    return eventually(queue.seconds_until_due, lambda wait: wait is None, within=within) is None


def withdrawn(old: Rating | None) -> Rating:
    """Withdraw."""
    assert old is not None
    return replace(old, content=Content(), withdrawn=True, revision=old.revision + 1)


def test_a_rating_is_delivered_by_itself(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """What an earlier process left in the ledger is delivered after the start, once."""
    (rating,) = rated(ledger)
    dispatcher.start()
    dispatcher.start()
    assert settled(queue)
    assert store.held() == {rating.assessment_id: True}
    assert store.calls == ["fetch", "create", "fetch"]


def test_a_waiter_is_told_once_mlflow_has_it(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """Also where the delivery is over before anybody asks what there is to wait for."""
    dispatcher.start()
    changes = Changes(dispatcher.waiters, None)
    (rating,) = ledger.ratings.change(changes.observed({KEY: first_rating}))
    dispatcher.wake()
    assert settled(queue)
    (stored,) = changes.awaited
    assert stored.result(60) == Delivered(1, rating.assessment_id)
    assert store.held() == {rating.assessment_id: True}


def test_what_is_due_together_is_fetched_together(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """One request serves several traces; what it leaves out is fetched by itself."""
    late, *others = keys(16)
    store.traces = {key.trace_id: {} for key in others}

    def appear(call: str) -> None:
        if call == "fetch":
            store.traces.setdefault(late.trace_id, {})

    store.meanwhile = appear
    rated(ledger, late, *others)
    dispatcher.start()
    eventually(lambda: len(store.traces) == 16 and all(list(store.traces.values())), bool)
    assert [list(store.held(key.trace_id).values()) for key in (late, *others)] == [[True]] * 16
    assert store.calls.count("fetch_many") >= 4
    assert 1 <= store.calls.count("fetch") < 16
    assert settled(queue)


def test_what_was_fetched_together_grows_old(
    ledger: Ledger, store: FakeStore, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used for a moment only: later, each trace is fetched again."""
    monkeypatch.setattr(attempt, "_FRESH_SECONDS", 0.0)
    store.traces = {key.trace_id: {} for key in keys(8)}
    rated(ledger, *keys(8))
    dispatcher.start()
    eventually(lambda: all(store.traces.values()), bool)
    assert store.calls.count("fetch_many") >= 4
    assert store.calls.count("fetch") >= 8


@pytest.mark.parametrize("replaces_ids", [False, True])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("failure", [Failure.UNKNOWN, Failure.BUSY, Failure.LOCKED_OUT])
def test_a_create_that_failed_is_not_doubled(
    ledger: Ledger,
    queue: DeliveryQueue,
    store: FakeStore,
    dispatcher: Dispatcher,
    replaces_ids: bool,
    done: bool,
    failure: Failure,
) -> None:
    """Stored or not, with our id or its own: after a failed create there is one assessment."""
    store.replaces_ids = replaces_ids
    store.fails = [("create", failure, done)]
    rated(ledger)
    dispatcher.start()
    assert settled(queue)
    assert list(store.held().values()) == [True]
    assert state_of(ledger).public_id in store.held()
    ledger.ratings.change({KEY: flipped})
    dispatcher.wake()
    assert settled(queue)
    assert list(store.held().values()) == [False]


def test_a_late_create_is_cleaned_up(
    ledger: Ledger,
    queue: DeliveryQueue,
    store: FakeStore,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attempt that takes effect after the next one succeeded leaves no second assessment."""
    monkeypatch.setattr(row_state, "UNSETTLED_MS", 2000)
    store.replaces_ids = True
    store.fails = [("create", Failure.UNKNOWN, False)]
    rated(ledger)
    dispatcher.start()
    assert eventually(lambda: store.calls.count("create"), lambda made: made == 2) == 2
    store.traces[KEY.trace_id]["x-late"] = assessment("x-late", metadata=mark())
    assert settled(queue)
    assert len(store.held()) == 1


def test_a_store_that_replaces_ids_is_no_adoption(
    ledger: Ledger, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """A new rating is new, whatever the store calls it; change and withdrawal find it."""
    store.replaces_ids = True
    stored = change(ledger, dispatcher, first_rating)
    dispatcher.start()
    delivered = stored.result(60)
    assert not delivered.adopted
    assert [delivered.assessment_id] == list(store.held())
    changed = change(ledger, dispatcher, flipped).result(60)
    assert changed.assessment_id == delivered.assessment_id
    assert store.held() == {delivered.assessment_id: False}
    change(ledger, dispatcher, withdrawn).result(60)
    assert store.held() == {}


def test_what_the_person_made_elsewhere_is_adopted(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """An assessment by another path is changed in place, and its id is the one to show."""
    store.traces[KEY.trace_id]["a-elsewhere"] = assessment("a-elsewhere", False)
    stored = change(ledger, dispatcher, first_rating)
    dispatcher.start()
    assert stored.result(60) == Delivered(1, "a-elsewhere", adopted=True)
    assert settled(queue)
    assert store.held() == {"a-elsewhere": True}
    assert state_of(ledger).public_id == "a-elsewhere"


def test_a_change_during_a_delivery_is_delivered_too(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """The last change stands, also when it comes while the first is being written."""

    def change_once(call: str) -> None:
        if call == "create":
            store.meanwhile = None
            ledger.ratings.change({KEY: flipped})

    store.meanwhile = change_once
    rated(ledger)
    dispatcher.start()
    assert settled(queue)
    assert list(store.held().values()) == [False]


def test_an_assessment_that_vanished_is_created_again(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """What somebody deleted between our fetch and our change is written again."""
    rated(ledger)
    dispatcher.start()
    assert settled(queue)

    def vanish(call: str) -> None:
        if call == "update":
            store.meanwhile = None
            store.traces[KEY.trace_id].clear()

    store.meanwhile = vanish
    ledger.ratings.change({KEY: flipped})
    dispatcher.wake()
    assert settled(queue)
    assert list(store.held().values()) == [False]


def pause_of(queue: DeliveryQueue) -> float:
    """Return how long a rating is left alone, once an attempt has ended."""
    pauses = eventually(
        lambda: [wait for wait in (queue.seconds_until_due(),) if wait is not None and wait < 5],
        bool,
    )
    return pauses[0]


def test_a_trace_that_is_not_stored_yet_is_waited_for(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """A rating is stored soon after its trace is."""
    del store.traces[KEY.trace_id]
    rated(ledger)
    dispatcher.start()
    eventually(lambda: store.calls.count("fetch"), lambda fetches: fetches >= 2)
    assert pause_of(queue) <= 1.0
    store.traces[KEY.trace_id] = {}
    assert settled(queue)
    assert list(store.held().values()) == [True]


def test_half_a_trace_is_waited_for(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """While MLflow has the spans and not yet the rest, nothing is attached to it."""
    store.is_whole = False
    rated(ledger)
    dispatcher.start()
    assert eventually(lambda: store.calls.count("fetch"), lambda fetches: fetches >= 2)
    assert store.held() == {}
    store.is_whole = True
    assert settled(queue)
    assert list(store.held().values()) == [True]


def test_an_open_trace_is_not_rated(
    ledger: Ledger,
    queue: DeliveryQueue,
    store: FakeStore,
    dispatcher: Dispatcher,
    open_traces: set[str],
) -> None:
    """MLflow gets no request while the turn runs; then the rating is stored without a penalty."""
    open_traces.add(KEY.trace_id)
    del store.traces[KEY.trace_id]
    rated(ledger)
    dispatcher.start()
    time.sleep(1.5)
    assert store.calls == []
    open_traces.clear()
    dispatcher.wake()
    assert eventually(lambda: store.calls, bool)
    assert pause_of(queue) <= 1.5
    store.traces[KEY.trace_id] = {}
    assert settled(queue)


def test_ten_clicks_in_an_outage_become_one_write(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """While MLflow is away it is only asked whether it is back; then it gets the last change."""
    store.away = True
    rated(ledger)
    dispatcher.start()
    assert eventually(lambda: dispatcher.is_away, bool)
    for _ in range(10):
        ledger.ratings.change({KEY: flipped})
        dispatcher.wake()
    calls = len(store.calls)
    time.sleep(0.5)
    assert len(store.calls) == calls
    store.away = False
    assert settled(queue)
    assert not dispatcher.is_away
    assert store.calls.count("create") == 1
    assert list(store.held().values()) == [True]


@pytest.mark.parametrize(
    ("failure", "undeliverable"), [(Failure.IMPOSSIBLE, 1), (Failure.REFUSED, 0)]
)
def test_what_cannot_be_delivered_is_kept(
    ledger: Ledger,
    queue: DeliveryQueue,
    store: FakeStore,
    dispatcher: Dispatcher,
    caplog: pytest.LogCaptureFixture,
    failure: Failure,
    undeliverable: int,
) -> None:
    """It is counted, it is not tried all the time, and the log does not name its person."""
    caplog.set_level(logging.DEBUG, logger="agent_feedback")
    store.fails = [("create", failure, False)]
    rated(ledger)
    dispatcher.start()
    status = eventually(
        lambda: delivery_statistics(ledger),
        # Counts and errors are two queries: the ledger may change between them.
        lambda found: found.last_error is not None and found.undeliverable == undeliverable,
    )
    assert (status.undeliverable, status.last_error) == (undeliverable, failure.name)
    time.sleep(0.3)
    assert store.calls.count("create") == 1
    assert KEY.person not in caplog.text


def test_another_replicas_newer_rating_stands(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """Where the person rated later through another ledger, ours takes on that value."""
    now = int(time.time() * 1000)
    theirs = assessment("a-theirs", False, metadata=mark(now, ledger="ledger-2"))
    store.traces[KEY.trace_id]["a-theirs"] = theirs
    stored = change(ledger, dispatcher, lambda _: replace(flipped(None), changed_at=now - 1000))
    dispatcher.start()
    assert stored.result(60) == Delivered(1, "a-theirs")
    assert settled(queue)
    assert store.held() == {"a-theirs": False}
    assert state_of(ledger).content == Content(False)
    assert state_of(ledger).public_id == "a-theirs"


def test_a_stop_leaves_the_rest_for_the_next_start(
    ledger: Ledger, queue: DeliveryQueue, store: FakeStore, dispatcher: Dispatcher
) -> None:
    """What was under way is finished, nothing is lost, and every start delivers at full width."""
    store.traces = {key.trace_id: {} for key in keys(40)}
    store.delay_seconds = 0.05
    rated(ledger, *keys(40))
    for _ in range(4):
        dispatcher.start()
        eventually(lambda: store.calls, bool)
        dispatcher.stop()
    store.delay_seconds = 0.0
    ledger.ratings.change({key: becomes(_later(key.trace_id)) for key in keys(40)})
    dispatcher.start()
    done = eventually(
        lambda: delivery_statistics(ledger), lambda status: status.pending == 0, within=30
    )
    held = [len(assessments) for assessments in store.traces.values()]
    assert (done.pending, held) == (0, [1] * 40)


def _later(trace_id: str) -> Rating:
    key = replace(KEY, trace_id=trace_id)
    return Rating(key, Content(False), assessment_named(key), revision=2, changed_at=2)


def test_a_deletion_that_was_answered_and_not_done_is_noticed(
    ledger: Ledger,
    queue: DeliveryQueue,
    store: FakeStore,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anything may have given the empty answer to a deletion: the trace is fetched again."""
    rated(ledger)
    dispatcher.start()
    assert settled(queue)
    deletes: list[str] = []
    delete = store.delete

    def delete_the_second_time(trace_id: str, assessment_id: str) -> None:
        deletes.append(assessment_id)
        if len(deletes) > 1:
            delete(trace_id, assessment_id)

    monkeypatch.setattr(store, "delete", delete_the_second_time)
    ledger.ratings.change({KEY: withdrawn})
    dispatcher.wake()
    assert settled(queue, within=60)
    assert store.held() == {}
    assert len(deletes) == 2
