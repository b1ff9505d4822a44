"""What a setting can be: each kind knows its values, and reads one from an environment variable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """One kind of setting.

    Attributes:
        described: What such a setting must be, for a sentence.
        take: Returns a value in its own type; ``TypeError`` where it is of another kind.
        read: Reads the text of an environment variable.
    """

    described: str
    take: Callable[[Any], T]
    read: Callable[[str], T]


def _one_of(*types: type) -> Callable[[Any], Any]:
    """Values of these types; a bool is no number, though Python says so."""

    def take(value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError
        return value

    return take


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError
    names = tuple(value)
    if not all(isinstance(name, str) for name in names):
        raise TypeError
    return names


def _callable(value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError
    return value


def _read_names(raw: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in raw.split(",") if name.strip())


def _read_switch(raw: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        raw.strip().lower()
    ]


def _read_hook(raw: str) -> Callable[..., Any]:
    module, _, function = raw.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), function))


TEXT: Kind[str] = Kind("a text", _one_of(str), str)
NAMES: Kind[tuple[str, ...]] = Kind("a list of names, not one text", _names, _read_names)
WHOLE_NUMBER: Kind[int] = Kind("a whole number", _one_of(int), int)
NUMBER: Kind[float] = Kind("a number", _one_of(int, float), float)
SWITCH: Kind[bool] = Kind("True or False", _one_of(bool), _read_switch)
HOOK: Kind[Callable[..., Any] | None] = Kind("a function", _callable, _read_hook)
