"""Who is asking, decided from headers alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_feedback import IdentityMalformed, IdentityRefused, Settings
from agent_feedback.identity.headers import AccessToken, Decision, decide, is_person, normalise
from agent_feedback.model import Identity

Headers = list[tuple[str, str | bytes]]

APP_USER = "x-app-user-email"
PROXY = "x-forwarded-user"
EMAIL = "x-forwarded-email"
NAME = "x-forwarded-preferred-username"
TOKEN = "x-forwarded-access-token"
PRINCIPAL = "7930379096663871@7474643929653491"
APPLICATION = "0a1b2c3d-0000-4444-8888-0123456789ab"

ANN, BOB = "ann@example.com", "bob@example.com"
NOBODY = Identity()


def by(how: str, user_id: str = ANN) -> Identity:
    """A person, and the header that proved it."""
    return Identity(user_id, how, is_human=True)


def decided(headers: Headers, *, on_databricks_apps: bool = False, **chosen: Any) -> Decision:
    """Decide as an application with these settings does."""
    raw = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    return decide(raw, Settings(**chosen), on_databricks_apps=on_databricks_apps)


CASES: dict[str, tuple[Headers, dict[str, Any], Identity | AccessToken]] = {
    "nothing": ([], {}, NOBODY),
    "e-mail": ([(EMAIL, ANN)], {}, by(EMAIL)),
    "e-mail in another case": ([("X-Forwarded-Email", " Ann@Example.COM ")], {}, by(EMAIL)),
    "e-mail before user name": ([(NAME, "bob"), (EMAIL, ANN)], {}, by(EMAIL)),
    "user name keeps its case": ([(NAME, "Ann")], {}, by(NAME, "Ann")),
    "empty e-mail is none": ([(EMAIL, ""), (NAME, "ann")], {}, by(NAME, "ann")),
    "blank e-mail is none": ([(EMAIL, "  ")], {}, NOBODY),
    "e-mail before token": ([(TOKEN, "t"), (EMAIL, ANN)], {}, by(EMAIL)),
    "token alone": ([(TOKEN, "t")], {}, AccessToken("t")),
    "empty token": ([(TOKEN, "")], {}, NOBODY),
    "the proxy's name proves nobody": ([(PROXY, ANN)], {}, NOBODY),
    "unicode name": ([(NAME, "Zoë")], {}, by(NAME, "Zoë")),
    "order of the settings": (
        [(EMAIL, ANN), (NAME, "ann")],
        {"user_id_source": (NAME, EMAIL)},
        by(NAME, "ann"),
    ),
    "another proxy's header": (
        [(EMAIL, ANN), ("x-goog-user", BOB)],
        {"user_id_source": ("X-Goog-User",)},
        by("x-goog-user", BOB),
    ),
    "token before e-mail": (
        [(EMAIL, ANN), (TOKEN, "t")],
        {"user_id_source": ("obo", EMAIL)},
        AccessToken("t"),
    ),
    "nobody at all": ([(EMAIL, ANN), (TOKEN, "t")], {"user_id_source": ("none",)}, NOBODY),
    "a header called none": ([("none", ANN)], {"user_id_source": ("none",)}, NOBODY),
    "a header called obo": ([("obo", ANN)], {}, NOBODY),
    "service principal's id": ([(NAME, PRINCIPAL)], {}, Identity(how=NAME)),
    "service principal's application": ([(NAME, APPLICATION)], {}, Identity(how=NAME)),
}


@pytest.mark.parametrize(("headers", "chosen", "who"), CASES.values(), ids=CASES.keys())
def test_the_headers_say_who_asks(
    headers: Headers, chosen: dict[str, Any], who: Identity | AccessToken
) -> None:
    """The first source of the settings' order that names somebody decides."""
    assert decided(headers, **chosen) == Decision(who)


CLAIMS: dict[str, tuple[Headers, tuple[str, ...], Decision]] = {
    "no proxy is trusted": (
        [(APP_USER, BOB), (PROXY, "1@2"), (EMAIL, ANN)],
        (),
        Decision(by(EMAIL), ignored_claim=True),
    ),
    "trusted by its exact name": (
        [(APP_USER, BOB), (PROXY, "1@2"), (EMAIL, ANN)],
        ("3@4", "1@2"),
        Decision(by(APP_USER, BOB)),
    ),
    "another proxy": (
        [(APP_USER, BOB), (PROXY, "1@20")],
        ("1@2",),
        Decision(NOBODY, ignored_claim=True),
    ),
    "no proxy in between": ([(APP_USER, BOB)], ("1@2",), Decision(NOBODY, ignored_claim=True)),
    "an empty proxy": (
        [(APP_USER, BOB), (PROXY, "")],
        ("1@2",),
        Decision(NOBODY, ignored_claim=True),
    ),
    "everybody is believed": (
        [(APP_USER, BOB), (EMAIL, ANN)],
        ("*",),
        Decision(by(APP_USER, BOB)),
    ),
    "an empty claim is none": ([(APP_USER, ""), (EMAIL, ANN)], ("*",), Decision(by(EMAIL))),
    "a proxy speaks for no machine": (
        [(APP_USER, PRINCIPAL)],
        ("*",),
        Decision(Identity(how=APP_USER)),
    ),
}


@pytest.mark.parametrize(("headers", "trusted", "decision"), CLAIMS.values(), ids=CLAIMS.keys())
def test_only_a_trusted_proxy_speaks_for_its_user(
    headers: Headers, trusted: tuple[str, ...], decision: Decision
) -> None:
    """Anybody can type x-app-user-email: it counts from proxies that the settings name."""
    assert decided(headers, trusted_proxies=trusted) == decision


@pytest.mark.parametrize("trusted", ["1@2", "*"])
def test_without_a_source_no_trusted_proxy_is_believed(trusted: str) -> None:
    """Where callers can reach the app directly, they can type a trusted proxy's name as well."""
    headers: Headers = [(APP_USER, BOB), (PROXY, "1@2"), (EMAIL, ANN)]
    found = decided(headers, user_id_source=("none",), trusted_proxies=(trusted,))
    assert found == Decision(NOBODY)


@pytest.mark.parametrize("token", ["two words", "a,b", "tab\tbed", "zoë", "x" * 8193, "nul\x00"])
def test_a_malformed_token_is_refused_without_asking_the_workspace(token: str) -> None:
    """No workspace is asked, and the refusal does not repeat it."""
    with pytest.raises(IdentityRefused) as refused:
        decided([(TOKEN, token)])
    assert token not in str(refused.value)


@pytest.mark.parametrize("name", ["authorization", "x_forwarded_email", "forwarded", "cookie"])
def test_no_other_header_names_a_person(name: str) -> None:
    """Neither another app's bearer token nor a header that only looks like one of these."""
    assert decided([(name, f"Bearer {ANN}")]) == Decision(NOBODY)
    assert decided([(name, ANN)], on_databricks_apps=True) == Decision(NOBODY)


def test_a_wildcard_in_the_header_is_not_trusted() -> None:
    """A caller who calls himself the wildcard is not every proxy."""
    found = decided([(APP_USER, BOB), (PROXY, "*")], trusted_proxies=("1@2",))
    assert found == Decision(NOBODY, ignored_claim=True)


ON_APPS: dict[str, tuple[Headers, dict[str, Any], Identity | AccessToken]] = {
    "e-mail": ([(EMAIL, ANN), (NAME, "ann"), (TOKEN, "t")], {}, by(EMAIL)),
    "only a token": ([(NAME, "ann"), (TOKEN, "t")], {}, AccessToken("t")),
    "neither": ([(NAME, "ann")], {}, NOBODY),
    "a principal": ([(NAME, PRINCIPAL), (PROXY, PRINCIPAL)], {}, NOBODY),
    "written otherwise": (
        [(NAME, "ann")],
        {"user_id_source": ("X-Forwarded-Email", NAME)},
        NOBODY,
    ),
    "a custom order": ([(NAME, "ann")], {"user_id_source": (NAME,)}, by(NAME, "ann")),
}


@pytest.mark.parametrize(("headers", "chosen", "who"), ON_APPS.values(), ids=ON_APPS.keys())
def test_on_databricks_apps_without_an_email_only_a_token_speaks(
    headers: Headers, chosen: dict[str, Any], who: Identity | AccessToken
) -> None:
    """A machine's request has a user name there, but no e-mail: it is nobody."""
    assert decided(headers, on_databricks_apps=True, **chosen) == Decision(who)


@pytest.mark.parametrize("name", [APP_USER, PROXY, EMAIL, NAME, TOKEN])
def test_an_identity_header_that_occurs_twice_is_refused(name: str) -> None:
    """A second copy, even an equal or empty one, is somebody's attempt to be two people."""
    for second in (ANN, ""):
        with pytest.raises(IdentityMalformed):
            decided([(name, ANN), ("accept", "*/*"), (name.title(), second)])


def test_other_headers_may_occur_twice() -> None:
    """Only headers that name the user must occur once."""
    found = decided([("accept", "a"), ("accept", "b"), ("x-goog-user", BOB), ("x-goog-user", BOB)])
    assert found == Decision(NOBODY)


@pytest.mark.parametrize(
    "value",
    [
        b"\xff@example.com",
        "ann\x00@example.com",
        "ann\r\n@example.com",
        "ann\x7f",
        "ann\u202eexample.com",
        "ann\u200b@example.com",
        "ann\x1f",
        "\x85ann",
        "ann\u2028@example.com",
        "\N{KELVIN SIGN}ate@example.com",
        f"{ANN}, {BOB}",
        "İ" * 249 + "@",
        "x" * 251,
        "x" * 250 + "@",
    ],
    ids=range(14),
)
def test_a_value_that_can_be_no_name_is_refused(value: str | bytes) -> None:
    """Control and invisible characters, other encodings and over-long names are no identity."""
    with pytest.raises(IdentityMalformed) as refused:
        decided([(EMAIL, value)])
    assert "example" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (" Ann@Example.com ", "ann@example.com"),
        ("Ann", "Ann"),
        ("x" * 250, "x" * 250),
        ("Zoe\N{COMBINING DIAERESIS}", "Zoë"),
        ("İ@example.com", "i̇@example.com"),
        ("Doe, Ann", "Doe, Ann"),
        ("", ""),
    ],
)
def test_names_are_kept_in_one_form(written: str, name: str) -> None:
    """The same person is the same key, and only e-mail addresses lose their case."""
    assert normalise(written) == name


@pytest.mark.parametrize(
    ("user_id", "person"),
    [(ANN, True), ("ann", True), ("12345", True), (PRINCIPAL, False), (APPLICATION.upper(), False)],
)
def test_a_machine_is_no_person(user_id: str, person: bool) -> None:
    """A service principal's opaque ids do not rate."""
    assert is_person(user_id) is person


def test_a_token_is_never_shown() -> None:
    """Neither the token nor a decision that holds it repeats it when printed."""
    decision = decided([(TOKEN, "s3cret")])
    assert "s3cret" not in f"{decision} {decision.who!r} {decision.who}"


HEADER = st.tuples(
    st.sampled_from([APP_USER, PROXY, EMAIL, NAME, TOKEN, "accept"]), st.binary(max_size=40)
)


@given(st.lists(HEADER, max_size=5), st.booleans())
def test_any_headers_are_decided(
    headers: list[tuple[str, bytes]], on_databricks_apps: bool
) -> None:
    """Whatever is sent, the answer is a person, nobody, a token, or a refusal."""
    try:
        who = decided([*headers], on_databricks_apps=on_databricks_apps).who
    except (IdentityMalformed, IdentityRefused):
        return
    assert isinstance(who, AccessToken) or who.user_id
