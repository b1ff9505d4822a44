"""Nothing leaks: a battery of bad requests full of secrets, and every answer and log line read."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import httpx
import mlflow
import pytest

from agent_feedback.identity import token_owners
from tests.security.attacks_input import TRACE_IDS
from tests.security.world import Scene, World, person
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import BOB, eventually
from tools.processes import free_port

TOKEN = "dapi-canary-token"
VICTIM = "canary-victim@example.com"
WORDS = "canary-words-of-a-comment"
CANARIES = (TOKEN, VICTIM, WORDS, "app-canary-secret")
INNARDS = (
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


def heard(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that our loggers said, with the stacks that came along."""
    form = logging.Formatter("%(levelname)s %(name)s %(message)s")
    records = [*caplog.get_records("setup"), *caplog.records]
    return "\n".join(form.format(r) for r in records if r.name.startswith("agent_feedback"))


@pytest.fixture
def secret_world(
    worlds: Callable[..., World],
    databricks_apps: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[tuple[World, Scene]]:
    """Open a world on Databricks Apps whose hooks fail, repeating what they were given."""
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-canary-secret")
    databricks_apps.users[TOKEN] = VICTIM
    caplog.set_level(logging.DEBUG, logger="agent_feedback")
    world = worlds(on="Databricks Apps", redact=broken_redaction, on_rating=broken_hook)
    world.feedback._parts.guard._throttle._logged_at.clear()  # it says each thing once in all
    yield world, world.scene(VICTIM)
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


def bad_requests(scene: Scene) -> Iterator[dict[str, Any]]:
    """Requests that are wrong in every way that we know, with canaries wherever they fit."""
    bob = dict(person(BOB))
    on_victims = {"trace_id": scene.trace_id}
    said = {"value": False, "rationale": WORDS, "correction": WORDS}
    bodies: list[Any] = [
        on_victims | said,
        {"trace_id": f"tr-{'0' * 32}"} | said,
        {"client_request_id": scene.client_request_id} | said,
        {"client_request_id": VICTIM} | said,
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
        for route in (("POST", ""), ("POST", "/detailed"), ("PATCH", f"/{scene.anns_id}"))
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
        yield {"method": "POST", "headers": headers, "json": on_victims | said}
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
    """Look for canaries and for our insides in what the attacker gets to see."""
    seen = f"{answer.status_code} {list(answer.headers.multi_items())} {answer.text}"
    assert not [canary for canary in CANARIES if canary in seen], (what, seen)
    assert not [inside for inside in INNARDS if inside in answer.text], (what, seen)


def test_no_bad_request_learns_or_leaves_anything(
    secret_world: tuple[World, Scene], caplog: pytest.LogCaptureFixture
) -> None:
    """Answers hold no token, no other's address, no text that was sent and nothing of our insides;
    the log, at DEBUG, none of them either."""
    world, scene = secret_world
    before = world.content()
    count = 0
    for request in bad_requests(scene):
        answer = world.send(**request)
        assert answer.status_code < 500 or answer.status_code == 503
        assert answer.status_code >= 400 or answer.json() == []
        check_answer(answer, request)
        count += 1
    assert count > 120
    assert world.content() == before
    log = heard(caplog)
    assert "the on_rating hook failed" in log, "the log was heard at all"
    assert not [canary for canary in CANARIES if canary in log], log


def test_good_ratings_leave_nothing_in_the_log(
    secret_world: tuple[World, Scene], caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is what people say, and who they are, logged where everything goes well."""
    world, scene = secret_world
    token = {"X-Forwarded-Access-Token": TOKEN}
    said = {"trace_id": scene.trace_id, "value": False, "rationale": WORDS, "correction": WORDS}
    assert world.send("POST", headers=token, json=said).status_code == 200
    path = f"/{scene.anns_id}"
    params = {"trace_id": scene.trace_id}
    assert world.send("PATCH", path, headers=token, params=params, json={"rationale": WORDS})
    assert world.send("DELETE", path, headers=token, params=params).status_code == 200
    assert not [canary for canary in CANARIES if canary in heard(caplog)]


def test_trouble_of_ours_tells_nothing(
    secret_world: tuple[World, Scene],
    databricks_apps: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A redaction that fails, a workspace, an MLflow and a database that are away or broken: one
    sentence each, and kinds of errors in the log."""
    world, scene = secret_world
    said = {"trace_id": scene.trace_id, "value": False, "rationale": WORDS}
    victim = dict(person(VICTIM))
    fails(world, headers=victim, json=said | {"rationale": f"redact {WORDS}"})
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
    databricks_apps.away = True
    fails(world, headers={"X-Forwarded-Access-Token": f"{TOKEN}-unseen"}, json=said)
    uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{free_port()}")
    try:
        fails(world, headers=victim, json=said | {"trace_id": f"tr-{'0' * 32}"})
    finally:
        mlflow.set_tracking_uri(uri)
    with without_ratings_table(world):
        fails(world, headers=victim, json=said)
        fails(world, "GET", headers=victim, params={"trace_id": scene.trace_id})
    for part in ("redact hook failed", "workspace cannot be asked", "the ledger failed"):
        assert part in eventually(lambda: heard(caplog), partial(contains, part))
    log = heard(caplog)
    assert not [canary for canary in CANARIES if canary in log], log


def contains(part: str, log: str) -> bool:
    """Say whether a log says something."""
    return part in log


def fails(world: World, method: str = "POST", **request: Any) -> None:
    """Check that a request is answered with a sentence and a time to come back, no more."""
    answer = world.send(method, **request)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    check_answer(answer, request)


@contextmanager
def without_ratings_table(world: World) -> Iterator[None]:
    """Damage the ledger, and repair it."""
    ledger = str(world.feedback._parts._ledger.database._engine.url.database)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("ALTER TABLE agent_feedback_ratings RENAME TO hidden")
        yield
        other.execute("ALTER TABLE hidden RENAME TO agent_feedback_ratings")


def test_a_failing_agent_tells_its_caller_nothing(
    worlds: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    """The handler's own words stay on the trace and in the server's log."""
    world = worlds(user_id_source=("x-user",))
    for content in (json.dumps({"fail": WORDS}), f'{{"{WORDS}'):
        answer = world.client.post("/invocations", headers=JSON, content=content)
        assert answer.status_code in (400, 500)
        assert WORDS not in answer.text
