"""Expressions of Databricks SQL over columns whose type is only known when they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent_feedback.insight.warehouse.constants import literal
from agent_feedback.insight.warehouse.tables import quoted
from agent_feedback.insight.warehouse.type_strings import SqlType

_VARIANT: Final = SqlType("VARIANT")
_STRING: Final = SqlType("STRING")
_NUMBERS: Final = ("BIGINT", "LONG", "INT", "DOUBLE", "DECIMAL")
# What a string holds that is JSON and no bare text.
_JSON: Final = (
    r"""(?s)^(true|false|null|-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?|".*"|[{].*[}]|\[.*\])$"""
)


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL, and the type of what it gives."""

    sql: str
    type: SqlType


def field_of(holder: Expression, name: str) -> Expression | None:
    """A member of a struct, a VARIANT or a string of JSON; ``None`` where there is none."""
    if holder.type.name == "STRUCT":
        found = holder.type.field(name)
        # Four names in a row could be a catalog, a schema, a table and a column.
        of = f"({holder.sql})" if holder.sql.count(".") == 2 else holder.sql
        return Expression(f"{of}.{found[0]}", found[1]) if found else None
    if holder.type.name == "VARIANT":
        return Expression(f"{holder.sql}:{name}", _VARIANT)
    if holder.type.name == "STRING":
        return Expression(f"get_json_object({holder.sql}, '$.{name}')", _STRING)
    return None


def text_of(expression: Expression) -> str:
    """A string of a column of strings or of VARIANT."""
    if expression.type.name == "STRING":
        return expression.sql
    return f"CAST({expression.sql} AS STRING)"


def entry_of(holder: Expression, key: str) -> str:
    """The string that a map, a struct, a VARIANT or a string of JSON holds under ``key``."""
    if holder.type.name == "MAP":
        return f"try_element_at({holder.sql}, {literal(key)})"
    if holder.type.name == "STRUCT":
        found = holder.type.field(key.lower())
        return f"CAST({holder.sql}.{quoted(found[0])} AS STRING)" if found else "NULL"
    json = holder.sql if holder.type.name == "STRING" else f"to_json({holder.sql})"
    path = literal("$['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']")
    return f"get_json_object({json}, {path})"


def json_of(value: Expression) -> str:
    """A value that is no string of SQL, as JSON text: ``true`` and ``"true"`` are different."""
    if value.type.name in ("VARIANT", "STRUCT", "ARRAY", "MAP"):
        return f"to_json({value.sql})"
    return f"CAST({value.sql} AS STRING)"


def json_of_text(text: str, is_words: str) -> str:
    """JSON text of a string in which MLflow's views hold what is no string as JSON.

    A string such as ``0.5`` cannot be told from the number there, and is read as the number; what
    people write is always a string.

    Args:
        text: A column.
        is_words: A condition: it holds what people write.
    """
    # to_json takes no bare string: {"v":"…"} without its first five characters and the last.
    wrapped = f"to_json(named_struct('v', {text}))"
    return f"""CASE
      WHEN {text} IS NULL THEN NULL
      WHEN NOT {is_words} AND {text} RLIKE {literal(_JSON)} THEN {text}
      ELSE substring({wrapped}, 6, length({wrapped}) - 6)
    END"""


def epoch_ms(time: Expression) -> str:
    """A time in milliseconds since the epoch.

    Raises:
        ValueError: it is neither a timestamp nor a number of milliseconds.
    """
    if time.type.name in ("TIMESTAMP", "TIMESTAMP_LTZ"):
        return f"unix_millis({time.sql})"
    if time.type.name in _NUMBERS:
        return f"CAST({time.sql} AS BIGINT)"
    raise ValueError(time.type.name)


def time_of(milliseconds: str, column: Expression) -> str:
    """A number of milliseconds since the epoch, to be compared with a column of times."""
    return milliseconds if column.type.name in _NUMBERS else f"timestamp_millis({milliseconds})"
