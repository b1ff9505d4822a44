"""Everything that can be configured, from arguments or from ``AGENT_FEEDBACK_*`` variables."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, TypeVar, cast, get_args

from agent_feedback.errors import ConfigurationError
from agent_feedback.model import COMMENT, CORRECTION, DIMENSION_PREFIX, SIGNAL_PREFIX, THUMB

T = TypeVar("T")
Raters = Literal["asker", "anyone"]

DEFAULT_REASONS = (
    "correct",
    "complete",
    "easy to follow",
    "incorrect",
    "incomplete",
    "out of date",
    "off topic",
    "unsafe",
)
_SECRET_HEADERS = {
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-forwarded-access-token",
}
_SIGNALS = ("copy", "regenerate", "stop")
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = tuple(name.removeprefix(DIMENSION_PREFIX) for name in (THUMB, COMMENT))
# What a withdrawal calls the feedback that is no dimension.
_WITHDRAWN_AS = (THUMB, COMMENT, CORRECTION, *(f"{SIGNAL_PREFIX}{signal}" for signal in _SIGNALS))


def _text(raw: str) -> str:
    return raw


def _raters(raw: str) -> Raters:
    return cast("Raters", raw)  # checked with the rest


def _names(raw: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in raw.split(",") if name.strip())


def _switch(raw: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        raw.strip().lower()
    ]


def _hook(raw: str) -> Callable[..., Any]:
    module, _, function = raw.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), function))


def _setting(name: str, read: Callable[[str], T], default: T) -> T:
    """A field that the environment may set, as ``AGENT_FEEDBACK_<NAME>``."""

    def from_environment() -> T:
        raw = os.environ.get(f"AGENT_FEEDBACK_{name}")
        if raw is None:
            return default
        try:
            return read(raw)
        except (ValueError, KeyError, ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"AGENT_FEEDBACK_{name} cannot be read: it should be like {default!r}."
            ) from error

    return field(default_factory=from_environment)


@dataclass(frozen=True)
class Settings:
    """How feedback works in one application.

    Every field can come from the environment as ``AGENT_FEEDBACK_<FIELD>`` (lists separated by
    commas, hooks as ``module:function``); an explicit argument wins.

    Attributes:
        ledger_url: Any SQLAlchemy URL of a database that keeps ratings until MLflow has them.
        prefix: Where the feedback routes live.
        dimensions: What can be rated in stars.
        scale: The most stars there are; MLflow gets stars ÷ scale.
        reasons: The reasons that a person may choose from; anything else is refused.
        raters: ``"asker"``: only who asked may rate an answer; ``"anyone"`` opens it.
        user_id_source: Where the person comes from, in order: header names, ``"obo"`` for the
            forwarded access token, or ``"none"`` alone for nobody.
        trusted_proxies: The ``X-Forwarded-User`` values of proxies that may name their user in
            ``x-app-user-email``; ``"*"`` believes every caller.
        require_user: Refuse anonymous people.
        implicit_signals: Which of ``copy``, ``regenerate``, ``stop`` are taken.
        unknown_wait_seconds: How long an unknown trace is asked for before it is refused.
        allowed_origins: Other sites whose pages may write, such as ``https://chat.example.com``.
        writes_per_minute: How many ratings one person may send in a minute.
        wait_seconds: How long an answer waits for MLflow before it says "pending".
        retention_days: How long turns and delivered ratings stay in the ledger.
        expose_errors: Show a failed handler's exception to its client. For development only.
        redact: Called with every comment and correction before it is stored.
        on_rating: Called with every rating (``agent_feedback.model.Rating``) that became durable.

    Raises:
        ConfigurationError: a value cannot work; the sentence names the field and the fix.
    """

    ledger_url: str = _setting("LEDGER_URL", _text, "sqlite:///agent_feedback.db")
    prefix: str = _setting("PREFIX", _text, "/feedback")
    dimensions: tuple[str, ...] = _setting(
        "DIMENSIONS", _names, ("accuracy", "helpfulness", "relevance")
    )
    scale: int = _setting("SCALE", int, 5)
    reasons: tuple[str, ...] = _setting("REASONS", _names, DEFAULT_REASONS)
    raters: Raters = _setting("RATERS", _raters, "asker")
    user_id_source: tuple[str, ...] = _setting(
        "USER_ID_SOURCE", _names, ("x-forwarded-email", "x-forwarded-preferred-username", "obo")
    )
    trusted_proxies: tuple[str, ...] = _setting("TRUSTED_PROXIES", _names, ())
    require_user: bool = _setting("REQUIRE_USER", _switch, False)
    implicit_signals: tuple[str, ...] = _setting("IMPLICIT_SIGNALS", _names, ())
    unknown_wait_seconds: float = _setting("UNKNOWN_WAIT_SECONDS", float, 8.0)
    allowed_origins: tuple[str, ...] = _setting("ALLOWED_ORIGINS", _names, ())
    writes_per_minute: int = _setting("WRITES_PER_MINUTE", int, 120)
    wait_seconds: float = _setting("WAIT_SECONDS", float, 1.0)
    retention_days: float = _setting("RETENTION_DAYS", float, 30.0)
    expose_errors: bool = _setting("EXPOSE_ERRORS", _switch, False)
    redact: Callable[[str], str] | None = _setting("REDACT", _hook, None)
    on_rating: Callable[[Any], None] | None = _setting("ON_RATING", _hook, None)

    def __post_init__(self) -> None:  # noqa: D105
        for name in (
            "dimensions",
            "reasons",
            "user_id_source",
            "trusted_proxies",
            "implicit_signals",
            "allowed_origins",
        ):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f"{name} is a list of names, not one string.")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for complaint in self._complaints():
            raise ConfigurationError(complaint)

    def _complaints(self) -> list[str]:
        checks = {
            'prefix must start with a slash and name a path, like "/feedback".': (
                re.fullmatch(r"(/[\w.~-]+)+", self.prefix) is not None
            ),
            "dimensions must be different lower-case names, like accuracy.": (
                len(set(self.dimensions)) == len(self.dimensions)
                and all(_DIMENSION.fullmatch(name) for name in self.dimensions)
            ),
            f"dimensions must not be called {' or '.join(_RESERVED)}: those names are taken.": (
                not set(_RESERVED) & set(self.dimensions)
            ),
            f"dimensions must not be called {', '.join(_WITHDRAWN_AS)}: DELETE means others.": (
                not set(_WITHDRAWN_AS) & set(self.dimensions)
            ),
            "scale must be a whole number of stars, 2 or more.": (
                isinstance(self.scale, int) and self.scale >= 2
            ),
            'raters must be "asker" or "anyone".': self.raters in get_args(Raters),
            f"implicit_signals must be among {', '.join(_SIGNALS)}.": (
                set(self.implicit_signals) <= set(_SIGNALS)
            ),
            'user_id_source must name headers or "obo", or be "none" alone.': (
                bool(self.user_id_source)
                and ("none" not in self.user_id_source or len(self.user_id_source) == 1)
            ),
            'user_id_source must not name headers that hold secrets: "obo" is the access token.': (
                not _SECRET_HEADERS & set(map(str.lower, self.user_id_source))
            ),
            "writes_per_minute must be 1 or more.": self.writes_per_minute >= 1,
            "unknown_wait_seconds, wait_seconds and retention_days must be finite, 0 or more.": all(
                math.isfinite(length) and length >= 0
                for length in (self.unknown_wait_seconds, self.wait_seconds, self.retention_days)
            ),
            "redact and on_rating must be functions.": all(
                hook is None or callable(hook) for hook in (self.redact, self.on_rating)
            ),
            'allowed_origins must be origins like "https://chat.example.com", without a path.': (
                all(re.fullmatch(r"https?://[^/*\s]+", origin) for origin in self.allowed_origins)
            ),
        }
        return [complaint for complaint, fine in checks.items() if not fine]

    def dimension_name(self, dimension: str) -> str:
        """The assessment name of a dimension."""
        return f"{DIMENSION_PREFIX}{dimension}"

    def signal_name(self, signal: str) -> str:
        """The assessment name of an implicit signal."""
        return f"{SIGNAL_PREFIX}{signal}"
