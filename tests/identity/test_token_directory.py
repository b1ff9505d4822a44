"""Whose token it is: cached, shared, bounded, and never told."""

import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_feedback import IdentityRefused, Unavailable
from agent_feedback.identity import token_directory
from agent_feedback.identity.headers import AccessToken
from agent_feedback.identity.token_directory import DEADLINE_SECONDS, TokenDirectory
from agent_feedback.model import Identity
from tests.support.fake_workspace import FakeWorkspace

SECRET = "dapi-s3cret"
TOKEN = AccessToken(SECRET)
ANN = Identity("ann@example.com", "obo", is_human=True)


@pytest.fixture
def workspace(fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Point the SDK at a FAKE workspace that knows one person."""
    monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
    fake_workspace.users[SECRET] = "ann@example.com"
    return fake_workspace


def test_concurrent_requests_share_one_look_up(workspace: FakeWorkspace) -> None:
    """Twenty requests with one token ask the workspace once, and all get the answer."""
    workspace.delay_seconds = 0.2
    directory = TokenDirectory()
    with ThreadPoolExecutor(20) as pool:
        people = list(pool.map(lambda _: directory.resolve(TOKEN), range(20)))
    assert people == [ANN] * 20
    assert len(workspace.look_ups()) == 1


def test_an_answer_is_kept_and_expires(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is asked about once while its answer is fresh, and again afterwards."""
    directory = TokenDirectory()
    assert [directory.resolve(TOKEN) for _ in range(3)] == [ANN] * 3
    assert len(workspace.look_ups()) == 1
    monkeypatch.setattr(token_directory, "_KEEP_SECONDS", 0.0)
    expired = TokenDirectory()
    assert [expired.resolve(TOKEN) for _ in range(2)] == [ANN] * 2
    assert len(workspace.look_ups()) == 3


def test_tokens_are_told_apart(workspace: FakeWorkspace) -> None:
    """Each token has its own owner."""
    workspace.users["other"] = "bob@example.com"
    directory = TokenDirectory()
    assert directory.resolve(TOKEN) == ANN
    assert directory.resolve(AccessToken("other")).user_id == "bob@example.com"


def test_a_slow_workspace_costs_no_more_than_the_deadline(workspace: FakeWorkspace) -> None:
    """Nobody waits longer than the deadline, and the future itself never blocks."""
    workspace.delay_seconds = 2.5
    directory = TokenDirectory()
    begun = time.monotonic()
    look_up = directory.look_up(TOKEN)
    assert time.monotonic() - begun < 0.2
    with pytest.raises(Unavailable) as failed:
        directory.resolve(TOKEN)
    assert time.monotonic() - begun < DEADLINE_SECONDS + 1.0
    assert failed.value.retry_after >= 1
    assert look_up is directory.look_up(TOKEN)


@pytest.mark.parametrize(("away", "error"), [(True, Unavailable), (False, IdentityRefused)])
def test_a_failure_is_kept_for_a_moment_only(
    workspace: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    away: bool,
    error: type[Exception],
) -> None:
    """A failed look-up is not repeated at once, and is repeated soon."""
    monkeypatch.setattr(token_directory, "_KEEP_FAILURE_SECONDS", 0.5)
    monkeypatch.setattr(token_directory, "DEADLINE_SECONDS", 1.0)
    workspace.away = away
    workspace.users.clear()
    directory = TokenDirectory()
    assert isinstance(directory.look_up(TOKEN).exception(timeout=10), error)
    asked = len(workspace.requests)
    for _ in range(3):
        with pytest.raises(error):
            directory.resolve(TOKEN)
    assert len(workspace.requests) == asked
    workspace.away = False
    workspace.users[SECRET] = "ann@example.com"
    time.sleep(0.6)
    assert directory.resolve(TOKEN) == ANN


def test_the_token_is_told_to_nobody(
    workspace: FakeWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    """No log of ours, no error and no state of the directory holds the token."""
    caplog.set_level(logging.DEBUG, logger="agent_feedback")
    directory = TokenDirectory()
    workspace.users.clear()
    with pytest.raises(IdentityRefused) as failed:
        directory.resolve(TOKEN)
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("agent_feedback")]
    told = [repr(TOKEN), str(TOKEN), repr(failed.value), repr(directory._answers), *ours]
    assert not any(SECRET in each for each in told)
    assert SECRET.encode() not in pickle.dumps(list(directory._answers))


def test_a_flood_of_tokens_is_bounded(workspace: FakeWorkspace) -> None:
    """Beyond a few look-ups at once, tokens are refused for now instead of making threads."""
    workspace.delay_seconds = 0.5
    before = threading.active_count()
    directory = TokenDirectory()
    look_ups = [directory.look_up(AccessToken(f"token-{i}")) for i in range(200)]
    assert threading.active_count() - before <= 20
    assert isinstance(look_ups[-1].exception(timeout=1), Unavailable)
