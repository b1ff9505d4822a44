"""Access tokens on Databricks Apps, against a FAKE workspace: other apps' tokens and dead ones."""

from tests.security.attack import Leaves, Table, thumb
from tests.security.world import APPLICATION, Scene, World, machine, person
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import ANN

attack = Table()
TOKEN = "X-Forwarded-Access-Token"


def fill(workspace: FakeWorkspace) -> None:
    """Let the workspace know Ann's token and another app's."""
    workspace.users["anns-token"] = "Ann@Example.com"
    workspace.service_principals["apps-token"] = APPLICATION


@attack("another app's bearer token", "nobody; 403")
def _(world: World, scene: Scene) -> None:
    """The caller's own `Authorization` header, with its own token and even with Ann's."""
    for token in ("apps-token", "anns-token"):
        assert world.rate([*machine(), ("Authorization", f"Bearer {token}")], scene.trace_id) == 403
    assert world.rate([*machine(), (TOKEN, "apps-token")], scene.trace_id) == 403


@attack("expired and malformed tokens", "401, never anonymous")
def _(world: World, scene: Scene) -> None:
    """They rate Ann's answer and one that nobody asked, which anonymous people may rate."""
    nobodys = world.ask([])["trace_id"]
    for token in ("expired-token", "not a token", "anns-token,apps-token", "x" * 9000):
        for trace_id in (scene.trace_id, nobodys):
            assert world.rate([*machine(), (TOKEN, token)], trace_id) == 401
    assert world.rate_raw([(TOKEN, "anns-token"), (TOKEN, "anns-token")], nobodys) == 400


@attack("asking with a token that cannot be resolved", "asked by an unknown person; 403 to all")
def _(world: World, scene: Scene) -> Leaves:
    """The turn is nobody's, not even anonymous: neither Ann nor nobody may rate it. With a token
    that can be resolved it is Ann's."""
    unknown = world.ask([*machine(), (TOKEN, "expired-token")])["trace_id"]
    for headers in ([], machine(), person(ANN), [(TOKEN, "anns-token")]):
        assert world.rate(headers, unknown) == 403
    anns = world.ask([(TOKEN, "anns-token")])["trace_id"]
    assert world.rate([], anns) == 403
    assert world.rate([(TOKEN, "anns-token")], anns) == 201
    return Leaves(new=(thumb(anns, ANN, False),))
