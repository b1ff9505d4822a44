"""Databricks' explode and LATERAL VIEW in DuckDB's words, for a FAKE warehouse."""

from sqlglot import exp


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of DuckDB's function, of copies."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _padded(array: exp.Expr) -> exp.Expr:
    """One NULL in place of nothing, for what keeps rows that have nothing to explode."""
    return call("dbx_or_null", array)


def _exploded(lateral: exp.Lateral, *, outer: bool) -> exp.Lateral:
    """LATERAL explode and posexplode as a subquery of which every column has its name."""
    function = lateral.this
    source = function.this
    if outer or isinstance(function, exp.ExplodeOuter):
        source = _padded(source)
    alias = lateral.args["alias"]
    names = [column.name for column in alias.args.get("columns") or []]
    unnested = exp.Unnest(expressions=[source.copy()])
    if isinstance(function, exp.Posexplode):
        ordinals = call("generate_subscripts", source, exp.Literal.number(1))
        positions = exp.Sub(this=ordinals, expression=exp.Literal.number(1))
        columns, names = [positions, unnested], names or ["pos", "col"]
    elif len(names) == 2:
        columns = [
            exp.Unnest(expressions=[call(part, function.this)])
            for part in ("map_keys", "map_values")
        ]
    else:
        columns, names = [unnested], names or ["col"]
    named = [exp.alias_(column, name) for column, name in zip(columns, names, strict=True)]
    subquery = exp.Subquery(this=exp.Select(expressions=named))
    return exp.Lateral(this=subquery, alias=exp.TableAlias(this=alias.this))


def _explodes(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Lateral) and isinstance(node.this, exp.Explode | exp.Posexplode)


def explode_outer(node: exp.Expr) -> exp.Expr:
    """`explode_outer` among what is selected."""
    if isinstance(node.parent, exp.Lateral):
        return node
    return exp.Explode(this=_padded(node.this))


def lateral_views(node: exp.Expr) -> exp.Expr:
    """LATERAL VIEW becomes a join."""
    for view in node.args.get("laterals") or []:
        outer = bool(view.args.get("outer"))
        joined = _exploded(view, outer=outer)
        node.append("joins", exp.Join(this=joined, kind="CROSS"))
    node.set("laterals", None)
    return node


def lateral_join(node: exp.Expr) -> exp.Expr:
    """FROM t, LATERAL explode(…)."""
    if _explodes(node.this):
        node.set("this", _exploded(node.this, outer=False))
    return node
