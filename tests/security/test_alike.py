"""Foreign and unknown ids: neither the answer nor the work behind it tells them apart."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from agent_feedback.ledger.database import Database
from agent_feedback.ledger.ratings import RatingRecords
from agent_feedback.ledger.turns import TurnRecords
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.search import TraceSearch
from tests.security.attacked_app import person
from tests.security.conftest import OpenApp
from tests.support.rating import ANN, BOB

RECORDED = (Database, TurnRecords, RatingRecords, Assessments, TraceSearch)
REQUESTS: dict[str, dict[str, Any]] = {
    "withdraw": {"method": "DELETE"},
    "change": {"method": "PATCH", "json": {"value": True, "rationale": "mine now"}},
    "change, badly": {"method": "PATCH", "json": {"value": "x"}},
    "change, to nothing": {"method": "PATCH", "json": {}},
}


class Recorder:
    """Writes down, in order, what a request makes the ledger and the client for MLflow do."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def note(self, what: str) -> None:
        """Note a call, unless it is a background thread's."""
        if threading.current_thread().name.startswith("AnyIO worker"):
            self.calls.append(what)

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Record each call to the ledger, with the statements read, and to MLflow."""
        with monkeypatch.context() as patch:
            for recorded in RECORDED:
                for name, method in vars(recorded).items():
                    if callable(method) and not name.startswith("_"):
                        patch.setattr(recorded, name, self._noting(recorded, name, method))
            yield

    def _noting(self, owner: type, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            # A read's statement too: with its placeholders, and without what they stand for.
            statement = f" {args[1]}" if (owner, name) == (Database, "read") else ""
            self.note(f"{owner.__name__}.{name}{statement}")
            return method(*args, **kwargs)

        return noted


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("sender", [ANN, BOB, None], ids=["the asker", "another", "nobody"])
def test_a_foreign_id_is_answered_as_one_that_does_not_exist(
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    request_: dict[str, Any],
    sender: str | None,
) -> None:
    """Status, headers, body, and the ordered calls and statements behind them are the same for
    another person's id, a judge's, a script's, an expert's, and ids that do not exist."""
    app = open_app(raters="anyone")
    target = app.rated_answer()
    headers = person(sender) if sender else []
    elsewhere = app.rated_answer().anns_id
    foreign = [target.judges_id, target.experts_id, target.codes_id]
    foreign += [] if sender == ANN else [target.anns_id]

    def seen(assessment_id: str) -> tuple[int, str, list[str], tuple[str, ...]]:
        recorder = Recorder()
        with recorder.recording(monkeypatch):
            answer: httpx.Response = app.send(
                path=f"/{assessment_id}",
                headers=headers,
                params={"trace_id": target.trace_id},
                **request_,
            )
        names = [name for name, _ in answer.headers.multi_items()]
        return answer.status_code, answer.text, names, tuple(recorder.calls)

    found = [seen(each) for each in (f"a-{'0' * 32}", "a-1", "x" * 200, elsewhere, *foreign)]
    assert all(each == found[0] for each in found)
    status, _, _, calls = found[0]
    assert status in (404, 422)
    if status == 404:
        assert "Assessments.fetch" in calls
        assert any(call.startswith("Database.read SELECT") for call in calls)
