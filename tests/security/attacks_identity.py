"""Speaking for someone else: forged, doubled and smuggled headers, and other apps' tokens."""

from tests.security.attack import Effect, Table, thumb
from tests.security.attacked_app import (
    PRINCIPAL,
    AttackedApp,
    Headers,
    RatedAnswer,
    machine,
    person,
    post,
)
from tests.support.rating import ANN, BOB

attack = Table()


@attack("forged `x-app-user-email`, by a person", "ignored; 403")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Bob is signed in and types Ann's address into the header."""
    for address in (ANN, ANN.upper(), f" {ANN}"):
        claim = [*person(BOB), ("X-App-User-Email", address)]
        assert app.rate_raw(claim, target.trace_id) == 403


@attack(
    "forged `x-app-user-email`, by an unlisted app", "ignored; 403", trusted_proxies=("1@1", "2@2")
)
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """An app that `trusted_proxies` does not name claims to speak for Ann."""
    claim = [*machine(), ("X-App-User-Email", ANN)]
    assert app.rate(claim, target.trace_id) == 403


@attack(
    "`x-app-user-email`, by a listed app",
    "believed, as configured: for its user only",
    trusted_proxies=(PRINCIPAL,),
)
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """The app that `trusted_proxies` names rates for Ann, for Bob, and for nobody."""
    assert app.rate(machine(), target.trace_id) == 403
    assert app.rate([*machine(), ("X-App-User-Email", BOB)], target.trace_id) == 403
    assert app.rate([*machine(), ("X-App-User-Email", ANN)], target.trace_id) == 200
    # And a person who types the app's name meets the platform's own copy of that header.
    doubled = [("X-Forwarded-User", PRINCIPAL), *person(BOB), ("X-App-User-Email", ANN)]
    assert app.raw(post(doubled, {"trace_id": target.trace_id, "value": True}))[0][0] == 400
    return Effect(changed={target.anns_id: thumb(target.trace_id, ANN, False)})


@attack("forged `x-forwarded-email`, behind a proxy that sets its own", "400")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Bob types Ann's address; the proxy adds Bob's beside it, before or after, or folds both."""
    body = {"trace_id": target.trace_id, "value": False}
    forged = [("x-forwarded-email", ANN)]
    for headers in (forged + person(BOB), person(BOB) + forged, person(ANN) + forged):
        assert app.raw(post(headers, body))[0][0] == 400
    for folded in (f"{ANN}, {BOB}", f"{BOB},{ANN}"):
        assert app.rate([("X-Forwarded-Email", folded)], target.trace_id) == 400


@attack("forged `x-forwarded-email`, nothing in front of the app", "believed: the host's duty")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Bob reaches the app directly and types Ann's address. A proxy must strip these headers."""
    assert app.rate([("X-Forwarded-Email", ANN)], target.trace_id) == 200
    return Effect(changed={target.anns_id: thumb(target.trace_id, ANN, False)})


@attack("the same with `user_id_source=none`", "anonymous, never Ann", user_id_source=("none",))
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Every header is Ann's, a trusted proxy's name included. The rating is nobody's."""
    claim = [*person(ANN), ("X-App-User-Email", ANN), ("X-Forwarded-Access-Token", "anns-token")]
    trace_id = app.ask(claim)["trace_id"]
    assert app.rate(claim, trace_id) == 201
    return Effect(new=(thumb(trace_id, "anonymous", False),))


@attack("doubled headers in odd case", "400")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """`X-FORWARDED-EMAIL` and `x-forwarded-email`, equal, different and empty, on a raw socket."""
    body = {"trace_id": target.trace_id, "value": False}
    for name in ("X-Forwarded-Email", "X-Forwarded-User", "X-App-User-Email"):
        for second in (ANN, BOB, ""):
            headers = [(name.upper(), ANN), ("Accept", "*/*"), (name.lower(), second)]
            assert [status for status, _ in app.raw(post(headers, body))] == [400]
    token = ("X-Forwarded-Access-Token", "t")
    assert app.raw(post([token, token], body))[0][0] == 400


@attack("header names that only look alike", "nobody; 403")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Underscores, a folded line, a blank before the colon, a trailer after a chunked body."""
    body = {"trace_id": target.trace_id, "value": False}
    alike = [
        [f"X_Forwarded_Email: {ANN}"],
        ["X-Other: 1", f" X-Forwarded-Email: {ANN}"],
        [f"X-Forwarded-Email : {ANN}"],
        [f"X-Forwarded-Emai\u00b1: {ANN}"],
        [f"Forwarded: for={ANN}", f"X-Auth-Request-Email: {ANN}", f"From: {ANN}"],
    ]
    for lines in alike:
        ((status, _),) = app.raw(post([], body, lines=lines))
        assert status in (400, 403), lines
    assert [status for status, _ in app.raw(_with_trailer(target))] == [403]


def _with_trailer(target: RatedAnswer) -> bytes:
    body = f'{{"trace_id": "{target.trace_id}", "value": false}}'
    return (
        "POST /feedback HTTP/1.1\r\nHost: app.example.com\r\nContent-Type: application/json\r\n"
        f"Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-Email\r\n\r\n"
        f"{len(body):x}\r\n{body}\r\n0\r\nX-Forwarded-Email: {ANN}\r\n\r\n"
    ).encode()


@attack("two identities in one keep-alive connection", "each request is its own sender's")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Bob, Ann, nobody and Bob again, pipelined through one connection as proxies share them."""
    body = {"trace_id": target.trace_id, "value": False}
    nobody: Headers = []
    senders = (person(BOB), person(ANN), nobody, person(BOB))
    answers = app.raw(*(post(headers, body) for headers in senders))
    assert [status for status, _ in answers] == [403, 200, 403, 403]
    return Effect(changed={target.anns_id: thumb(target.trace_id, ANN, False)})


@attack("names that become another's", "400")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Control and invisible characters in Ann's address, and letters that turn into hers when
    they are lowered or composed."""
    kate = "kate@example.com"
    trace_id = app.ask(person(kate))["trace_id"]
    names = ["\u212aate@example.com", f"{kate}\x1f", f"\x0b{kate}", f"{kate}\x85", f"\u200b{kate}"]
    for name in names:
        assert app.rate_raw([("X-Forwarded-Email", name)], trace_id) == 400, name
    # Other letters are other people.
    assert app.rate_raw([("X-Forwarded-Email", "k\u00e4te@example.com")], trace_id) == 403


@attack("the name of nobody", "nobody; 403")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """A person who is called `anonymous`, `Default` or like a service principal rates for Ann."""
    for name in ("anonymous", "ANONYMOUS", "Default", PRINCIPAL):
        for header in ("X-Forwarded-Email", "X-Forwarded-Preferred-Username"):
            assert app.rate([(header, name)], target.trace_id) == 403


@attack("a person named in the request's body", "unverified; never owns or rates")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Bob asks with `context.user_id` Ann, and rates: both are Bob's. Ann may not rate it."""
    context = {"user_id": ANN, "conversation_id": "c-1"}
    trace_id = app.ask(person(BOB), context=context)["trace_id"]
    assert app.rate(person(ANN), trace_id) == 403
    anonymously = app.ask([], context=context)["trace_id"]
    for claim in ({"user_id": ANN}, {"context": context}, {"source": ANN}):
        assert app.rate(person(BOB), trace_id, **claim) == 422
        assert app.rate([], anonymously, **claim) == 422
    assert app.rate(person(BOB), trace_id) == 201
    assert app.rate([], anonymously) == 201
    metadata = app.tracking.trace(anonymously).info.trace_metadata
    assert metadata["mlflow.trace.user"] == ANN
    assert metadata["agent_feedback.user_verified"] == "false"
    assert metadata["agent_feedback.asker"] == "anonymous"
    return Effect(new=(thumb(trace_id, BOB, False), thumb(anonymously, "anonymous", False)))
