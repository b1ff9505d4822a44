"""The views are read as DESCRIBE shows them; what is missing is one sentence."""

import pytest

from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.warehouse.tables import parse_tables
from agent_feedback.insight.warehouse.view import columns_of, trace_view

TABLES = parse_tables("main.agents.bot")
STRUCT = {
    "assessment_id": "string",
    "assessment_name": "string",
    "source": "struct<source_id:string,source_type:string>",
    "create_time": "timestamp",
    "last_update_time": "timestamp",
    "expectation": "struct<value:string,serialized_value:struct<value:string>>",
    "feedback": "struct<value:string>",
    "rationale": "string",
    "metadata": "map<string,string>",
    "span_id": "string",
    "valid": "string",
}
COLUMNS = {
    "trace_id": "string",
    "request_time": "timestamp",
    "state": "string",
    "execution_duration_ms": "decimal(30,9)",
    "trace_metadata": "map<string,string>",
    "tags": "map<string,string>",
    "assessments": "array<struct<{}>>",
}


def _rows(left_out: str = "", **changed: str) -> list[tuple[str, str]]:
    fields = STRUCT | {name: type_ for name, type_ in changed.items() if name in STRUCT}
    struct = ",".join(f"{name}:{kind}" for name, kind in fields.items() if name != left_out)
    columns = COLUMNS | {name: type_ for name, type_ in changed.items() if name in COLUMNS}
    return [
        (name, kind.replace("{}", struct)) for name, kind in columns.items() if name != left_out
    ]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        *((name, name) for name in ("trace_id", "request_time", "state", "execution_duration_ms")),
        *((name, name) for name in ("trace_metadata", "assessments")),
        *((name, f"assessments.{name}") for name in ("assessment_id", "assessment_name")),
        *((name, f"assessments.{name}") for name in ("create_time", "last_update_time")),
        *((name, f"assessments.{name}") for name in ("rationale", "metadata", "valid")),
        ("source", "assessments.source.source_type"),
        ("feedback", "assessments.feedback.value"),
    ],
)
def test_what_is_needed_and_missing_is_named(missing: str, named: str) -> None:
    """The sentence names the view and the column or field."""
    with pytest.raises(ReportError) as refused:
        trace_view(TABLES, columns_of(_rows(missing)))
    assert f"`main`.`agents`.`bot_trace_unified` has no column {named}:" in str(refused.value)


@pytest.mark.parametrize("missing", ["span_id", "expectation", "tags"])
def test_what_is_optional_may_be_missing(missing: str) -> None:
    """Fields that not every version of the views has are done without."""
    view = trace_view(TABLES, columns_of(_rows(missing)))
    assert (view.value_at(("tag", "app_version")) == "NULL") == (missing == "tags")


def test_the_other_view_is_joined_for_what_only_it_has() -> None:
    """Metadata, tags and assessments are taken from the second view where the first lacks them."""
    view = trace_view(TABLES, columns_of(_rows("trace_metadata")), columns_of(_rows()))
    assert "LEFT JOIN `main`.`agents`.`bot_trace_metadata` AS m" in view.source
    assert (view.metadata.sql, view.assessments) == ("m.trace_metadata", "t.assessments")


@pytest.mark.parametrize(
    "changed",
    [
        {"create_time": "map<string,string>"},
        {"assessments": "string"},
        {"assessments": "array<string>"},
        {"assessments": "array<struct<"},
        {"request_time": "binary"},
    ],
)
def test_a_shape_that_is_not_known_is_one_sentence(changed: dict[str, str]) -> None:
    """Types that cannot be read are told, not guessed."""
    with pytest.raises(ReportError, match=r"not known to this version|has no column"):
        trace_view(TABLES, columns_of(_rows(**changed)))


def test_columns_end_where_the_partitions_begin() -> None:
    """DESCRIBE goes on with partition information, which holds no columns."""
    rows = [("a", "string"), ("", ""), ("# Partition Information", ""), ("b", "int")]
    assert list(columns_of(rows)) == ["a"]
