"""A location in Unity Catalog is named safely, or refused."""

import pytest
import sqlglot
from sqlglot import exp

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.warehouse.constants import literal
from agent_feedback.insight.warehouse.tables import Tables, parse_tables, quoted


@pytest.mark.parametrize(
    ("text", "unified", "place"),
    [
        ("main.agents.bot", "`main`.`agents`.`bot_trace_unified`", "main.agents.bot"),
        ("main.agents", "`main`.`agents`.`mlflow_experiment_trace_unified`", "main.agents"),
        ("`my-cat`.`s`.p", "`my-cat`.`s`.`p_trace_unified`", "my-cat.s.p"),
        ("Main.Été.1_2-x", "`Main`.`Été`.`1_2-x_trace_unified`", "Main.Été.1_2-x"),
    ],
)
def test_names_the_documented_views(text: str, unified: str, place: str) -> None:
    """The views have the documented names, with a prefix and without one."""
    tables = parse_tables(text)
    assert (tables.unified, tables.place) == (unified, place)
    assert tables.metadata == unified.replace("_unified", "_metadata")


@pytest.mark.parametrize(
    "text",
    [
        *("", "main", "a.b.c.d", "a..b", ".a.b", "a.b.", "a b.c", "a.b;", "a.b\n", "a.b --"),
        *(
            "a.b`",
            "`a.b",
            "`a`b.c",
            "a.`b``c`",
            "a.b.'",
            'a."b"',
            "a.b/*",
            "a.$b",
            "a.b\\",
            "a.(b)",
        ),
        "a.b.x_trace_unified` WHERE 1=1; DROP TABLE `y",
        f"a.{'b' * 256}",
    ],
)
def test_refuses_everything_else(text: str) -> None:
    """What could be more than names is refused in a sentence that does not repeat it."""
    with pytest.raises(ConfigurationError, match=r"--tables is catalog\.schema") as refused:
        parse_tables(text)
    assert not text or len(text) < 4 or text not in str(refused.value)


def selected(sql: str) -> exp.Expr:
    """The only thing that a SELECT of this selects."""
    tree = sqlglot.parse_one(f"SELECT {sql}", read="databricks")
    assert isinstance(tree, exp.Select)
    (found,) = tree.selects
    return found


@pytest.mark.parametrize("name", ["a", "a`b", "``", "a`.`b", "`; DROP TABLE x; --"])
def test_a_quoted_name_is_one_name(name: str) -> None:
    """Whatever a name holds, SQL reads it as that name alone."""
    assert selected(quoted(name)).name == name


@pytest.mark.parametrize(
    "text",
    ["", "a", "it's", "'; DROP TABLE x; --", "\\", "\\'", "a\nb", ":name", "''", '"', "é 😀"],
)
def test_a_literal_is_one_string(text: str) -> None:
    """Whatever a string holds, SQL reads it as that string alone."""
    found = selected(literal(text))
    assert isinstance(found, exp.Literal)
    assert found.name == text


def test_a_schema_has_no_prefix() -> None:
    """Without a prefix there is none."""
    assert parse_tables("a.b") == Tables("a", "b", None)
