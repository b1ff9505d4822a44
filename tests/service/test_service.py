"""The operations with a store that fails: nothing waits for it, and nothing is lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_feedback import Unavailable
from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.guard import Guard
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.model import Identity, StoredTrace
from agent_feedback.service.forms import RatingForm
from agent_feedback.service.service import Service
from agent_feedback.service.targets import Target
from tests.support.assessments import FakeStore, assessment, mark
from tests.support.ledgers import KEY, trace_named, turn
from tests.support.rating import settings_in
from tests.support.waiting import eventually

ANN = Identity(KEY.person, "x-forwarded-email", is_human=True)
TARGET = Target(KEY.trace_id)


@pytest.fixture
def store() -> FakeStore:
    """Give a FAKE store with one empty trace."""
    return FakeStore()


@pytest.fixture
def service(ledger: Ledger, store: FakeStore, tmp_path: Path) -> Iterator[Service]:
    """Build the operations between the ledger and the FAKE store."""
    dispatcher = Dispatcher(ledger.queue, store, is_open=lambda _: False, retention_days=30)
    made = Service(
        settings_in(tmp_path), ledger, store, store, dispatcher, Guard(), began=dispatcher.start
    )
    yield made
    dispatcher.stop()
    made.close()


def test_a_reload_asks_a_hanging_mlflow_only_a_few_times(
    service: Service, store: FakeStore
) -> None:
    """A page with a hundred answers is not made to wait a hundred times."""
    store.delay_seconds = 0.1
    store.fails = [("fetch", Failure.UNKNOWN, False)] * 100
    assert service.mine(ANN, trace_ids=[trace_named(number) for number in range(100)]) == []
    assert len(store.calls) <= 16


def test_a_trace_that_mlflow_cannot_have_hides_no_other(
    service: Service, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that the store refuses cost only their own ratings."""
    store.traces[trace_named(1)]["a-1"] = assessment("a-1", metadata=mark())
    fetch = store.fetch

    def refuses_others(trace_id: str) -> StoredTrace | None:
        if trace_id != trace_named(1):
            raise StoreError(Failure.IMPOSSIBLE, "ENDPOINT_NOT_FOUND")
        return fetch(trace_id)

    monkeypatch.setattr(store, "fetch", refuses_others)
    others = [trace_named(100 + number) for number in range(20)]
    found = service.mine(ANN, trace_ids=[*others, trace_named(1)])
    assert [each.assessment_id for each in found] == ["a-1"]


def test_a_known_answer_can_be_rated_during_an_outage(
    service: Service, store: FakeStore, ledger: Ledger
) -> None:
    """A rating of a turn of ours is taken while MLflow is away, and says that it waits."""
    ledger.turns.record(turn("1"))
    store.away = True
    submission = service.submit(TARGET, RatingForm(True), ANN)
    (receipt,) = submission.receipts()
    assert (receipt.status, receipt.revision) == ("pending", 1)
    (mine,) = service.mine(ANN, trace_ids=[trace_named(1)])
    assert (mine.status, mine.value) == ("pending", True)
    with pytest.raises(Unavailable):
        service.amend(TARGET, "a-unknown", {"value": False}, ANN)


def test_a_trace_in_its_export_gap_is_not_waited_for(
    service: Service, store: FakeStore, ledger: Ledger
) -> None:
    """There is nothing to wait for until MLflow has the trace, or has had a rating of it."""
    now = int(time.time() * 1000)
    ledger.turns.record(turn("1", closed_at=now))
    submission = service.submit(TARGET, RatingForm(True), ANN)
    assert submission.awaited == []
    (landed,) = eventually(
        lambda: service.mine(ANN, trace_ids=[trace_named(1)]), lambda mine: mine[0].status == "ok"
    )
    assert landed.status == "ok"
    changed = service.submit(TARGET, RatingForm(False), ANN)
    assert [each.result(60).revision for each in changed.awaited] == [2]
    assert list(store.held().values()) == [False]


def test_the_remaining_correction_is_omitted_where_it_is_unknown(
    service: Service, store: FakeStore
) -> None:
    """MLflow alone knew the answer, and goes away amid the withdrawal."""
    store.traces[KEY.trace_id] = {"a-1": assessment("a-1", metadata=mark())}

    def go_away(call: str) -> None:
        store.away = store.calls.count("fetch") > 1  # whose answer it is was still told

    store.meanwhile = go_away
    (receipt,) = service.withdraw(TARGET, ANN).receipts()
    assert (receipt.correction, receipt.is_correction_known) == (None, False)
