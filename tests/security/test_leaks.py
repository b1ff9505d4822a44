"""Nothing leaks: a battery of bad requests full of secrets, and every answer and log line read."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import httpx
import mlflow
import pytest

from agent_feedback.identity import token_owners
from tests.security.attacked_app import AttackedApp, RatedAnswer, person
from tests.security.attacks_input import TRACE_IDS
from tests.security.conftest import OpenApp
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import BOB
from tests.support.waiting import eventually
from tools.processes import free_port

TOKEN = "dapi-canary-token"
VICTIM = "canary-victim@example.com"
WORDS = "canary-words-of-a-comment"
CANARIES = (TOKEN, VICTIM, WORDS, "app-canary-secret")
INTERNALS = (
    "Traceback",
    ".py",
    "site-packages",
    "sqlalchemy",
    "sqlite",
    "/work",
    "Error(",
    "mlflow.",
)
JSON = {"content-type": "application/json"}


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that our loggers logged, with its stack traces."""
    form = logging.Formatter("%(levelname)s %(name)s %(message)s")
    records = [*caplog.get_records("setup"), *caplog.records]
    return "\n".join(form.format(r) for r in records if r.name.startswith("agent_feedback"))


@pytest.fixture
def app_with_secrets(
    open_app: OpenApp,
    databricks_apps: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[tuple[AttackedApp, RatedAnswer]]:
    """Open an app on Databricks Apps whose hooks fail, repeating what they were given."""
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-canary-secret")
    databricks_apps.users[TOKEN] = VICTIM
    caplog.set_level(logging.DEBUG, logger="agent_feedback")
    app = open_app(on="Databricks Apps", redact=broken_redaction, on_rating=broken_hook)
    app.feedback._parts.guard._throttle._logged_at.clear()  # it logs each failure once in all
    yield app, app.rated_answer(VICTIM)
    databricks_apps.away = False


def broken_redaction(text: str) -> str:
    """Fail for a marked text, in a way that repeats it twice."""
    if "redact" not in text:
        return text
    try:
        raise LookupError(f"cannot clean {text}")
    except LookupError as error:
        raise ValueError(text) from error


def broken_hook(rating: Any) -> None:
    """Fail with everything that a rating says."""
    raise RuntimeError(f"no channel for {rating} of {VICTIM}: {WORDS}")


def bad_requests(target: RatedAnswer) -> Iterator[dict[str, Any]]:
    """Requests that are wrong in every way that we know, with canaries wherever they fit."""
    bob = dict(person(BOB))
    on_victims = {"trace_id": target.trace_id}
    rating = {"value": False, "rationale": WORDS, "correction": WORDS}
    bodies: list[Any] = [
        on_victims | rating,
        {"trace_id": f"tr-{'0' * 32}"} | rating,
        {"client_request_id": target.client_request_id} | rating,
        {"client_request_id": VICTIM} | rating,
        on_victims | {"value": WORDS},
        on_victims | {"value": {WORDS: TOKEN}},
        on_victims | {"dimension": WORDS, "value": 3},
        on_victims | {"reasons": [WORDS]},
        on_victims | {"reasons": {WORDS: 1}},
        on_victims | {"signal": WORDS},
        on_victims | {"ratings": {WORDS: TOKEN}},
        on_victims | {"value": True, "rationale": WORDS * 200},
        on_victims | {WORDS: TOKEN},
        [WORDS],
        WORDS,
        {"value": [[[[[[[[[[WORDS]]]]]]]]]]},
    ]
    for body, (method, path) in (
        (body, route)
        for body in bodies
        for route in (("POST", ""), ("POST", "/detailed"), ("PATCH", f"/{target.anns_id}"))
    ):
        params = on_victims if method == "PATCH" else {}
        yield {"method": method, "path": path, "headers": bob, "json": body, "params": params}
    for content in (f'{{"{WORDS}', f"{WORDS}", f'{{"rationale": "{WORDS * 1000}"}}', b"\xff" * 9):
        yield {"method": "POST", "headers": bob | JSON, "content": content}
    yield {"method": "POST", "headers": bob | {"content-type": WORDS}, "content": WORDS}
    for trace_id in (*TRACE_IDS, WORDS, VICTIM, f"tr-{WORDS}"):
        for method in ("GET", "DELETE"):
            yield {"method": method, "headers": bob, "params": {"trace_id": trace_id}}
    for name in ("session_id", "client_request_id", "dimension"):
        for text in (WORDS, VICTIM, f"{WORDS}'\x00"):
            yield {"method": "DELETE", "headers": bob, "params": on_victims | {name: text}}
            yield {"method": "GET", "headers": bob, "params": {name: text}}
    yield {"method": "DELETE", "path": f"/{WORDS}", "headers": bob, "params": on_victims}
    for headers in bad_headers(bob):
        yield {"method": "POST", "headers": headers, "json": on_victims | rating}
        yield {"method": "GET", "headers": headers, "params": on_victims}


def bad_headers(bob: dict[str, str]) -> Iterator[Any]:
    """Identities that are refused, with canaries in them."""
    token = "X-Forwarded-Access-Token"
    yield {token: f"{TOKEN}-expired"}
    yield {token: f"{TOKEN} {WORDS}"}
    yield [(token, TOKEN), (token, f"{TOKEN}2")]
    yield [("X-Forwarded-Email", VICTIM), ("x-forwarded-email", BOB)]
    yield {"X-Forwarded-Email": f"{VICTIM}, {BOB}"}
    yield {"X-Forwarded-Email": f"{VICTIM}{'x' * 300}"}
    yield {"X-App-User-Email": VICTIM, **bob}
    yield {"Authorization": f"Bearer {TOKEN}", "Cookie": TOKEN}
    yield bob | {"Origin": f"https://{WORDS}.example", "Sec-Fetch-Site": "cross-site"}


def check_answer(answer: httpx.Response, what: object) -> None:
    """Check for canaries and for our internals in what the attacker gets to see."""
    seen = f"{answer.status_code} {list(answer.headers.multi_items())} {answer.text}"
    assert not [canary for canary in CANARIES if canary in seen], (what, seen)
    assert not [each for each in INTERNALS if each in answer.text], (what, seen)


def test_no_bad_request_learns_or_leaves_anything(
    app_with_secrets: tuple[AttackedApp, RatedAnswer], caplog: pytest.LogCaptureFixture
) -> None:
    """Answers hold no token, no other's address, no text that was sent and none of our internals;
    the log, at DEBUG, none of them either."""
    app, target = app_with_secrets
    before = app.content()
    count = 0
    for request in bad_requests(target):
        answer = app.send(**request)
        assert answer.status_code < 500 or answer.status_code == 503
        assert answer.status_code >= 400 or answer.json() == []
        check_answer(answer, request)
        count += 1
    assert count > 120
    assert app.content() == before
    log = logged(caplog)
    assert "the on_rating hook failed" in log, "the log was captured at all"
    assert not [canary for canary in CANARIES if canary in log], log


def test_good_ratings_leave_nothing_in_the_log(
    app_with_secrets: tuple[AttackedApp, RatedAnswer], caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is what people say, and who they are, logged where everything goes well."""
    app, target = app_with_secrets
    token = {"X-Forwarded-Access-Token": TOKEN}
    body = {"trace_id": target.trace_id, "value": False, "rationale": WORDS, "correction": WORDS}
    assert app.send("POST", headers=token, json=body).status_code == 200
    path = f"/{target.anns_id}"
    params = {"trace_id": target.trace_id}
    assert app.send("PATCH", path, headers=token, params=params, json={"rationale": WORDS})
    assert app.send("DELETE", path, headers=token, params=params).status_code == 200
    assert not [canary for canary in CANARIES if canary in logged(caplog)]


def test_failures_of_ours_reveal_nothing(
    app_with_secrets: tuple[AttackedApp, RatedAnswer],
    databricks_apps: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A redaction that fails, a workspace, an MLflow and a database that are away or broken: one
    sentence each, and kinds of errors in the log."""
    app, target = app_with_secrets
    body = {"trace_id": target.trace_id, "value": False, "rationale": WORDS}
    victim = dict(person(VICTIM))
    fails(app, headers=victim, json=body | {"rationale": f"redact {WORDS}"})
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
    databricks_apps.away = True
    fails(app, headers={"X-Forwarded-Access-Token": f"{TOKEN}-unseen"}, json=body)
    uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{free_port()}")
    try:
        fails(app, headers=victim, json=body | {"trace_id": f"tr-{'0' * 32}"})
    finally:
        mlflow.set_tracking_uri(uri)
    with without_ratings_table(app):
        fails(app, headers=victim, json=body)
        fails(app, "GET", headers=victim, params={"trace_id": target.trace_id})
    for part in ("redact hook failed", "workspace cannot be asked", "the ledger failed"):
        assert part in eventually(lambda: logged(caplog), partial(contains, part))
    log = logged(caplog)
    assert not [canary for canary in CANARIES if canary in log], log


def contains(part: str, log: str) -> bool:
    """Say whether a log contains something."""
    return part in log


def fails(app: AttackedApp, method: str = "POST", **request: Any) -> None:
    """Check that a request is answered with a sentence and a time to come back, no more."""
    answer = app.send(method, **request)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    check_answer(answer, request)


@contextmanager
def without_ratings_table(app: AttackedApp) -> Iterator[None]:
    """Damage the ledger, and repair it."""
    ledger = str(app.feedback._parts._ledger.database._engine.url.database)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("ALTER TABLE agent_feedback_ratings RENAME TO hidden")
        yield
        other.execute("ALTER TABLE hidden RENAME TO agent_feedback_ratings")


def test_a_failing_agent_reveals_nothing_to_its_caller(
    open_app: OpenApp, caplog: pytest.LogCaptureFixture
) -> None:
    """The handler's own words stay on the trace and in the server's log."""
    app = open_app(user_id_source=("x-user",))
    for content in (json.dumps({"fail": WORDS}), f'{{"{WORDS}'):
        answer = app.client.post("/invocations", headers=JSON, content=content)
        assert answer.status_code in (400, 500)
        assert WORDS not in answer.text
