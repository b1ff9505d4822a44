"""Databricks SQL to DuckDB SQL, for a FAKE warehouse that executes what it is sent.

sqlglot does most of it. `_REWRITES` holds what it leaves out or gets wrong, one small function for
each kind of expression; the functions named `dbx_…` are DuckDB macros (`warehouse_engine.py`).

What stays different from Databricks: text made of doubles (1e+20 for 1.0E20), types of decimal
results, an index beyond an array's end (NULL, an error there), `size` of a map, `col:path`
without a cast on text (a variant here, text there), `concat_ws` of an array, the values of `hash`.
Looser than Databricks: an alias may be used in WHERE, a UNION of text and numbers is text, and
every correlated subquery is allowed.
What the fake lacks is refused as `[FAKE_UNSUPPORTED]`: `array_sort` with a comparator, `transform`
with an index, casts between numbers and times, and whatever DuckDB has no function for.
"""

import re
from collections.abc import Callable, Mapping

import sqlglot
from sqlglot import exp

from tests.support.warehouse_explodes import call, explode_outer, lateral_join, lateral_views
from tests.support.warehouse_parsing import StatementRefused

# DuckDB reserves the name of Databricks' most common catalog, `main`.
CATALOG_PREFIX = "dbx_"


def to_duckdb(tree: exp.Expr, parameters: Mapping[str, str]) -> str:
    """Return DuckDB's form of the statement, whose parameters (name to type) stay parameters."""
    name_catalogs(tree)
    # Children before parents, so that no rewrite sees another's result as its own source.
    for node in reversed(list(tree.walk())):
        new = _placeholder(node, parameters)
        if new is node:
            new = _rewrite_of(node)(node)
        if new is node:
            continue
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree.sql(dialect="duckdb", identify=True)


def name_catalogs(tree: exp.Expr) -> None:
    """Give every named catalog the name that it has in DuckDB."""
    catalogs = {table.catalog for table in tree.find_all(exp.Table) if table.catalog}
    for node in tree.find_all(exp.Table, exp.Column):
        # Without a table of that catalog, the first of four names is a column, or an alias.
        if node.text("catalog") in catalogs:
            node.set("catalog", exp.to_identifier(CATALOG_PREFIX + node.text("catalog").lower()))


def _rewrite_of(node: exp.Expr) -> Callable[[exp.Expr], exp.Expr]:
    kinds = type(node).__mro__
    return next((_REWRITES[kind] for kind in kinds if kind in _REWRITES), _unchanged)


def _unchanged(node: exp.Expr) -> exp.Expr:
    return node


def _placeholder(node: exp.Expr, parameters: Mapping[str, str]) -> exp.Expr:
    """A parameter's text becomes a value as Databricks makes it one: by a cast to its type."""
    if not isinstance(node, exp.Placeholder):
        return node
    if node.name not in parameters:
        raise StatementRefused(
            f"[UNBOUND_SQL_PARAMETER] Found the unbound parameter: {node.name}. SQLSTATE: 42P02"
        )
    return _cast(node.copy(), _duckdb_type(parameters[node.name]))


def _duckdb_type(name: str) -> exp.DataType:
    """The DuckDB type for a type's text in Databricks; also for the members of a struct."""
    try:
        return _plain_times(exp.DataType.build(name, dialect="databricks"))
    except sqlglot.errors.SqlglotError:
        return _plain_times(exp.DataType.build(f"STRUCT<{name}>", dialect="databricks"))


def _plain_times(data_type: exp.DataType) -> exp.DataType:
    """Times without a zone (the session is in UTC), variants as JSON."""
    for node in [data_type, *data_type.find_all(exp.DataType)]:
        if node.this in (exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ):
            node.set("this", exp.DataType.Type.TIMESTAMP)
        elif node.this is exp.DataType.Type.VARIANT:
            node.set("this", exp.DataType.Type.JSON)
    return data_type


def _unsupported(what: str) -> StatementRefused:
    return StatementRefused(f"[FAKE_UNSUPPORTED] The fake does not know {what}.")


def _cast(value: exp.Expr, to: exp.DataType, *, safe: bool = False) -> exp.Expr:
    kind = exp.TryCast if safe else exp.Cast
    if to.this is exp.DataType.Type.TIMESTAMP:
        # A direct cast of text would ignore its offset.
        value = kind(this=value, to=exp.DataType.build("TIMESTAMPTZ"))
    return kind(this=value, to=to)


def _json(value: exp.Expr) -> exp.Expr:
    """The value as JSON, NULL where it is none."""
    return exp.TryCast(this=value.copy(), to=exp.DataType.build("JSON"))


def _lift_cast(node: exp.Expr) -> exp.Expr:
    safe = isinstance(node, exp.TryCast)
    to = _plain_times(node.args["to"].copy())
    if to.this in (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR):
        return call("dbx_string", node.this)
    if to.this in exp.DataType.INTEGER_TYPES:
        # Databricks cuts a fraction off, DuckDB rounds it.
        whole = call("dbx_try_whole" if safe else "dbx_whole", node.this)
        return _cast(whole, to, safe=safe)
    return _cast(node.this.copy(), to, safe=safe)


def _extract(node: exp.Expr) -> exp.Expr:
    path = exp.Literal.string(_path(node.expression))
    scalar = isinstance(node, exp.JSONExtractScalar)
    function = "json_extract_string" if scalar else "json_extract"
    return call(function, _json(node.this), path)


def _path(path: exp.Expr) -> str:
    """DuckDB knows `."a.b"` where Databricks also writes `["a.b"]`."""
    text = path.name if isinstance(path, exp.Literal) else path.sql(dialect="duckdb")[1:-1]
    return re.sub(r"""\[(['"])(.*?)\1\]""", r'."\2"', text)


def _from_json(node: exp.Expr) -> exp.Expr:
    to = _duckdb_type(node.expression.name)
    return exp.TryCast(this=_json(node.this), to=to)


def _variant_get(arguments: list[exp.Expr], *, safe: bool) -> exp.Expr:
    path = exp.Literal.string(_path(arguments[1]))
    found = call("json_extract", _json(arguments[0]), path)
    if len(arguments) == 2:
        return found
    to = _duckdb_type(arguments[2].name)
    if to.this in exp.DataType.NESTED_TYPES:
        return _cast(found, to, safe=safe)
    text = call("json_extract_string", _json(arguments[0]), path)
    return _cast(text, to, safe=safe)


def _map_filter(arguments: list[exp.Expr]) -> exp.Expr:
    """DuckDB filters lists only: here the list of the map's entries."""
    entries, condition = arguments[0], arguments[1].this.copy()
    key, value = (parameter.name for parameter in arguments[1].expressions)
    members = {key: "key", value: "value"}
    for node in list(condition.find_all(exp.Identifier, exp.Column)):
        member = members.get(node.name) if isinstance(node, exp.Identifier) else None
        if member is not None and not isinstance(node.parent, exp.Dot):
            entry = exp.Dot(this=exp.to_identifier("entry"), expression=exp.to_identifier(member))
            node.replace(entry)
    keep = exp.Lambda(this=condition, expressions=[exp.to_identifier("entry")])
    return call("map_from_entries", call("list_filter", call("map_entries", entries), keep))


def _anonymous(node: exp.Expr) -> exp.Expr:
    name, arguments = str(node.this).lower(), node.expressions
    if name in ("variant_get", "try_variant_get"):
        return _variant_get(arguments, safe=name.startswith("try_"))
    if name == "map_filter":
        return _map_filter(arguments)
    if name == "forall":
        met = call("list_bool_and", call("list_transform", *arguments))
        return call("coalesce", met, exp.true())
    if name == "try_parse_json":
        return _json(arguments[0])
    if name in ("isnull", "isnotnull"):
        null = exp.Is(this=arguments[0].copy(), expression=exp.Null())
        return null if name == "isnull" else exp.Not(this=null)
    if name == "identifier":
        raise _unsupported("IDENTIFIER()")
    macro = _MACROS.get(name)
    return node if macro is None else call(macro, *arguments)


_MACROS = {
    "is_variant_null": "dbx_is_variant_null",
    "schema_of_variant": "dbx_schema_of_variant",
    "timestamp_millis": "epoch_ms",
    "timestamp_micros": "make_timestamp",
    "timestamp_seconds": "dbx_timestamp_seconds",
    "bigint": "dbx_whole",
    "int": "dbx_whole",
    "pmod": "dbx_pmod",
}


def _percentile(node: exp.Expr) -> exp.Expr:
    """`percentile` interpolates; sqlglot makes it DuckDB's `quantile`, which does not."""
    value = exp.Cast(this=node.this.copy(), to=exp.DataType.build("DOUBLE"))
    return call("quantile_cont", value, node.args["quantile"])


def _collected(node: exp.Expr) -> exp.Expr:
    """`collect_list` of nothing is an empty array, `array_agg` of DuckDB is NULL."""
    inner = node
    while isinstance(inner, (exp.Window, exp.Filter)):
        inner = inner.this
    collects = isinstance(inner, (exp.ArrayAgg, exp.ArrayUniqueAgg))
    if not collects or isinstance(node.parent, (exp.Window, exp.Filter)):
        return node
    return call("coalesce", node, exp.Array(expressions=[]))


def _sorted(node: exp.Expr) -> exp.Expr:
    if node.expression:
        raise _unsupported("array_sort with a comparator")
    ascending = node.args.get("asc") is None or node.args["asc"].this is not False
    first = node.args.get("nulls_first")
    nulls = "FIRST" if first is not None and first.this and ascending else "LAST"
    order = exp.Literal.string("ASC" if ascending else "DESC")
    return call("list_sort", node.this, order, exp.Literal.string(f"NULLS {nulls}"))


def _transformed(node: exp.Expr) -> exp.Expr:
    if len(node.expression.expressions) > 1:
        raise _unsupported("transform with an index")
    return node


def _reduced(node: exp.Expr) -> exp.Expr:
    if node.args.get("finish") is not None:
        raise _unsupported("aggregate with a last step")
    return node


def _like(node: exp.Expr) -> exp.Expr:
    """A backslash escapes in a pattern without being told to."""
    if isinstance(node.parent, exp.Escape):
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))


def _whole(node: exp.Expr) -> exp.Expr:
    """`floor` and `ceil` give whole numbers, not doubles."""
    return exp.Cast(this=node.copy(), to=exp.DataType.build("BIGINT"))


def _exists(node: exp.Expr) -> exp.Expr:
    """`exists(array, condition)`, whose condition sqlglot drops."""
    if not isinstance(node.expression, exp.Lambda):
        return node
    met = call("list_bool_or", call("list_transform", node.this, node.expression))
    return call("coalesce", met, exp.false())


def _divided(node: exp.Expr) -> exp.Expr:
    """A division by zero is an error; in DuckDB it is infinity."""
    return call("dbx_divide", node.this, node.expression)


def _now(node: exp.Expr) -> exp.Expr:
    return call("dbx_now")


def _call_of_this(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: call(name, node.this)


_REWRITES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Anonymous: _anonymous,
    exp.ApproxQuantile: lambda node: call("quantile_disc", node.this, node.args["quantile"]),
    exp.ArrayAgg: _collected,
    exp.ArraySort: _sorted,
    exp.ArrayUniqueAgg: _collected,
    exp.Cast: _lift_cast,
    exp.Ceil: _whole,
    exp.CurrentTimestamp: _now,
    exp.Div: _divided,
    exp.Exists: _exists,
    exp.ExplodeOuter: explode_outer,
    exp.Filter: _collected,
    exp.Floor: _whole,
    exp.FromJson: _from_json,
    exp.ILike: _like,
    exp.JSONExtract: _extract,
    exp.JSONExtractScalar: _extract,
    exp.JSONFormat: _call_of_this("dbx_to_json"),
    exp.Join: lateral_join,
    exp.Like: _like,
    exp.ParseJSON: lambda node: exp.Cast(this=node.this.copy(), to=exp.DataType.build("JSON")),
    exp.Quantile: _percentile,
    exp.Reduce: _reduced,
    exp.Select: lateral_views,
    exp.StrToUnix: _call_of_this("dbx_unix_seconds"),
    exp.Transform: _transformed,
    exp.TryCast: _lift_cast,
    exp.UnixMicros: _call_of_this("epoch_us"),
    exp.UnixSeconds: _call_of_this("dbx_unix_seconds"),
    exp.Window: _collected,
}
