"""Expressions over columns of every type give the same, executed by the fake's engine."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from agent_feedback.insight.warehouse.expressions import (
    Expression,
    entry_of,
    epoch_ms,
    field_of,
    json_of,
    json_of_text,
    text_of,
    time_of,
)
from agent_feedback.insight.warehouse.type_strings import parse_type
from tests.support.warehouse_engine import Engine

VALUES = """CREATE TABLE t AS SELECT
  {'value': 'yes'} AS st, '{"value": "yes"}'::JSON AS v, '{"value": "yes"}' AS js,
  MAP {'value': 'yes', 'a.b''c': 'odd'} AS m, '{"value": true}'::JSON AS bool,
  TIMESTAMP '1970-01-02 00:00:00.007' AS ts, 86400007 AS ms"""
TYPES = {
    "st": "struct<Value:string>",
    "v": "variant",
    "js": "string",
    "m": "map<string,string>",
    "bool": "variant",
    "ts": "timestamp",
    "ms": "bigint",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """What executes statements of Databricks SQL, with one row of every type."""
    with closing(Engine()) as made:
        made.duckdb(VALUES)
        yield made


def column(name: str) -> Expression:
    """A column of the one row."""
    return Expression(f"t.{name}", parse_type(TYPES[name]))


def result(engine: Engine, sql: str) -> str | None:
    """What the expression gives."""
    ((value,),) = engine.run(f"SELECT {sql} AS x FROM t").rows
    return value


@pytest.mark.parametrize("name", ["st", "v", "js"])
def test_a_member_is_read_from_whatever_holds_it(engine: Engine, name: str) -> None:
    """A struct, a VARIANT and a string of JSON have members."""
    found = field_of(column(name), "value")
    assert found is not None
    assert result(engine, text_of(found)) == "yes"


def test_what_has_no_member_has_none() -> None:
    """A struct without the field, and a number, have none."""
    assert field_of(column("st"), "other") is None
    assert field_of(column("ms"), "value") is None


@pytest.mark.parametrize("name", ["st", "v", "js", "m"])
def test_an_entry_is_read_from_whatever_holds_it(engine: Engine, name: str) -> None:
    """Metadata may be a map, a struct, a VARIANT or a string of JSON; what is missing is NULL."""
    assert result(engine, entry_of(column(name), "value")) == "yes"
    assert result(engine, entry_of(column(name), "an.other")) is None


def test_an_entry_may_have_any_name(engine: Engine) -> None:
    """A tag's key is a person's own."""
    assert result(engine, entry_of(column("m"), "a.b'c")) == "odd"


def test_a_variant_keeps_its_quotes(engine: Engine) -> None:
    """As JSON, the string yes has quotes and the boolean has none."""
    assert [
        result(engine, json_of(found)) if (found := field_of(column(name), "value")) else None
        for name in ("v", "bool")
    ] == ['"yes"', "true"]


@pytest.mark.parametrize(
    ("text", "words", "json"),
    [
        *(("yes", "FALSE", '"yes"'), ("true", "FALSE", "true"), ("0.80", "FALSE", "0.80")),
        *(("true", "TRUE", '"true"'), ('say "no"', "FALSE", '"say \\"no\\""')),
        *(('["a"]', "FALSE", '["a"]'), ("", "FALSE", '""'), ("1_0", "FALSE", '"1_0"')),
        *(("a\nb\\", "TRUE", '"a\\nb\\\\"'), ("NaN", "FALSE", '"NaN"'), ("-", "FALSE", '"-"')),
    ],
)
def test_bare_text_becomes_json(engine: Engine, text: str, words: str, json: str) -> None:
    """What reads as JSON is JSON, unless people wrote it; everything else is a string."""
    parameter = {"name": "text", "value": text, "type": "STRING"}
    statement = f"SELECT {json_of_text('x', words)} AS y FROM (SELECT :text AS x)"
    assert engine.run(statement, [parameter]).rows == [[json]]


@pytest.mark.parametrize("name", ["ts", "ms"])
def test_times_are_milliseconds(engine: Engine, name: str) -> None:
    """Timestamps and numbers are both read as milliseconds, and compared with them."""
    time = column(name)
    assert result(engine, epoch_ms(time)) == "86400007"
    assert result(engine, f"{time.sql} >= {time_of('86400007', time)}") == "true"
    assert result(engine, f"{time.sql} < {time_of('86400007', time)}") == "false"


def test_other_types_are_no_times() -> None:
    """A string is not read as a time: whose time zone would it be?"""
    with pytest.raises(ValueError, match="STRING"):
        epoch_ms(column("js"))
