"""Well-formed requests that are refused: unknown traces, other people's, too many, an outage."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import mlflow
import pytest

from agent_feedback.identity import token_owners
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import StoredTrace
from agent_feedback.service import waiting as waits
from tests.support.clocks import AttemptsClock
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import (
    ANN,
    BOB,
    UNKNOWN_TRACE,
    OpenSite,
    Site,
    assessments_of,
    held,
    stored_trace,
)
from tests.support.waiting import eventually
from tools.processes import free_port

pytestmark = pytest.mark.usefixtures("tracking")


def refused(answer: httpx.Response, status: int) -> str:
    """Check that an answer refuses with one sentence, and return it."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    assert ANN not in detail
    return detail


def comes_back(answer: httpx.Response) -> int:
    """Return after how many seconds the answer asks to try again."""
    refused(answer, 503 if answer.status_code != 429 else 429)
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 60
    return seconds


EVERY_WRITE: dict[str, Callable[[Site, str], httpx.Response]] = {
    "POST": lambda site, trace: site.post({"trace_id": trace, "value": True}),
    "POST detailed": lambda site, trace: site.post({"trace_id": trace, "accuracy": 3}, "/detailed"),
    "PATCH": lambda site, trace: site.patch("a-1", {"value": True}, trace_id=trace),
    "DELETE": lambda site, trace: site.delete(trace_id=trace),
    "DELETE one": lambda site, trace: site.delete("/a-1", trace_id=trace),
}
every_write = pytest.mark.parametrize("write", EVERY_WRITE.values(), ids=EVERY_WRITE.keys())


# -- which answer -----------------------------------------------------------------------------


def waiting_at(site: Site) -> int:
    """Say how many requests wait for their trace."""
    return site.feedback._parts.waiting._waiting


@every_write
def test_an_unknown_trace_is_404(site: Site, write: Callable[[Site, str], httpx.Response]) -> None:
    """A trace that neither the ledger nor MLflow knows cannot be rated."""
    refused(write(site, UNKNOWN_TRACE), 404)


def test_an_unknown_trace_is_waited_for(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for again and again while the setting allows it, and then it is 404."""
    asked: list[str] = []
    find = TraceSearch.by_request

    def counted(search: TraceSearch, client_request_id: str) -> list[StoredTrace]:
        asked.append(client_request_id)
        return find(search, client_request_id)

    monkeypatch.setattr(TraceSearch, "by_request", counted)
    monkeypatch.setattr(waits, "time", AttemptsClock())
    monkeypatch.setattr(waits, "_ASK_AGAIN_SECONDS", AttemptsClock.STEP)
    site = open_site(unknown_wait_seconds=AttemptsClock.STEP * 4)
    refused(site.post({"client_request_id": "request-1", "value": True}), 404)
    assert asked == ["request-1"] * 4


def test_a_trace_that_appears_meanwhile_is_rated(open_site: OpenSite) -> None:
    """An answer that MLflow stores while its rating waits is found."""
    site = open_site(unknown_wait_seconds=60)
    with ThreadPoolExecutor(1) as pool:
        body = {"client_request_id": "request-1", "value": True}
        waiting = pool.submit(site.post, body)
        assert eventually(lambda: waiting_at(site), (1).__eq__) == 1
        trace_id = stored_trace(client_request_id="request-1")
        answer = waiting.result()
    assert (answer.status_code, answer.json()["trace_id"]) == (201, trace_id)
    assert held(trace_id) == {"user_feedback": True}


def test_requests_for_unknown_traces_are_bounded_in_number(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that ask for unknown traces are bounded in number, and others are served meanwhile."""
    most = 10
    monkeypatch.setattr(waits, "_MAX_WAITING", most)
    site = open_site(unknown_wait_seconds=60)
    known = stored_trace()
    with ThreadPoolExecutor(most) as pool:
        body = {"client_request_id": "request-1", "value": True}
        asking = [pool.submit(site.post, body) for _ in range(most)]
        assert eventually(lambda: waiting_at(site), most.__eq__) == most
        comes_back(site.post(body))
        assert site.post({"trace_id": known, "value": True}).status_code == 201
        stored_trace(client_request_id="request-1")
    assert {asked.result().status_code for asked in asking} <= {200, 201}


@every_write
def test_an_unknown_trace_while_mlflow_is_away_is_503(
    open_site: OpenSite,
    write: Callable[[Site, str], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody can say that there is no such trace: come back later."""
    site = open_site(unknown_wait_seconds=600)  # longer than the client would wait
    uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{free_port()}")
    try:
        comes_back(write(site, UNKNOWN_TRACE))
        comes_back(site.post({"client_request_id": "request-1", "value": True}))
    finally:
        mlflow.set_tracking_uri(uri)


def test_an_answer_without_a_trace_is_422(site: Site) -> None:
    """Where tracing made no trace, the answer is known and cannot be rated."""
    mlflow.tracing.disable()
    try:
        with site.feedback.turn(user_id=ANN, client_request_id="request-1") as turn:
            assert turn.trace_id is None
    finally:
        mlflow.tracing.enable()
    answer = site.post({"client_request_id": "request-1", "value": True})
    assert "no trace" in refused(answer, 422)
    assert site.mine(client_request_id="request-1") == []


# -- whose answer -----------------------------------------------------------------------------


@every_write
@pytest.mark.parametrize("asker", [BOB, None], ids=["someone else's", "nobody's"])
def test_an_answer_that_someone_else_asked_for_is_403(
    site: Site, write: Callable[[Site, str], httpx.Response], asker: str | None
) -> None:
    """Only the person who asked may rate; what nobody is known to have asked, nobody may."""
    trace_id = stored_trace(asker)
    refused(write(site, trace_id), 403)
    assert held(trace_id) == {}


def test_anyone_may_rate_where_the_setting_says_so(open_site: OpenSite) -> None:
    """With raters=anyone, each person has a rating of their own on the same answer."""
    site = open_site(raters="anyone")
    trace_id = stored_trace(None)
    for user, value in ((ANN, True), (BOB, False), (None, True)):
        answer = site.post({"trace_id": trace_id, "value": value}, user=user)
        assert answer.status_code == 201
    found = {each.source.source_id: each.feedback.value for each in assessments_of(trace_id)}  # type: ignore[union-attr]
    assert found == {ANN: True, BOB: False, "anonymous": True}


def test_anonymous_people_rate_what_was_asked_anonymously(site: Site) -> None:
    """Nobody's answer is anybody's to rate, and a person's is not nobody's."""
    trace_id = stored_trace("anonymous")
    assert site.post({"trace_id": trace_id, "value": True}, user=None).status_code == 201
    refused(site.post({"trace_id": stored_trace(), "value": True}, user=None), 403)


# -- who asks ---------------------------------------------------------------------------------


def test_nobody_is_401_where_a_person_is_required(open_site: OpenSite) -> None:
    """With require_user, reading and writing need a person."""
    site = open_site(require_user=True)
    trace_id = stored_trace("anonymous")
    refused(site.post({"trace_id": trace_id, "value": True}, user=None), 401)
    refused(site.ask("GET", user=None, params={"trace_id": trace_id}), 401)
    refused(site.delete(user=None, trace_id=trace_id), 401)
    assert site.post({"trace_id": trace_id, "value": True}).status_code == 201


@pytest.fixture
def workspace(fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Run as on Databricks Apps: credentials of the app's own, and a FAKE workspace."""
    monkeypatch.setenv("DATABRICKS_APP_NAME", "agent")
    monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "0a1b2c3d-0000-4444-8888-0123456789ab")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-secret")
    fake_workspace.users["good"] = "Ann@Example.com"
    return fake_workspace


def with_token(site: Site, token: str, trace_id: str) -> httpx.Response:
    """Rate with an access token for a name."""
    headers = {"x-forwarded-access-token": token, "x-forwarded-preferred-username": "ann"}
    return site.post({"trace_id": trace_id, "value": True}, user=None, headers=headers)


def test_an_access_token_is_its_owner(workspace: FakeWorkspace, open_site: OpenSite) -> None:
    """On Databricks Apps without an e-mail, the forwarded token says who rates."""
    site, trace_id = open_site(), stored_trace()
    assert with_token(site, "good", trace_id).status_code == 201
    assert [each.source.source_id for each in assessments_of(trace_id)] == [ANN]


def test_a_token_that_proves_nothing_is_never_anonymous(
    workspace: FakeWorkspace, open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused is 401, a workspace that is away 503: on a trace that nobody may rate, too."""
    site, trace_id = open_site(), stored_trace("anonymous")
    assert "good" not in refused(with_token(site, "bad", trace_id), 401)
    workspace.away = True
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
    comes_back(with_token(site, "good", trace_id))
    assert held(trace_id) == {}
