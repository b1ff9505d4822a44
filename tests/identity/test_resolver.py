"""Who sends a request, tokens included."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from agent_feedback import FeedbackError, IdentityRefused, IdentityRequired, Settings, Unavailable
from agent_feedback.guard import Guard
from agent_feedback.identity import token_owners
from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.model import Identity
from tests.support.fake_workspace import FakeWorkspace

ANN = "ann@example.com"
TOKEN = [(b"x-forwarded-access-token", b"good")]


def resolver(*, on_databricks_apps: bool = True, **chosen: object) -> IdentityResolver:
    """Build what an application on Databricks Apps would have."""
    return IdentityResolver(
        Settings(**chosen),  # type: ignore[arg-type]
        Guard(),
        on_databricks_apps=on_databricks_apps,
    )


@pytest.fixture
def workspace(fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Point the SDK at a FAKE workspace, with the app's own credentials set as Apps set them."""
    monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "0a1b2c3d-0000-4444-8888-0123456789ab")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-secret")
    fake_workspace.users["good"] = "Ann@Example.com"
    return fake_workspace


async def test_a_token_is_its_owner(workspace: FakeWorkspace) -> None:
    """The user's token is asked about, not the app's own credentials, and names the person."""
    assert await resolver().resolve(TOKEN) == Identity(ANN, "obo", is_human=True)
    assert [seen.token for seen in workspace.look_ups()] == ["good"]


def test_a_turn_does_not_wait_for_its_look_up(workspace: FakeWorkspace) -> None:
    """For a turn the look-up is a future, and for a header there is nothing to look up."""
    begun = resolver().start(TOKEN)
    assert isinstance(begun, Future)
    assert begun.result(60) == Identity(ANN, "obo", is_human=True)
    header = [(b"x-forwarded-email", ANN.encode())]
    assert resolver().start(header) == Identity(ANN, "x-forwarded-email", is_human=True)


def _goes_away(workspace: FakeWorkspace) -> None:
    workspace.away = True


def _refuses(workspace: FakeWorkspace) -> None:
    workspace.users.clear()


@pytest.mark.parametrize(
    ("happens", "error"), [(_goes_away, Unavailable), (_refuses, IdentityRefused)]
)
async def test_a_token_that_proves_nothing_is_never_anonymous(
    workspace: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[FakeWorkspace], None],
    error: type[FeedbackError],
) -> None:
    """A refused token and a workspace that is away are errors of their own."""
    monkeypatch.setattr(token_owners, "DEADLINE_SECONDS", 1.0)
    happens(workspace)
    with pytest.raises(error) as failed:
        await resolver().resolve(TOKEN)
    assert "good" not in str(failed.value)


async def test_an_apps_own_token_is_no_person(workspace: FakeWorkspace) -> None:
    """A service principal is nobody, and refused where somebody is required."""
    workspace.service_principals["good"] = "0a1b2c3d-0000-4444-8888-0123456789ab"
    workspace.users.clear()
    assert await resolver().resolve(TOKEN) == Identity(how="obo")
    with pytest.raises(IdentityRequired):
        await resolver(require_user=True).resolve(TOKEN)


@pytest.mark.parametrize("headers", [[], [(b"x-forwarded-email", b"Anonymous")]])
async def test_nobody_is_refused_where_a_person_is_required(
    headers: list[tuple[bytes, bytes]],
) -> None:
    """Neither silence nor the name of nobody is a person."""
    with pytest.raises(IdentityRequired):
        await resolver(on_databricks_apps=False, require_user=True).resolve(headers)


async def test_an_ignored_claim_is_explained_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log says once how to trust a proxy, and does not repeat whom the caller claimed."""
    asked = resolver(on_databricks_apps=False)
    for _ in range(2):
        who = await asked.resolve([(b"x-app-user-email", b"bob@example.com")])
        assert who.is_anonymous
    assert len(caplog.records) == 1
    assert "AGENT_FEEDBACK_TRUSTED_PROXIES" in caplog.text
    assert "bob" not in caplog.text
