"""Whose token it is: cached, shared, bounded, and never logged."""

import asyncio
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from agent_feedback import IdentityRefused, Unavailable, log_throttle
from agent_feedback.identity import token_owners
from agent_feedback.identity.headers import AccessToken
from agent_feedback.identity.token_owners import TokenOwners
from agent_feedback.model import Identity
from tests.support.fake_workspace import FakeWorkspace
from tests.support.waiting import eventually

SECRET = "dapi-s3cret"
TOKEN = AccessToken(SECRET)
ANN = Identity("ann@example.com", "obo", is_human=True)


@pytest.fixture
def workspace(fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Point the SDK at a FAKE workspace that knows one person, with an app's own credentials."""
    monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "0a1b2c3d-0000-4444-8888-0123456789ab")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-secret")
    fake_workspace.users[SECRET] = "ann@example.com"
    # Far more than an answer takes on a busy machine.
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 30.0)
    return fake_workspace


@pytest.fixture
def silent_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the SDK at a host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


async def test_concurrent_requests_share_one_look_up(workspace: FakeWorkspace) -> None:
    """Twenty requests with one token ask the workspace once, and all get the answer."""
    workspace.delay_seconds = 0.2
    owners = TokenOwners()
    people = await asyncio.gather(*(owners.resolve(TOKEN) for _ in range(20)))
    assert people == [ANN] * 20
    assert len(workspace.look_ups()) == 1


async def test_a_cancelled_request_does_not_cancel_the_shared_look_up(
    workspace: FakeWorkspace,
) -> None:
    """The first of those who share a look-up is cancelled; the others still get their answer."""
    workspace.delay_seconds = 0.3
    owners = TokenOwners()
    first, *others = (asyncio.create_task(owners.resolve(TOKEN)) for _ in range(3))
    await asyncio.sleep(0)  # each has begun to wait
    first.cancel()
    assert await asyncio.gather(*others) == [ANN, ANN]
    assert first.cancelled()
    assert len(workspace.look_ups()) == 1


async def test_an_answer_is_kept_and_expires(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is asked about once within five minutes, and again afterwards."""
    clock = Clock(monkeypatch)
    owners = TokenOwners()
    assert [await owners.resolve(TOKEN) for _ in range(3)] == [ANN] * 3
    clock.seconds += 299
    assert await owners.resolve(TOKEN) == ANN
    assert len(workspace.look_ups()) == 1
    clock.seconds += 2
    workspace.users[SECRET] = "bob@example.com"
    assert (await owners.resolve(TOKEN)).user_id == "bob@example.com"
    assert len(workspace.look_ups()) == 2


class Clock:
    """The clock of the cache, set forward at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = time.monotonic()
        for module in (token_owners, log_throttle):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        """Say the time."""
        return self.seconds


async def test_tokens_are_told_apart(workspace: FakeWorkspace) -> None:
    """Each token has its own owner."""
    workspace.users["other"] = "bob@example.com"
    owners = TokenOwners()
    assert await owners.resolve(TOKEN) == ANN
    assert (await owners.resolve(AccessToken("other"))).user_id == "bob@example.com"


async def test_no_more_tokens_are_remembered_than_the_bound(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound the oldest is forgotten, and asked about again when it comes back."""
    monkeypatch.setattr(token_owners, "_MAX_ENTRIES", 2)
    workspace.users |= {"b": "bob@example.com", "c": "cid@example.com"}
    owners = TokenOwners()
    for secret in (SECRET, "b", "c"):
        await owners.resolve(AccessToken(secret))
    assert len(owners._answers) == 2
    await owners.resolve(AccessToken("c"))
    assert len(workspace.look_ups()) == 3
    assert await owners.resolve(TOKEN) == ANN
    assert len(workspace.look_ups()) == 4


@pytest.mark.usefixtures("silent_host")
async def test_a_silent_workspace_costs_no_more_than_the_deadline() -> None:
    """Nobody waits for what never comes, the loop runs on, and threads end by themselves.

    The databricks-sdk alone would block for five minutes.
    """
    owners = TokenOwners()
    look_up = owners.look_up(TOKEN)
    asking = asyncio.create_task(asyncio.wait_for(owners.resolve(TOKEN), 60))
    beats = 0
    while not asking.done():
        await asyncio.sleep(0.05)
        beats += 1
    assert beats > 1
    with pytest.raises(Unavailable) as failed:
        await asking
    assert failed.value.retry_after >= 1
    assert look_up is owners.look_up(TOKEN)
    assert eventually(_asking_threads, lambda left: left == 0, within=30) == 0


def _asking_threads() -> int:
    return sum(thread.name == "agent-feedback-identity" for thread in threading.enumerate())


async def test_an_answer_that_comes_late_is_kept(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is told to come back, and who comes back gets it without another look-up."""
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
    workspace.delay_seconds = 0.7  # two questions: the host's metadata, and whose token it is
    owners = TokenOwners()
    with pytest.raises(Unavailable):
        await owners.resolve(TOKEN)

    def in_cache() -> bool:
        return owners.look_up(TOKEN).exception() is None

    assert eventually(in_cache, bool, within=30)
    assert await owners.resolve(TOKEN) == ANN
    assert len(workspace.look_ups()) == 1


@pytest.mark.parametrize(("away", "error"), [(True, Unavailable), (False, IdentityRefused)])
async def test_a_failure_is_kept_for_a_moment_only(
    workspace: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    away: bool,
    error: type[Exception],
) -> None:
    """A failed look-up is not repeated at once, and is repeated some seconds later."""
    clock = Clock(monkeypatch)
    workspace.away = away
    workspace.users.clear()
    owners = TokenOwners()
    with monkeypatch.context() as patch:
        if away:  # the SDK tries again until the deadline
            patch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
        assert isinstance(owners.look_up(TOKEN).exception(timeout=60), error)
    asked = len(workspace.look_ups())
    for _ in range(3):
        with pytest.raises(error):
            await owners.resolve(TOKEN)
    assert len(workspace.look_ups()) == asked
    workspace.away = False
    workspace.users[SECRET] = "ann@example.com"
    clock.seconds += token_owners._KEEP_FAILURE_SECONDS + 0.1
    assert await owners.resolve(TOKEN) == ANN


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_what_the_workspace_refuses_is_refused(workspace: FakeWorkspace, status: int) -> None:
    """Expired, unknown and malformed tokens are refused, whichever way the workspace says so."""
    workspace.refuses_with = status
    with pytest.raises(IdentityRefused):
        await TokenOwners().resolve(AccessToken("expired"))


async def test_a_machines_token_is_no_person(workspace: FakeWorkspace) -> None:
    """Another app's own token names nobody; its name is an application's id."""
    workspace.service_principals["app"] = "0A1B2C3D-0000-4444-8888-0123456789AB"
    assert await TokenOwners().resolve(AccessToken("app")) == Identity(how="obo")


async def test_a_workspace_that_is_not_configured_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a host, tokens cannot be resolved; the log says so once a minute, by kind alone."""
    clock = Clock(monkeypatch)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "/nonexistent")
    owners = TokenOwners()
    for secret in ("a-s3cret", "b-s3cret"):
        with pytest.raises(Unavailable):
            await owners.resolve(AccessToken(secret))
    clock.seconds += 61
    with pytest.raises(Unavailable):
        await owners.resolve(AccessToken("c-s3cret"))
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("agent_feedback")]
    assert len(ours) == 2
    assert "s3cret" not in "".join(ours)


async def test_the_token_is_in_no_log_and_no_error(
    workspace: FakeWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    """No log, the SDK's own included, no error and no state of the owners holds the token."""
    caplog.set_level(logging.DEBUG)
    owners = TokenOwners()
    workspace.users.clear()
    with pytest.raises(IdentityRefused) as failed:
        await owners.resolve(TOKEN)
    told = [repr(TOKEN), str(TOKEN), repr(failed.value), repr(owners._answers), caplog.text]
    assert not any(SECRET in each for each in told)
    assert SECRET.encode() not in pickle.dumps(list(owners._answers))


async def test_a_flood_of_tokens_is_bounded(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a few look-ups at once, tokens are refused for now: no threads, nothing remembered."""
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 5.0)
    workspace.delay_seconds = 1.5
    before = threading.active_count()
    owners = TokenOwners()
    look_ups = [owners.look_up(AccessToken(f"token-{i}")) for i in range(200)]
    assert threading.active_count() - before <= 20
    assert isinstance(look_ups[-1].exception(timeout=0), Unavailable)
    assert len(owners._answers) == 8
    assert eventually(_asking_threads, lambda left: left == 0, within=60) == 0
    assert await owners.resolve(TOKEN) == ANN


@pytest.mark.parametrize("host", ["", "https://workspace.invalid"])
def test_only_an_app_with_a_workspace_imports_its_sdk(host: str) -> None:
    """The import takes most of what the first person may wait, and nearly half of a start."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("DATABRICKS_")}
    program = (
        "import sys; from agent_feedback.identity.token_owners import TokenOwners;"
        " TokenOwners(); print('agent_feedback.identity.workspace' in sys.modules)"
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", program],
        env=kept | ({"DATABRICKS_HOST": host} if host else {}),
        text=True,
    )
    assert printed.split()[-1] == str(bool(host))
