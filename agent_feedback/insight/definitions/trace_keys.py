"""What traces can be grouped and compared by: the keys of ``--by`` and ``--compare``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.definitions.window import iso

NONE: Final = "(none)"
"""The group of the traces that have no such key."""
OTHER: Final = "(other)"
"""The groups beyond the largest."""
MAX_GROUPS: Final = 50

Column = tuple[str, str]
"""``("metadata", KEY)`` or ``("tag", KEY)``: a place on a trace."""

SESSION_COLUMN: Final = ("metadata", "mlflow.trace.session")
VERSION_COLUMNS: Final[tuple[Column, ...]] = (
    ("metadata", "mlflow.modelId"),
    ("metadata", "mlflow.source.git.commit"),
    ("tag", "app_version"),
)
_NAMED: Final[Mapping[str, tuple[Column, ...]]] = {
    "version": VERSION_COLUMNS,
    "session": (SESSION_COLUMN,),
    "user": (("metadata", "mlflow.trace.user"),),
    "environment": (("metadata", "mlflow.source.type"), ("metadata", "APP_ENVIRONMENT")),
}
_TIMES: Final = {"day": len("2026-01-31"), "hour": len("2026-01-31T12")}


@dataclass(frozen=True, slots=True)
class TraceKey:
    """A key of ``--by``.

    Attributes:
        name: As a person writes it, such as ``version`` or ``tag:team``.
        columns: The places on a trace whose first non-empty value it is; none for ``day`` and
            ``hour``, which are a trace's start in UTC: ``2026-01-31`` and ``2026-01-31T12``.
    """

    name: str
    columns: tuple[Column, ...]

    def of(self, started_at: int, metadata: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """The group of a trace."""
        if not self.columns:
            return iso(started_at)[: _TIMES[self.name]]
        return first_value(self.columns, metadata, tags) or NONE


def first_value(
    columns: tuple[Column, ...], metadata: Mapping[str, str], tags: Mapping[str, str]
) -> str | None:
    """The first of these places that has a value which is not empty."""
    for place, key in columns:
        if value := (tags if place == "tag" else metadata).get(key):
            return value
    return None


def trace_key(name: str) -> TraceKey:
    """The key that a person names.

    Raises:
        ConfigurationError: there is no such key.
    """
    if name in _TIMES:
        return TraceKey(name, ())
    if name in _NAMED:
        return TraceKey(name, _NAMED[name])
    place, _, key = name.partition(":")
    if place in ("tag", "metadata") and key:
        return TraceKey(name, ((place, key),))
    raise ConfigurationError(
        "A key is one of day, hour, version, session, user, environment, tag:KEY, metadata:KEY."
    )
