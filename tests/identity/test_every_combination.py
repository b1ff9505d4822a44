"""Who rates, over every combination of what can be sent and set.

What is expected comes from :func:`expected`, which states the rules one by one and shares no code
with the package. What a workspace says of a token is in the cache already, so that
thousands of combinations take no time; the look-up itself, with the real SDK, is tested beside.
"""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from agent_feedback import (
    FeedbackError,
    IdentityRefused,
    IdentityRequired,
    Settings,
    Unavailable,
)
from agent_feedback.guard import Guard
from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.identity.token_owners import TokenOwners
from agent_feedback.model import Identity

ANN, BOB, DAN, TINA = (f"{name}@example.com" for name in ("ann", "bob", "dan", "tina"))
HUMAN, PRINCIPAL = "8911000000000001@7474643929653491", "7930379096663871@7474643929653491"
APPLICATION = "0a1b2c3d-0000-4444-8888-0123456789ab"
NOBODY = "anonymous"

PLATFORM = {
    "absent": [],
    "human": [
        ("X-Forwarded-User", HUMAN),
        ("X-Forwarded-Email", "Ann@Example.com"),
        ("X-Forwarded-Preferred-Username", "ann"),
    ],
    "service principal": [
        ("X-Forwarded-User", PRINCIPAL),
        ("X-Forwarded-Preferred-Username", APPLICATION),
    ],
}
CLAIM = {"absent": None, "same": " ANN@example.com ", "different": BOB}
TRUSTED = {"unset": (), "matching": (HUMAN, PRINCIPAL), "not": ("1@1",), "star": ("*",)}
SOURCE = {"default": None, "another proxy's": ("X-Auth-Request-Email",), "none": ("none",)}
TOKEN = {
    "absent": None,
    "user's": "users-token",
    "service principal's": "principals-token",
    "expired": "expired-token",
    "malformed": "not a token",
    "unreachable": "unreachable-token",
    "slow": "slow-token",
}
FOUND: dict[str, Identity | FeedbackError] = {
    "users-token": Identity(TINA, "obo", is_human=True),
    "principals-token": Identity(how="obo"),
    "expired-token": IdentityRefused(),
    "unreachable-token": Unavailable(),
    "slow-token": Unavailable(),
}


@dataclass(frozen=True)
class Combination:
    """One row of the table."""

    platform: str
    claim: str
    trusted: str
    source: str
    required: bool
    token: str
    on_apps: bool


def every_combination(source: str, on_apps: bool) -> Iterator[Combination]:
    """Give the rows for one setting of the source and one place to run."""
    for platform, claim, trusted, required, token in itertools.product(
        PLATFORM, CLAIM, TRUSTED, (False, True), TOKEN
    ):
        yield Combination(platform, claim, trusted, source, required, token, on_apps)


def expected_person(row: Combination) -> str | type[FeedbackError]:
    """Say who a request is from by the rules, or what is wrong with it."""
    if row.source == "none":
        return NOBODY  # nothing that is sent counts
    has_proxy = row.platform != "absent"
    may_speak = row.trusted == "star" or (row.trusted == "matching" and has_proxy)
    if row.claim != "absent" and may_speak:
        return ANN if row.claim == "same" else BOB
    if row.source == "another proxy's":
        return DAN  # that header alone; neither the platform's nor a token
    if row.platform == "human":
        return ANN
    if row.platform == "service principal" and not row.on_apps:
        return NOBODY  # its user name is a machine's
    outcomes: dict[str, str | type[FeedbackError]] = {
        "absent": NOBODY,
        "user's": TINA,
        "service principal's": NOBODY,
        "expired": IdentityRefused,
        "malformed": IdentityRefused,
        "unreachable": Unavailable,
        "slow": Unavailable,
    }
    return outcomes[row.token]


def expected(row: Combination) -> str | type[FeedbackError]:
    """Say whose rating it is, or how it is refused."""
    who = expected_person(row)
    return IdentityRequired if who == NOBODY and row.required else who


def expected_asker(row: Combination) -> str | None:
    """Say who a turn is noted to be asked by: unknown where a token cannot be resolved."""
    who = expected_person(row)
    return who if isinstance(who, str) else None


def token_owners() -> TokenOwners:
    """Give token owners that has looked up every token already."""
    asked = TokenOwners()
    for secret, found in FOUND.items():
        answer = Future[Identity]()
        if isinstance(found, Identity):
            answer.set_result(found)
        else:
            answer.set_exception(found)
        asked._remember(sha256(secret.encode()).digest(), answer, math.inf)
    return asked


def resolver(row: Combination) -> IdentityResolver:
    """Build what an application with these settings has."""
    chosen: dict[str, Any] = {"trusted_proxies": TRUSTED[row.trusted], "require_user": row.required}
    if (source := SOURCE[row.source]) is not None:
        chosen["user_id_source"] = source
    built = IdentityResolver(Settings(**chosen), Guard(), on_databricks_apps=row.on_apps)
    built._token_owners = token_owners()
    return built


def headers(row: Combination) -> list[tuple[bytes, bytes]]:
    """Build what is sent, with a bearer token and another proxy's header beside it."""
    sent = [("Authorization", "Bearer another-apps-token"), ("X-Auth-Request-Email", DAN)]
    sent += PLATFORM[row.platform]
    if (claim := CLAIM[row.claim]) is not None:
        sent.append(("X-App-User-Email", claim))
    if (token := TOKEN[row.token]) is not None:
        sent.append(("X-Forwarded-Access-Token", token))
    return [(name.encode(), value.encode()) for name, value in sent]


async def rated_by(row: Combination) -> str | type[FeedbackError]:
    """Say who a rating is by."""
    try:
        return (await resolver(row).resolve(headers(row))).user_id
    except FeedbackError as error:
        return type(error)


def asked_by(row: Combination) -> str | None:
    """Say who a turn is asked by, as the turn's own guard would note it."""
    try:
        who = resolver(row).start(headers(row))
        return (who.result(0) if isinstance(who, Future) else who).user_id
    except FeedbackError:
        return None


@pytest.mark.parametrize("on_apps", [False, True], ids=["elsewhere", "on Databricks Apps"])
@pytest.mark.parametrize("source", SOURCE)
async def test_every_combination_is_whom_the_rules_say(source: str, on_apps: bool) -> None:
    """Headers, trusted proxies, sources, tokens and whether a person is required: all of them."""
    rows = list(every_combination(source, on_apps))
    assert len(rows) == 504
    wrong = {row: found for row in rows if (found := await rated_by(row)) != expected(row)}
    assert wrong == {}
    unlike = {row: asker for row in rows if (asker := asked_by(row)) != expected_asker(row)}
    assert unlike == {}


INTERESTING: dict[str, tuple[Combination, str | type[FeedbackError]]] = {
    "a human types another's name": (
        Combination("human", "different", "unset", "default", False, "absent", True),
        ANN,
    ),
    "a human types it while a proxy is trusted": (
        Combination("human", "different", "not", "default", False, "absent", True),
        ANN,
    ),
    "an unlisted app speaks for a user": (
        Combination("service principal", "different", "not", "default", False, "absent", True),
        NOBODY,
    ),
    "a listed app speaks for a user": (
        Combination("service principal", "different", "matching", "default", True, "absent", True),
        BOB,
    ),
    "a listed app's own token does not make it a person": (
        Combination(
            "service principal", "absent", "matching", "default", True, "service principal's", True
        ),
        IdentityRequired,
    ),
    "without a proxy, nothing matches": (
        Combination("absent", "different", "matching", "default", False, "absent", False),
        NOBODY,
    ),
    "a token that cannot be resolved is not nobody": (
        Combination("absent", "absent", "unset", "default", False, "unreachable", True),
        Unavailable,
    ),
    "nor where a person is required": (
        Combination("absent", "absent", "unset", "default", True, "slow", True),
        Unavailable,
    ),
    "an expired token is refused": (
        Combination("absent", "absent", "unset", "default", False, "expired", True),
        IdentityRefused,
    ),
    "a forged e-mail where nobody is believed": (
        Combination("human", "different", "star", "none", False, "user's", False),
        NOBODY,
    ),
    "an ignored claim does not hide who it is": (
        Combination("absent", "different", "unset", "default", True, "user's", True),
        TINA,
    ),
}


@pytest.mark.parametrize(("row", "who"), INTERESTING.values(), ids=INTERESTING.keys())
async def test_the_combinations_that_matter_most(
    row: Combination, who: str | type[FeedbackError]
) -> None:
    """Written out, so that a mistake in the rules themselves is seen."""
    assert (await rated_by(row), expected(row)) == (who, who)
