"""Values in a statement: as named parameters, or as literals where it can have none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

ParameterType = Literal["STRING", "BIGINT"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """The value of a named marker ``:name``."""

    name: str
    value: str
    type: ParameterType


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of Databricks SQL, and the values of its markers."""

    text: str
    parameters: tuple[Parameter, ...] = ()


class Constants(Protocol):
    """How a value gets into a statement."""

    def text(self, name: str, value: str) -> str:
        """A string, as SQL."""
        ...

    def number(self, name: str, value: int) -> str:
        """A whole number, as SQL."""
        ...


class Markers:
    """Values as named parameters: the server never reads them as SQL."""

    def __init__(self) -> None:
        self._parameters: dict[str, Parameter] = {}

    def text(self, name: str, value: str) -> str:
        """The marker of a string."""
        return self._marker(Parameter(name, value, "STRING"))

    def number(self, name: str, value: int) -> str:
        """The marker of a whole number."""
        return self._marker(Parameter(name, str(value), "BIGINT"))

    def statement(self, text: str) -> Statement:
        """The statement with the values of its markers."""
        return Statement(text, tuple(self._parameters.values()))

    def _marker(self, parameter: Parameter) -> str:
        self._parameters[parameter.name] = parameter
        return f":{parameter.name}"


class Literals:
    """Values as literals, for dashboards, which have no parameters that a program fills."""

    def text(self, name: str, value: str) -> str:  # noqa: ARG002
        """The string as a literal."""
        return literal(value)

    def number(self, name: str, value: int) -> str:  # noqa: ARG002
        """The number as a literal."""
        return str(int(value))


def literal(text: str) -> str:
    """``text`` as a string literal of Databricks SQL, which reads backslashes in it.

    Two quotes in a row are no quote there, but the end of one literal and the beginning of
    the next.
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def lines(values: Iterable[str]) -> str:
    """A list as one parameter: a value per line."""
    return "\n".join(sorted(values))
