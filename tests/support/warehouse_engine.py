"""What executes a FAKE warehouse's statements: DuckDB in memory, asked in Databricks SQL.

Tables are made by tests in DuckDB's own words (`duckdb`); variants are columns of type JSON, times
are TIMESTAMP in UTC. `run` takes one statement with its parameters and gives names, Spark types and
the cells as Databricks serialises them, or raises `StatementRefused` with Databricks' message.
"""

import datetime
import decimal
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from tests.support.warehouse_parsing import StatementRefused, parse
from tests.support.warehouse_sql import CATALOG_PREFIX, name_catalogs, to_duckdb

_MACROS = (
    # The text of a variant that is text has no quotes.
    "dbx_string(x) AS CASE WHEN typeof(x) = 'JSON' THEN json_extract_string(to_json(x), '$') "
    "ELSE CAST(x AS VARCHAR) END",
    "dbx_whole(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') OR typeof(x) LIKE 'DECIMAL%' "
    "THEN CAST(trunc(CAST(x AS DOUBLE)) AS BIGINT) ELSE CAST(x AS BIGINT) END",
    "dbx_try_whole(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') OR typeof(x) LIKE 'DECIMAL%' "
    "THEN TRY_CAST(trunc(TRY_CAST(x AS DOUBLE)) AS BIGINT) ELSE TRY_CAST(x AS BIGINT) END",
    "dbx_divide(a, b) AS CASE WHEN b = 0 "
    "THEN error('[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012') ELSE a / b END",
    "dbx_pmod(a, b) AS ((a % b) + b) % b",
    "dbx_or_null(x) AS CASE WHEN coalesce(len(x), 0) = 0 THEN [NULL] ELSE x END",
    "dbx_now() AS CAST(now() AS TIMESTAMP)",
    "dbx_unix_seconds(x) AS CAST(floor(epoch(CAST(x AS TIMESTAMP))) AS BIGINT)",
    "dbx_timestamp_seconds(x) AS make_timestamp(CAST(x * 1000000 AS BIGINT))",
    "dbx_is_variant_null(x) AS coalesce(json_type(x) = 'NULL', false)",
    "dbx_schema_of_variant(x) AS CASE json_type(x) WHEN 'NULL' THEN 'VOID' "
    "WHEN 'VARCHAR' THEN 'STRING' WHEN 'UBIGINT' THEN 'BIGINT' WHEN 'OBJECT' THEN 'OBJECT<>' "
    "WHEN 'ARRAY' THEN 'ARRAY<VARIANT>' ELSE json_type(x) END",
    "dbx_to_json(x) AS dbx_without_nulls(CAST(to_json(x) AS VARCHAR))",
)
_SPARK_TYPES = {
    "VARCHAR": "string",
    "JSON": "variant",
    "INTEGER": "int",
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    '"NULL"': "void",
    "NULL": "void",
}
# Found in DuckDB's messages, in this order.
_REFUSALS = (
    (r"(\[[A-Z_.]+\] .*SQLSTATE: \w+)", "{0}"),
    (
        r"Table with name \"?([^\s\"]+)\"? does not exist|Catalog \"?([^\s\"]+)\"? does not exist",
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `{0}` cannot be found. Verify the spelling "
        "and correctness of the schema and catalog. SQLSTATE: 42P01",
    ),
    (
        r"Referenced column \"(.+?)\" not found"
        r"|Table \"\S+\" does not have a column named \"(.+?)\""
        r"|Referenced table \"(.+?)\" not found",
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name "
        "`{0}` cannot be resolved. SQLSTATE: 42703",
    ),
    (
        r"Could not find key \"(.+?)\" in struct",
        "[FIELD_NOT_FOUND] No such struct field `{0}`. SQLSTATE: 42704",
    ),
    (r"(Unimplemented type for cast.*)", "[FAKE_UNSUPPORTED] {0}"),
    (
        r"Conversion Error: (.*)",
        "[CAST_INVALID_INPUT] {0}. To return NULL instead, use `try_cast`. SQLSTATE: 22018",
    ),
    (
        r"must appear in the GROUP BY clause",
        "[MISSING_AGGREGATION] A non-aggregating expression is not in GROUP BY. SQLSTATE: 42803",
    ),
    (
        r"No function matches the given name",
        "[DATATYPE_MISMATCH] A function does not take these types. SQLSTATE: 42K09",
    ),
)


@dataclass(frozen=True)
class Answer:
    """What a statement gave."""

    columns: tuple[tuple[str, str], ...]
    """Names and Spark types."""
    rows: list[list[str | None]]


class Engine:
    """One DuckDB, used by one statement at a time."""

    def __init__(self, *, nested_as_text: bool = False) -> None:
        self._nested_as_text = nested_as_text
        self._lock = threading.Lock()
        # Nothing may be fetched from anywhere, and no variable of a test is a table.
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",
            },
        )
        self.duckdb("SET TimeZone = 'UTC'")
        self._connection.create_function(
            "dbx_without_nulls",
            _without_nulls,
            ["VARCHAR"],
            "VARCHAR",
        )
        for macro in _MACROS:
            # Temporary ones are found from every catalog.
            self.duckdb(f"CREATE TEMP MACRO {macro}")

    def duckdb(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run DuckDB's own SQL, to prepare tables."""
        with self._lock:
            return self._connection.execute(sql, list(values)).fetchall()

    def create_schema(self, catalog: str, schema: str) -> None:
        """Make the catalog and the schema, unless they are there."""
        name = self.catalog(catalog)
        self.duckdb(f"ATTACH IF NOT EXISTS ':memory:' AS \"{name}\"")
        self.duckdb(f'CREATE SCHEMA IF NOT EXISTS "{name}"."{schema}"')

    def catalog(self, catalog: str) -> str:
        """Return the name that a catalog has in DuckDB."""
        return CATALOG_PREFIX + catalog.lower()

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._connection.close()

    def run(
        self,
        statement: str,
        parameters: Iterable[Mapping[str, Any]] = (),
        *,
        catalog: str | None = None,
        schema: str | None = None,
    ) -> Answer:
        """Execute one statement of Databricks SQL."""
        given = list(parameters)
        tree = parse(statement)
        if isinstance(tree, exp.Describe):
            return self._describe(tree.this, catalog, schema)
        sql = to_duckdb(tree, {each["name"]: each.get("type") or "STRING" for each in given})
        used = set(re.findall(r"\$(\w+)", sql))
        values = {each["name"]: each.get("value") for each in given if each["name"] in used}
        with self._lock:
            names, rows = self._execute(sql, values, catalog, schema)
        cells = [
            [self._cell(value, data_type) for value, (_, data_type) in zip(row, names, strict=True)]
            for row in rows
        ]
        return Answer(tuple((name, spark_type(kind)) for name, kind in names), cells)

    def _execute(
        self, sql: str, values: Mapping[str, Any], catalog: str | None, schema: str | None
    ) -> tuple[list[tuple[str, Any]], list[tuple[Any, ...]]]:
        try:
            home = "memory" if catalog is None else self.catalog(catalog)
            self._connection.execute(f'USE "{home}"."{schema or "main"}"')
            result = self._connection.execute(sql, values or None)
            described = result.description or []
            return [(column[0], column[1]) for column in described], result.fetchall()
        except duckdb.Error as error:
            raise StatementRefused(_refusal(str(error))) from error

    def _describe(self, table: exp.Expr, catalog: str | None, schema: str | None) -> Answer:
        empty = exp.select("*").from_(table.copy()).limit(0)
        name_catalogs(empty)
        with self._lock:
            names, _ = self._execute(
                empty.sql(dialect="duckdb", identify=True), {}, catalog, schema
            )
        columns = (("col_name", "string"), ("data_type", "string"), ("comment", "string"))
        return Answer(columns, [[name, spark_type(kind), None] for name, kind in names])

    def _cell(self, value: Any, data_type: Any) -> str | None:
        if value is None:
            return None
        kind = data_type.id
        if str(data_type) == "JSON":
            return _compact(json.loads(value))
        if kind in ("list", "array", "struct", "map"):
            return _compact(self._nested(value, data_type))
        return _text(value)

    def _nested(self, value: Any, data_type: Any) -> Any:
        if value is None:
            return None
        children = dict(data_type.children) if data_type.id in _NESTED else {}
        if data_type.id in ("list", "array"):
            return [self._nested(each, children["child"]) for each in value]
        if data_type.id == "struct":
            return {name: self._nested(value[name], kind) for name, kind in children.items()}
        if data_type.id == "map":
            return {str(k): self._nested(v, children["value"]) for k, v in value.items()}
        if str(data_type) == "JSON":
            return value if self._nested_as_text else json.loads(value)
        if isinstance(value, bool | int | float) and not self._nested_as_text:
            return value
        return _text(value)


_NESTED = ("list", "array", "struct", "map")


def spark_type(data_type: Any) -> str:
    """Return a DuckDB type as DESCRIBE TABLE writes it in Databricks."""
    name = str(data_type)
    if name == "JSON":
        return "variant"
    children = dict(data_type.children) if data_type.id in _NESTED else {}
    if data_type.id in ("list", "array"):
        return f"array<{spark_type(children['child'])}>"
    if data_type.id == "struct":
        fields = ",".join(f"{field}:{spark_type(kind)}" for field, kind in children.items())
        return f"struct<{fields}>"
    if data_type.id == "map":
        return f"map<{spark_type(children['key'])},{spark_type(children['value'])}>"
    return _SPARK_TYPES.get(name, name.lower())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, float):
        return repr(value).replace("nan", "NaN").replace("inf", "Infinity")
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    return str(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_nulls(text: str) -> str:
    """Spark's `to_json` leaves out members that are null."""
    return _compact(json.loads(text, object_pairs_hook=_present))


def _present(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _refusal(message: str) -> str:
    for pattern, refusal in _REFUSALS:
        found = re.search(pattern, message)
        if found:
            groups = [group for group in found.groups() if group is not None]
            return refusal.format(*(group.removeprefix(CATALOG_PREFIX) for group in groups))
    return f"[FAKE_UNSUPPORTED] {message}"
