"""Which trace a rating is for, and who may rate it."""

import time
from dataclasses import replace

import pytest

from agent_feedback import InvalidFeedback, NotAllowed, TraceNotFound, Unavailable
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.mlflow_client.failures import Failure
from agent_feedback.model import ANONYMOUS, Identity, StoredTrace, TurnState
from agent_feedback.service.targets import Rateable, Target, Targets, may_rate
from agent_feedback.settings import Raters
from tests.support.assessments import FakeStore
from tests.support.ledgers import trace_named, turn

ANN = Identity("ann@example.com", "x-forwarded-email", is_human=True)
BOB = replace(ANN, user_id="bob@example.com")
NOBODY = Identity()
HEX = f"{0xABC:032x}"


@pytest.mark.parametrize(
    ("asker", "person", "raters", "may"),
    [
        ("ann@example.com", ANN, "asker", True),
        ("Ann@Example.com", ANN, "asker", True),
        ("bob@example.com", ANN, "asker", False),
        ("ann@example.com", NOBODY, "asker", False),
        (ANONYMOUS, NOBODY, "asker", True),
        (ANONYMOUS, ANN, "asker", True),
        ("Ann", replace(ANN, user_id="Ann"), "asker", True),
        ("Ann", replace(ANN, user_id="ann"), "asker", False),
        ("strasse@example.com", replace(ANN, user_id="straße@example.com"), "asker", False),
        (None, ANN, "asker", False),
        (None, NOBODY, "asker", False),
        (None, NOBODY, "anyone", True),
        ("bob@example.com", ANN, "anyone", True),
    ],
)
def test_only_who_asked_may_rate(
    asker: str | None, person: Identity, raters: Raters, may: bool
) -> None:
    """Ownership is what was noted when the turn ran; where nobody noted it, it is refused."""
    assert may_rate(asker, person, raters) is may


@pytest.fixture
def store() -> FakeStore:
    """Give a FAKE store."""
    return FakeStore(traces={})


@pytest.fixture
def targets(ledger: Ledger, store: FakeStore) -> Targets:
    """Resolve targets as by default."""
    return Targets(ledger, store, store, "asker")


def by_trace(trace_id: str, client_request_id: str | None = None) -> Target:
    """Name an answer by its trace."""
    return Target(trace_id, client_request_id)


def by_request(client_request_id: str = "request-1") -> Target:
    """Name an answer by its request."""
    return Target(client_request_id=client_request_id)


def test_our_own_turns_need_no_mlflow(ledger: Ledger, store: FakeStore, targets: Targets) -> None:
    """What this application answered is resolved from its ledger, MLflow away or not."""
    store.away = True
    ledger.turns.record(turn("1"))
    for target in (by_trace(trace_named(1)), by_request(), by_trace(trace_named(1), "request-1")):
        assert targets.resolve(target, ANN) == Rateable(trace_named(1), "request-1")
    assert store.calls == []


@pytest.mark.parametrize(
    ("state", "closed_ago_ms", "in_gap"),
    [
        (TurnState.OPEN, None, True),
        (TurnState.OK, 0, True),
        (TurnState.ERROR, 2_000, True),
        (TurnState.INTERRUPTED, 11_000, False),
    ],
)
def test_a_young_turn_is_in_the_export_gap(
    ledger: Ledger, targets: Targets, state: TurnState, closed_ago_ms: int | None, in_gap: bool
) -> None:
    """Until ten seconds after its end, MLflow is not expected to have the trace."""
    closed = None if closed_ago_ms is None else int(time.time() * 1000) - closed_ago_ms
    ledger.turns.record(turn("1", state=state, closed_at=closed))
    assert targets.resolve(by_trace(trace_named(1)), ANN).in_export_gap is in_gap


def test_a_trace_of_another_process_is_asked_for(store: FakeStore, targets: Targets) -> None:
    """What the ledger does not know, MLflow may; its mark says whose it is."""
    store.traces[trace_named(5)] = {}
    assert targets.resolve(by_trace(trace_named(5)), ANN) == Rateable(trace_named(5), None)
    with pytest.raises(NotAllowed):
        targets.resolve(by_trace(trace_named(5)), BOB)
    with pytest.raises(TraceNotFound) as unknown:
        targets.resolve(by_trace(trace_named(6)), ANN)
    assert not unknown.value.final


@pytest.mark.parametrize("raters", ["asker", "anyone"])
def test_a_trace_of_another_experiment_is_unknown(
    ledger: Ledger, store: FakeStore, raters: Raters
) -> None:
    """The app can read it, and its people cannot rate it; what our own ledger knows is ours."""
    store.traces[trace_named(5)] = {}
    store.elsewhere = frozenset({trace_named(5), trace_named(1)})
    targets = Targets(ledger, store, store, raters)
    with pytest.raises(TraceNotFound) as unknown:
        targets.resolve(by_trace(trace_named(5)), ANN)
    assert unknown.value.final
    ledger.turns.record(turn("1"))
    assert targets.resolve(by_trace(trace_named(1)), ANN).trace_id == trace_named(1)


@pytest.mark.parametrize("person", [BOB, NOBODY])
def test_someone_elses_turn_is_refused(ledger: Ledger, targets: Targets, person: Identity) -> None:
    """By its trace it is not allowed; by its request's id there is no such answer of theirs."""
    ledger.turns.record(turn("1"))
    with pytest.raises(NotAllowed):
        targets.resolve(by_trace(trace_named(1)), person)
    with pytest.raises(TraceNotFound):
        targets.resolve(by_request(), person)


def test_a_requests_id_means_the_persons_own_newest_turn(ledger: Ledger, targets: Targets) -> None:
    """An id that others use too, or that was used before, is no way to their answers."""
    ledger.turns.record(turn("1"))
    ledger.turns.record(turn("2"))
    ledger.turns.record(turn("3", asker=BOB.user_id))
    assert targets.resolve(by_request(), ANN).trace_id == trace_named(2)
    assert targets.resolve(by_request(), BOB).trace_id == trace_named(3)


def test_a_requests_id_is_searched_where_the_ledger_does_not_know_it(
    store: FakeStore, targets: Targets
) -> None:
    """Among the traces that MLflow finds, the person's own newest is meant."""
    store.found = [
        StoredTrace(trace_named(7), "request-1", BOB.user_id),
        StoredTrace(trace_named(6), "request-1", ANN.user_id),
        StoredTrace(trace_named(5), "request-1", ANN.user_id),
        StoredTrace(trace_named(4), "request-1", None),
    ]
    assert targets.resolve(by_request(), ANN) == Rateable(trace_named(6), "request-1")
    assert targets.resolve(by_request(), BOB) == Rateable(trace_named(7), "request-1")
    with pytest.raises(TraceNotFound):
        targets.resolve(by_request(), NOBODY)
    with pytest.raises(TraceNotFound):
        targets.resolve(by_request("request-2"), ANN)


def test_where_anyone_may_rate_unmarked_traces_are_found_too(
    ledger: Ledger, store: FakeStore
) -> None:
    """A sidecar finds what another server answered, but still not what somebody else asked."""
    anyone = Targets(ledger, store, store, "anyone")
    store.found = [StoredTrace(trace_named(4), "request-1", None)]
    assert anyone.resolve(by_request(), ANN).trace_id == trace_named(4)
    store.traces[trace_named(4)] = {}
    assert anyone.resolve(by_trace(trace_named(4)), BOB).trace_id == trace_named(4)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (Target(), "which answer"),
        (by_trace("../x"), "not a trace id"),
        (by_trace("tr-123"), "not a trace id"),
        (by_trace("trace:/main.support/123"), "not a trace id"),
        (by_request("a b"), "1 to 50"),
        (by_request("x" * 51), "1 to 50"),
        (by_request(""), "1 to 50"),
        (by_request("' OR 1=1"), "1 to 50"),
        (by_trace(trace_named(1), "request-2"), "two different"),
        (by_request("traceless"), "no trace"),
    ],
)
def test_a_target_that_names_nothing_is_refused(
    ledger: Ledger, store: FakeStore, targets: Targets, target: Target, says: str
) -> None:
    """None, malformed, two that disagree, or an answer without a trace: MLflow is not asked."""
    ledger.turns.record(turn("1"))
    ledger.turns.record(turn("2", trace_id=None, client_request_id="traceless"))
    with pytest.raises(InvalidFeedback, match=says):
        targets.resolve(target, ANN)
    assert store.calls == []


def test_the_answer_reveals_no_request_id_of_others(ledger: Ledger, targets: Targets) -> None:
    """Whether an id is the one of somebody else's trace makes no difference to the answer."""
    ledger.turns.record(turn("1"))
    for client_request_id in ("request-1", "request-2"):
        with pytest.raises(NotAllowed):
            targets.resolve(by_trace(trace_named(1), client_request_id), BOB)


@pytest.mark.parametrize(
    "target", [by_trace(trace_named(9)), by_request("request-9"), by_trace(HEX)]
)
def test_an_unknown_answer_while_mlflow_is_away_is_no_404(
    store: FakeStore, targets: Targets, target: Target
) -> None:
    """Nobody can say that it does not exist: try again later."""
    store.away = True
    with pytest.raises(Unavailable) as refused:
        targets.resolve(target, ANN)
    assert refused.value.retry_after >= 1


def test_an_id_that_mlflow_will_never_take_is_final(store: FakeStore, targets: Targets) -> None:
    """A trace that cannot be there is not waited for."""
    store.fails = [("fetch", Failure.IMPOSSIBLE, False)]
    with pytest.raises(TraceNotFound) as unknown:
        targets.resolve(by_trace(f"trace:/main.support/{HEX}"), ANN)
    assert unknown.value.final


@pytest.mark.parametrize(
    ("known_as", "place", "key"),
    [
        (f"trace:/main.support.agent/{HEX}", None, f"trace:/main.support.agent/{HEX}"),
        (f"tr-{HEX}", "main.other", f"tr-{HEX}"),
        (None, "main.support", f"trace:/main.support/{HEX}"),
        (None, None, f"tr-{HEX}"),
    ],
)
def test_a_bare_id_becomes_a_key_first(
    ledger: Ledger,
    store: FakeStore,
    targets: Targets,
    known_as: str | None,
    place: str | None,
    key: str,
) -> None:
    """It is completed from the turn, else from where the experiment's traces live."""
    store.place = place
    store.traces[key] = {}
    if known_as is not None:
        ledger.turns.record(turn("1", trace_id=known_as))
    assert targets.resolve(by_trace(HEX), ANN).trace_id == key
    assert targets.own_traces([by_trace(HEX)], ANN) == [key]


def test_listing_ones_own_ratings_omits_other_requests(
    ledger: Ledger, store: FakeStore, targets: Targets
) -> None:
    """Unknown, foreign and traceless requests are no ratings, and no error for the others."""
    ledger.turns.record(turn("1"))
    ledger.turns.record(turn("2", asker=BOB.user_id, client_request_id="bobs"))
    ledger.turns.record(turn("3", trace_id=None, client_request_id="traceless"))
    wanted = [by_request(), by_request("bobs"), by_request("traceless"), by_request("unknown")]
    assert targets.own_traces([*wanted, by_trace(trace_named(9))], ANN) == [
        trace_named(1),
        trace_named(9),
    ]
    store.away, store.calls = True, []
    unknown = [by_request(f"unknown-{number}") for number in range(20)]
    assert targets.own_traces([*unknown, *wanted], ANN) == [trace_named(1)]
    assert store.calls == ["by_request"]
    with pytest.raises(InvalidFeedback):
        targets.own_traces([by_trace("../x")], ANN)
