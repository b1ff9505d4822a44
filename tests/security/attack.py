"""How an attack is written: a sequence of requests, and what it leaves in MLflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.world import Scene, World

Said = tuple[Any, ...]


@dataclass(frozen=True)
class Leaves:
    """What an attack leaves in MLflow; by default nothing new, and everything as it was.

    ``new`` are assessments as :meth:`World.content` says them; ``changed`` are such by their ids.
    """

    new: tuple[Said, ...] = ()
    changed: Mapping[str, Said] = field(default_factory=dict)


Sequence = Callable[[World, Scene], Leaves | None]


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


def thumb(trace_id: str, by: str, value: Any, rationale: str | None = None) -> Said:
    """What MLflow holds once a person has rated."""
    return (trace_id, "user_feedback", "HUMAN", by, value, rationale, True)
