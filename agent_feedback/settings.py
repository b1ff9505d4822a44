"""Everything that can be configured, from arguments or from ``AGENT_FEEDBACK_*`` variables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, cast, get_args

from agent_feedback.errors import ConfigurationError
from agent_feedback.model import COMMENT, CORRECTION, DIMENSION_PREFIX, SIGNAL_PREFIX, THUMB
from agent_feedback.setting_types import HOOK, NAMES, NUMBER, SWITCH, TEXT, WHOLE_NUMBER, Kind

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
MAX_REASON = 100
_GREATEST = 1_000_000  # far from what a clock, a timer or a column cannot hold
_KIND = "kind"
_SIGNALS = ("copy", "regenerate", "stop")
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FEEDBACK = (THUMB, COMMENT, CORRECTION, *(f"{SIGNAL_PREFIX}{signal}" for signal in _SIGNALS))
# The first two would be stored under these names, the others are what a withdrawal calls them.
_RESERVED = (*(name.removeprefix(DIMENSION_PREFIX) for name in (THUMB, COMMENT)), *_FEEDBACK)


def _setting(name: str, kind: Kind[T], default: T) -> T:
    """A field that the environment may set, as ``AGENT_FEEDBACK_<NAME>``."""

    def from_environment() -> T:
        raw = os.environ.get(f"AGENT_FEEDBACK_{name}")
        if raw is None:
            return default
        try:
            return kind.read(raw)
        except Exception as error:
            like = repr(default) if default is not None else "module:function"
            raise ConfigurationError(
                f"AGENT_FEEDBACK_{name} cannot be read ({type(error).__name__}):"
                f" it should be like {like}."
            ) from error

    return field(default_factory=from_environment, metadata={_KIND: kind})


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
            ``x-app-user-email``; ``"*"`` trusts every caller.
        require_user: Refuse anonymous people.
        implicit_signals: Which of ``copy``, ``regenerate``, ``stop`` are taken.
        unknown_wait_seconds: How long an unknown trace is asked for before it is refused.
        allowed_origins: Other sites whose pages may write, such as ``https://chat.example.com``.
        writes_per_minute: How many ratings one person may send in a minute.
        wait_seconds: How long an answer waits for MLflow before it says "pending".
        retention_days: How long turns and delivered ratings stay in the ledger.
        expose_errors: Show a failed handler's exception to its client. For development only.
        redact: Called with every comment and correction before it is stored.
        on_rating: Called with every rating (:class:`agent_feedback.Rating`) that became durable.

    Raises:
        ConfigurationError: a value cannot work; the sentence names the field and the fix.
    """

    ledger_url: str = _setting("LEDGER_URL", TEXT, "sqlite:///agent_feedback.db")
    prefix: str = _setting("PREFIX", TEXT, "/feedback")
    dimensions: tuple[str, ...] = _setting(
        "DIMENSIONS", NAMES, ("accuracy", "helpfulness", "relevance")
    )
    scale: int = _setting("SCALE", WHOLE_NUMBER, 5)
    reasons: tuple[str, ...] = _setting("REASONS", NAMES, DEFAULT_REASONS)
    raters: Raters = cast("Raters", _setting("RATERS", TEXT, "asker"))
    user_id_source: tuple[str, ...] = _setting(
        "USER_ID_SOURCE", NAMES, ("x-forwarded-email", "x-forwarded-preferred-username", "obo")
    )
    trusted_proxies: tuple[str, ...] = _setting("TRUSTED_PROXIES", NAMES, ())
    require_user: bool = _setting("REQUIRE_USER", SWITCH, False)
    implicit_signals: tuple[str, ...] = _setting("IMPLICIT_SIGNALS", NAMES, ())
    unknown_wait_seconds: float = _setting("UNKNOWN_WAIT_SECONDS", NUMBER, 8.0)
    allowed_origins: tuple[str, ...] = _setting("ALLOWED_ORIGINS", NAMES, ())
    writes_per_minute: int = _setting("WRITES_PER_MINUTE", WHOLE_NUMBER, 120)
    wait_seconds: float = _setting("WAIT_SECONDS", NUMBER, 1.0)
    retention_days: float = _setting("RETENTION_DAYS", NUMBER, 30.0)
    expose_errors: bool = _setting("EXPOSE_ERRORS", SWITCH, False)
    redact: Callable[[str], str] | None = _setting("REDACT", HOOK, None)
    on_rating: Callable[[Any], None] | None = _setting("ON_RATING", HOOK, None)

    def __post_init__(self) -> None:  # noqa: D105
        for each in fields(self):
            kind: Kind[Any] = each.metadata[_KIND]
            try:
                object.__setattr__(self, each.name, kind.take(getattr(self, each.name)))
            except TypeError:
                raise ConfigurationError(f"{each.name} must be {kind.described}.") from None
        for sentence in self._problems():
            raise ConfigurationError(sentence)

    def _problems(self) -> list[str]:
        checks = {
            'prefix must start with a slash and name a path, like "/feedback".': (
                re.fullmatch(r"(/[\w.~-]+)+", self.prefix) is not None
            ),
            "dimensions must be different lower-case names, like accuracy.": (
                len(set(self.dimensions)) == len(self.dimensions)
                and all(_DIMENSION.fullmatch(name) for name in self.dimensions)
            ),
            f"dimensions must not be called {', '.join(_RESERVED)}: those names are taken.": (
                not set(_RESERVED) & set(self.dimensions)
            ),
            f"scale must be 2 to {_GREATEST:,} stars.": 2 <= self.scale <= _GREATEST,
            f"reasons must have 1 to {MAX_REASON} characters each.": all(
                0 < len(reason) <= MAX_REASON for reason in self.reasons
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
            **{
                f"{name} must be 0 to {_GREATEST:,}.": 0 <= getattr(self, name) <= _GREATEST
                for name in ("unknown_wait_seconds", "wait_seconds", "retention_days")
            },
            'allowed_origins must be origins like "https://chat.example.com", without a path.': (
                all(re.fullmatch(r"https?://[^/*\s]+", origin) for origin in self.allowed_origins)
            ),
        }
        return [sentence for sentence, fine in checks.items() if not fine]

    def dimension_name(self, dimension: str) -> str:
        """The assessment name of a dimension."""
        return f"{DIMENSION_PREFIX}{dimension}"

    def signal_name(self, signal: str) -> str:
        """The assessment name of an implicit signal."""
        return f"{SIGNAL_PREFIX}{signal}"
