"""Databricks SQL as a tree, for a FAKE warehouse; refused is what Databricks would refuse."""

import sqlglot
from sqlglot import exp

from tests.support.databricks_functions import DATABRICKS_FUNCTIONS


class StatementRefused(Exception):
    """A statement that Databricks would not run, with its message."""


def parse(statement: str) -> exp.Expr:
    """Return the statement as Databricks SQL, or refuse it as Databricks would."""
    try:
        trees = [tree for tree in sqlglot.parse(statement, read="databricks") if tree is not None]
    except sqlglot.errors.SqlglotError as error:
        raise StatementRefused(_syntax_error(str(error).splitlines()[0])) from error
    if len(trees) != 1 or isinstance(trees[0], exp.Command):
        raise StatementRefused(_syntax_error("One statement of SQL was expected."))
    tree = trees[0]
    _refuse_foreign_functions(tree, statement)
    return tree


def _syntax_error(detail: str) -> str:
    return f"[PARSE_SYNTAX_ERROR] Syntax error. {detail} SQLSTATE: 42601"


def _refuse_foreign_functions(tree: exp.Expr, statement: str) -> None:
    for node in tree.find_all(exp.Func):
        name = _written_name(node, statement)
        if name.isidentifier() and name not in DATABRICKS_FUNCTIONS:
            raise StatementRefused(
                f"[UNRESOLVED_ROUTINE] Cannot resolve routine `{name}` on search path "
                "[`system`.`builtin`, `system`.`session`]. SQLSTATE: 42883"
            )


def _written_name(function: exp.Func, statement: str) -> str:
    """The function's name as the statement has it; empty where sqlglot kept no place."""
    if isinstance(function, exp.Unnest):
        return "unnest"
    if "start" not in function.meta:
        return ""
    return statement[function.meta["start"] : function.meta["end"] + 1].strip("`").lower()
