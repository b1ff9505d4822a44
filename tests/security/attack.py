"""An attack: a sequence of requests, and what it changes in MLflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.attacked_app import AttackedApp, RatedAnswer

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Effect:
    """What an attack changes in MLflow; by default nothing.

    ``new`` are rows of :meth:`AttackedApp.content`; ``changed`` are such rows by their ids.
    """

    new: tuple[Row, ...] = ()
    changed: Mapping[str, Row] = field(default_factory=dict)


Sequence = Callable[[AttackedApp, RatedAnswer], Effect | None]


@dataclass(frozen=True)
class Attack:
    """One row of the table in docs/security.md.

    Attributes:
        name: What somebody tries.
        result: What comes of it.
        sequence: The requests; its docstring says them in words.
        settings: What the application has chosen.
    """

    name: str
    result: str
    sequence: Sequence
    settings: Mapping[str, Any]

    @property
    def row(self) -> str:
        """The attack as the document shows it."""
        how = " ".join((self.sequence.__doc__ or "").split())
        return f"| {self.name} | {how} | {self.result} |"


class Table:
    """Collects the attacks of a module."""

    def __init__(self) -> None:
        self.attacks: list[Attack] = []

    def __call__(self, name: str, result: str, **settings: Any) -> Callable[[Sequence], Sequence]:
        """Enter a sequence under its name."""

        def enter(sequence: Sequence) -> Sequence:
            self.attacks.append(Attack(name, result, sequence, settings))
            return sequence

        return enter


def thumb(trace_id: str, by: str, value: Any, rationale: str | None = None) -> Row:
    """What MLflow holds once a person has rated."""
    return (trace_id, "user_feedback", "HUMAN", by, value, rationale, True)
