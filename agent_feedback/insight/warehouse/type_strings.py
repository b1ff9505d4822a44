"""Reads the types that ``DESCRIBE`` shows, such as ``array<struct<name:string,tags:map<…>>>``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>`(?:[^`]|``)*`)           # a field's name with any characters in it
      | (?P<text>'(?:[^'\\]|\\.)*')          # a comment on a field
      | (?P<more>\.\.\.\s+[0-9]+\s+more\s+fields)   # Spark leaves out fields of very wide structs
      | (?P<word>[A-Za-z_0-9]+)
      | (?P<mark>[<>(),:])
    )""",
    re.VERBOSE,
)
_MAX_DEPTH: Final = 50
_REMARKS: Final = ("NOT", "NULL", "COLLATE", "COMMENT")


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of Databricks SQL.

    Attributes:
        name: In upper case, without its precision: ``STRING``, ``DECIMAL``, ``STRUCT``, ``ARRAY``.
        fields: Of a struct, by their names as they are written.
        element: Of an array; of a map, its values'.
    """

    name: str
    fields: Mapping[str, SqlType] = field(default_factory=lambda: MappingProxyType({}))
    element: SqlType | None = None

    def field(self, name: str) -> tuple[str, SqlType] | None:
        """The field of this name and its type; upper and lower case are the same, as in SQL."""
        return next(
            ((own, type_) for own, type_ in self.fields.items() if own.lower() == name), None
        )


def parse_type(text: str) -> SqlType:
    """The type that a string such as ``map<string,string>`` names.

    Raises:
        ValueError: it names none.
    """
    reader = _Reader(text)
    found = reader.type()
    if reader.next is not None:
        raise ValueError("A type is followed by something else.")
    return found


class _Reader:
    """Reads one type, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._position = 0
        self._depth = 0
        self.next: re.Match[str] | None = None
        self._advance()

    def type(self) -> SqlType:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("A type is nested too deeply.")
        name = self._take("word").upper()
        if name == "STRUCT" and self._skip("<"):
            found = SqlType(name, fields=MappingProxyType(self._fields()))
        elif name == "ARRAY" and self._skip("<"):
            found = SqlType(name, element=self.type())
            self._expect(">")
        elif name == "MAP" and self._skip("<"):
            self.type()
            self._expect(",")
            found = SqlType(name, element=self.type())
            self._expect(">")
        else:
            self._skip_precision()
            found = SqlType(name)
        self._depth -= 1
        return found

    def _fields(self) -> dict[str, SqlType]:
        fields: dict[str, SqlType] = {}
        while not self._skip(">"):
            if self.next and self.next["more"]:
                self._advance()
                continue
            name = self._name()
            self._skip(":")
            fields[name] = self.type()
            self._skip_remarks()
            if not (self.next and self.next["mark"] in (",", ">")):
                raise ValueError("A struct's fields are not separated by commas.")
            self._skip(",")
        return fields

    def _name(self) -> str:
        if self.next and (quoted := self.next["quoted"]):
            self._advance()
            return quoted[1:-1].replace("``", "`")
        return self._take("word")

    def _skip_remarks(self) -> None:
        """``NOT NULL``, ``COLLATE …`` and ``COMMENT '…'``."""
        while self.next and (remark := (self.next["word"] or "").upper()) in _REMARKS:
            self._advance()
            if remark == "COLLATE":
                self._take("word")
            elif remark == "COMMENT":
                self._take("text")

    def _skip_precision(self) -> None:
        if self._skip("("):
            while not self._skip(")"):
                if self.next is None:
                    raise ValueError("A type's precision has no end.")
                self._advance()

    def _take(self, kind: str) -> str:
        if self.next is None or not self.next[kind]:
            raise ValueError("There is no type here.")
        found = self.next[kind]
        self._advance()
        return found

    def _skip(self, mark: str) -> bool:
        if self.next is None or self.next["mark"] != mark:
            return False
        self._advance()
        return True

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise ValueError(f"A type lacks its {mark}.")

    def _advance(self) -> None:
        if self._position == len(self._text):
            self.next = None
            return
        self.next = _TOKEN.match(self._text, self._position)
        if self.next is None:
            raise ValueError("There is no type here.")
        self._position = self.next.end()
