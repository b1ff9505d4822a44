"""Access tokens on Databricks Apps, against a FAKE workspace: other apps' tokens and dead ones."""

from tests.security.attack import Effect, Table, thumb
from tests.security.attacked_app import APPLICATION, AttackedApp, RatedAnswer, machine, person
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import ANN

attack = Table()
TOKEN = "X-Forwarded-Access-Token"


def fill(workspace: FakeWorkspace) -> None:
    """Let the workspace know Ann's token and another app's."""
    workspace.users["anns-token"] = "Ann@Example.com"
    workspace.service_principals["apps-token"] = APPLICATION


@attack("another app's bearer token", "nobody; 403")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """The caller's own `Authorization` header, with its own token and even with Ann's."""
    for token in ("apps-token", "anns-token"):
        assert app.rate([*machine(), ("Authorization", f"Bearer {token}")], target.trace_id) == 403
    assert app.rate([*machine(), (TOKEN, "apps-token")], target.trace_id) == 403


@attack("expired and malformed tokens", "401, never anonymous")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """They rate Ann's answer and one that nobody asked, which anonymous people may rate."""
    nobodys = app.ask([])["trace_id"]
    for token in ("expired-token", "not a token", "anns-token,apps-token", "x" * 9000):
        for trace_id in (target.trace_id, nobodys):
            assert app.rate([*machine(), (TOKEN, token)], trace_id) == 401
    assert app.rate_raw([(TOKEN, "anns-token"), (TOKEN, "anns-token")], nobodys) == 400


@attack("asking with a token that cannot be resolved", "asked by an unknown person; 403 to all")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """The turn is nobody's, not even anonymous: neither Ann nor nobody may rate it. With a token
    that can be resolved it is Ann's."""
    unknown = app.ask([*machine(), (TOKEN, "expired-token")])["trace_id"]
    for headers in ([], machine(), person(ANN), [(TOKEN, "anns-token")]):
        assert app.rate(headers, unknown) == 403
    anns = app.ask([(TOKEN, "anns-token")])["trace_id"]
    assert app.rate([], anns) == 403
    assert app.rate([(TOKEN, "anns-token")], anns) == 201
    return Effect(new=(thumb(anns, ANN, False),))
