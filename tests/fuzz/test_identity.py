"""How a request's user is decided, whatever its headers."""

import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent_feedback import Settings
from agent_feedback.errors import FeedbackError, IdentityMalformed, IdentityRefused
from agent_feedback.identity.headers import (
    ACCESS_TOKEN,
    APP_USER,
    EMAIL,
    PROXY,
    AccessToken,
    decide,
    is_person,
    normalise,
)
from agent_feedback.model import ANONYMOUS
from tests.fuzz.texts import SECRET, any_text, attempt, long_text

RawHeaders = list[tuple[bytes, bytes]]

PREFERRED = "x-forwarded-preferred-username"
NAMES = (APP_USER, PROXY, EMAIL, PREFERRED, ACCESS_TOKEN)
PROXIES = ("proxy-1", "7930379096663871@7474643929653491")

odd_case = st.sampled_from(NAMES).flatmap(
    lambda name: st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda ups: "".join(c.upper() if up else c for c, up in zip(name, ups, strict=True))
    )
)
usual_values = st.sampled_from(
    [
        "ann@example.com",
        " Bob@Example.COM ",
        "ann",
        "",
        " ",
        ANONYMOUS,
        "Anonymous",
        *PROXIES,
        SECRET,
    ]
)
values = st.one_of(
    usual_values.map(str.encode),
    st.one_of(any_text, long_text).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=300),
)
headers: st.SearchStrategy[RawHeaders] = st.lists(
    st.tuples(
        st.one_of(odd_case.map(str.encode), st.just(b"cookie"), st.binary(max_size=30)), values
    ),
    max_size=6,
)
configured = st.builds(
    Settings,
    user_id_source=st.sampled_from(
        [(EMAIL, PREFERRED, "obo"), ("obo", EMAIL), ("none",), ("X-Auth-User", "obo"), ("obo",)]
    ),
    trusted_proxies=st.sampled_from([(), PROXIES[:1], PROXIES, ("*",)]),
)


def decided(raw: RawHeaders, settings: Settings, on_apps: bool) -> Any:
    """Decide, or give what kind of refusal it is."""
    found = attempt(lambda: decide(raw, settings, on_databricks_apps=on_apps))
    return type(found) if isinstance(found, FeedbackError) else found.who


def values_of(raw: RawHeaders, name: str) -> list[bytes]:
    """The values that a header has."""
    return [value for each, value in raw if each.lower() == name.lower().encode()]


@given(headers, configured, st.booleans())
def test_a_person_is_whom_a_believed_header_names(
    raw: RawHeaders, settings: Settings, on_apps: bool
) -> None:
    """Nobody becomes a person whom no header names that the settings believe."""
    who = decided(raw, settings, on_apps)
    if isinstance(who, AccessToken):
        assert "obo" in settings.user_id_source
        assert [each.decode().strip(" \t") for each in values_of(raw, ACCESS_TOKEN)] == [who.secret]
        assert who.secret not in repr(who)
    elif not isinstance(who, type) and who.is_human:
        (named,) = values_of(raw, who.how)
        assert normalise(named.decode()) == who.user_id
        if who.how == APP_USER:
            proxies = {value.decode().strip() for value in values_of(raw, PROXY)}
            assert "*" in settings.trusted_proxies or proxies & set(settings.trusted_proxies)
        else:
            assert who.how in {source.lower() for source in settings.user_id_source}
    elif not isinstance(who, type):
        assert who.is_anonymous


@given(headers, configured, st.booleans())
def test_a_person_has_a_name_that_can_be_kept(
    raw: RawHeaders, settings: Settings, on_apps: bool
) -> None:
    """A name is in one form, fits into MLflow's column, and is nobody's who is no person."""
    who = decided(raw, settings, on_apps)
    if not isinstance(who, (type, AccessToken)) and who.is_human:
        name = who.user_id
        assert 0 < len(name) <= 250
        assert name == name.strip() == unicodedata.normalize("NFC", name)
        assert not [c for c in name if unicodedata.category(c) in ("Cc", "Cs")]
        assert "@" not in name or name == name.lower()
        assert is_person(name)


@given(headers, configured, st.booleans())
def test_headers_are_refused_in_a_sentence_of_ours(
    raw: RawHeaders, settings: Settings, on_apps: bool
) -> None:
    """Whatever is sent, the refusal is one of two, and says nothing of what was sent."""
    found = attempt(lambda: decide(raw, settings, on_databricks_apps=on_apps))
    if isinstance(found, FeedbackError):
        assert type(found) in (IdentityMalformed, IdentityRefused)
        assert str(found) == str(type(found)())


@given(headers, odd_case.map(str.encode), values, values, configured, st.booleans(), st.randoms())
def test_a_header_that_occurs_twice_is_refused(
    raw: RawHeaders,
    name: bytes,
    one: bytes,
    other: bytes,
    settings: Settings,
    on_apps: bool,
    random: Any,
) -> None:
    """Two copies are refused wherever they stand, however they are spelled, also if they agree."""
    asked_for = {APP_USER, PROXY, EMAIL, ACCESS_TOKEN, *map(str.lower, settings.user_id_source)}
    assume(name.decode().lower() in asked_for)
    twice = [*raw, (name.upper(), one), (name, other)]
    random.shuffle(twice)
    assert decided(twice, settings, on_apps) is IdentityMalformed


@given(headers, configured, st.booleans(), st.randoms())
def test_neither_the_order_nor_the_case_of_headers_counts(
    raw: RawHeaders, settings: Settings, on_apps: bool, random: Any
) -> None:
    """The settings say which header wins, and not who wrote first."""
    shuffled = [(name.upper(), value) for name, value in raw]
    random.shuffle(shuffled)
    assert decided(shuffled, settings, on_apps) == decided(raw, settings, on_apps)


@given(st.one_of(any_text, long_text))
def test_a_normal_name_stays_as_it_is(name: str) -> None:
    """Whoever is known by a name is known by it again."""
    normal = attempt(lambda: normalise(name))
    if isinstance(normal, FeedbackError):
        assert isinstance(normal, IdentityMalformed)
    else:
        assert normalise(normal) == normal


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_believed_where_nobody_may_be(name: str) -> None:
    """With the source "none" and no trusted proxy, no header makes a person."""
    settings = Settings(user_id_source=("none",))
    assert decided([(name.encode(), b"ann@example.com")], settings, False).is_anonymous
