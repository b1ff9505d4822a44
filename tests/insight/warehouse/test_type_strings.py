"""What `DESCRIBE` calls a type is read whatever is nested in it, and nothing else is."""

import pytest

from agent_feedback.insight.warehouse.type_strings import SqlType, parse_type

STRING = SqlType("STRING")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", STRING),
        ("decimal(30,9)", SqlType("DECIMAL")),
        (" TIMESTAMP ", SqlType("TIMESTAMP")),
        ("map<string, variant>", SqlType("MAP", element=SqlType("VARIANT"))),
        ("array<array<int>>", SqlType("ARRAY", element=SqlType("ARRAY", element=SqlType("INT")))),
        ("struct<>", SqlType("STRUCT")),
        ("struct<a:string>", SqlType("STRUCT", fields={"a": STRING})),
        ("STRUCT<a STRING NOT NULL>", SqlType("STRUCT", fields={"a": STRING})),
        (
            "struct<a:string COMMENT 'it\\'s, <odd>',b:int>",
            SqlType("STRUCT", fields={"a": STRING, "b": SqlType("INT")}),
        ),
        ("struct<`odd ``name, >`:string>", SqlType("STRUCT", fields={"odd `name, >": STRING})),
        (
            "struct<a:string,... 12 more fields>",
            SqlType("STRUCT", fields={"a": STRING}),
        ),
        (
            "array<struct<source:struct<source_id:string,source_type:string>,tags:map<string,"
            "array<decimal(10,2)>>>>",
            SqlType(
                "ARRAY",
                element=SqlType(
                    "STRUCT",
                    fields={
                        "source": SqlType(
                            "STRUCT", fields={"source_id": STRING, "source_type": STRING}
                        ),
                        "tags": SqlType(
                            "MAP", element=SqlType("ARRAY", element=SqlType("DECIMAL"))
                        ),
                    },
                ),
            ),
        ),
    ],
)
def test_reads_types(text: str, expected: SqlType) -> None:
    """Every form that Databricks documents for a type is read."""
    assert parse_type(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "<", "array<", "array<int", "map<string>", "map<string,int", "int int"),
        *("struct<a:int", "struct<a int b int>", "struct<:int>", "decimal(1", "struct<a:int>>"),
        *("string; DROP TABLE x", "array<int> -- x", "array<" * 100 + "int" + ">" * 100),
    ],
)
def test_refuses_what_is_no_type(text: str) -> None:
    """What is no type is an error, not half a type."""
    with pytest.raises(ValueError, match=r"type|struct"):
        parse_type(text)


def test_fields_are_found_without_case() -> None:
    """A field's name may be written in upper or lower case, as in SQL."""
    found = parse_type("struct<Assessment_ID:string>").field("assessment_id")
    assert found == ("Assessment_ID", STRING)
