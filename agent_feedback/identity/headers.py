"""Who is asking: request headers in, one :class:`~agent_feedback.model.Identity` out.

Nothing else in the package reads an identity header. The decision is pure; only an access token
needs a look-up in the workspace, which :mod:`agent_feedback.identity.token_owners` does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent_feedback.errors import IdentityMalformed, IdentityRefused
from agent_feedback.model import ANONYMOUS, Identity
from agent_feedback.settings import Settings
from agent_feedback.text import MAX_NAME_LENGTH

RawHeaders = Iterable[tuple[bytes, bytes]]

APP_USER = "x-app-user-email"
PROXY = "x-forwarded-user"
EMAIL = "x-forwarded-email"
ACCESS_TOKEN = "x-forwarded-access-token"

# RFC 6750's characters and a little more; what a proxy folded out of two headers is no token.
_TOKEN = re.compile(r"[!-+\--~]{1,8192}")
_UNFIT = ("Cc", "Cf", "Cs", "Zl", "Zp")
_SERVICE_PRINCIPAL = re.compile(
    r"\d+@\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A forwarded access token: whose it is must be looked up. Never shown."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the headers alone say: a person, or a token to look up.

    ``ignored_claim`` says that the sender named a user, and is not trusted to.
    """

    who: Identity | AccessToken
    ignored_claim: bool = False


def decide(headers: RawHeaders, settings: Settings, *, on_databricks_apps: bool) -> Decision:
    """Choose the identity that the headers prove, in the order that the settings name.

    Args:
        headers: The request's raw headers, duplicates included.
        settings: Which headers and proxies to trust.
        on_databricks_apps: There, without an e-mail, only a token speaks for a person.

    Raises:
        IdentityMalformed: an identity header occurs twice or holds what no name can hold.
        IdentityRefused: the access token that counts is none by its form.
    """
    found = _identity_headers(headers, settings)
    if settings.user_id_source == ("none",):  # then no proxy's name is worth anything either
        return Decision(Identity())
    claim = found.get(APP_USER)
    if claim:
        trusted = settings.trusted_proxies
        if "*" in trusted or found.get(PROXY) in trusted:
            return Decision(_person(claim, APP_USER))
    return Decision(_from_sources(found, settings, on_databricks_apps), ignored_claim=bool(claim))


def is_person(user_id: str) -> bool:
    """Whether a name can be a person's: a service principal's opaque id is not, nor "anonymous"."""
    name = user_id.lower()
    return name != ANONYMOUS and _SERVICE_PRINCIPAL.fullmatch(name) is None


def normalise(user_id: str) -> str:
    """A name as ratings are keyed by it: trimmed, and in lower case where it is an e-mail address.

    Raises:
        IdentityMalformed: it is longer than MLflow keeps, holds control or invisible characters,
            or letters that would turn into other people's.
    """
    name = user_id.strip(" \t")  # not what else Python calls blank: control characters are
    if any(map(_is_unfit, name)):
        raise IdentityMalformed()
    name = unicodedata.normalize("NFC", name.strip())
    if "@" in name:
        name = unicodedata.normalize("NFC", name.lower())
    if len(name) > MAX_NAME_LENGTH:
        raise IdentityMalformed()
    return name


def _is_unfit(character: str) -> bool:
    if character.isascii():
        return not character.isprintable()
    # The Kelvin sign becomes a "k": an address with it would become somebody else's.
    becomes = unicodedata.normalize("NFC", character).lower()
    return unicodedata.category(character) in _UNFIT or becomes.isascii()


def _identity_headers(headers: RawHeaders, settings: Settings) -> dict[str, str]:
    wanted = {APP_USER, PROXY, ACCESS_TOKEN, EMAIL, *map(str.lower, settings.user_id_source)}
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if name in wanted:
            if name in found:
                raise IdentityMalformed()
            found[name] = _text(raw_value)
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        raise IdentityMalformed() from None


def _from_sources(
    found: dict[str, str], settings: Settings, on_databricks_apps: bool
) -> Identity | AccessToken:
    sources = [source.lower() for source in settings.user_id_source]
    only_token = on_databricks_apps and EMAIL in sources and not found.get(EMAIL)
    for source in sources:
        if source == "obo":
            if token := found.get(ACCESS_TOKEN):
                return _token(token)
        elif (name := found.get(source)) and not only_token:
            return _person(name, source)
    return Identity()


def _token(text: str) -> AccessToken:
    if _TOKEN.fullmatch(text) is None:
        raise IdentityRefused()
    return AccessToken(text)


def _person(name: str, how: str) -> Identity:
    # Two copies of a header, which a proxy on the way made into one.
    if "," in name and name.count("@") > 1:
        raise IdentityMalformed()
    name = normalise(name)
    return Identity(name, how, is_human=True) if name and is_person(name) else Identity(how=how)
