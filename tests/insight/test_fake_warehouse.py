"""The fake warehouse executes Databricks SQL, and misbehaves as it is told."""

import json
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError, InternalError, NotFound, PermissionDenied
from databricks.sdk.service.sql import (
    ExecuteStatementRequestOnWaitTimeout,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
)

from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.support.fake_warehouse import FOR_EVER, FakeWarehouse, running_fake_warehouse
from tests.support.warehouse_annotations import create_annotations
from tests.support.warehouse_tables import DOCUMENTED, OTHER, Shape, create_trace_tables

_NOON = 1_735_732_800_123
_TRACES = tuple(
    TraceSpec(
        f"tr-{number:032x}",
        _NOON + number,
        1500 if number else None,
        metadata={"mlflow.trace.user": f"user-{number}"},
        tags={"app_version": "1.2"},
        assessments=(
            AssessmentSpec("a-1", "user_feedback", "HUMAN", "ann", True, _NOON, _NOON + 1),
            AssessmentSpec("a-2", "user_feedback", "HUMAN", "Bob", "no", _NOON, _NOON, valid=False),
            AssessmentSpec(
                "a-3",
                "user_accuracy",
                "HUMAN",
                "ann",
                0.8,
                _NOON,
                _NOON,
                metadata={"agent_feedback.reasons": '["slow"]'},
            ),
            AssessmentSpec(
                "a-4", "expected_response", "HUMAN", "ann", ["x"], _NOON, _NOON, "expectation"
            ),
        )
        if number < 2
        else (),
    )
    for number in range(5)
)
_TABLE = "main.agents.bot_trace_unified"


@pytest.fixture(scope="module")
def served() -> Iterator[FakeWarehouse]:
    """One fake with tables of five traces, for tests that only read."""
    with running_fake_warehouse() as warehouse:
        create_trace_tables(warehouse, _TRACES, "main", "agents", "bot")
        yield warehouse


@pytest.fixture
def fresh() -> Iterator[FakeWarehouse]:
    """A fake of its own for a test that makes it misbehave."""
    with running_fake_warehouse() as warehouse:
        create_trace_tables(warehouse, _TRACES, "main", "agents", "bot")
        yield warehouse


def _client(warehouse: FakeWarehouse) -> WorkspaceClient:
    config = Config(host=warehouse.url, token="a-token", retry_timeout_seconds=1)
    return WorkspaceClient(config=config)


def _execute(
    warehouse: FakeWarehouse,
    statement: str,
    parameters: dict[str, tuple[str, str | None]] | None = None,
    wait_timeout: str = "5s",
) -> StatementResponse:
    items = [
        StatementParameterListItem(name=name, type=kind, value=value)
        for name, (kind, value) in (parameters or {}).items()
    ]
    return _client(warehouse).statement_execution.execute_statement(
        statement, warehouse.warehouse_id, parameters=items, wait_timeout=wait_timeout
    )


def _rows(response: StatementResponse) -> list[list[str]]:
    assert response.status is not None
    assert response.status.state is StatementState.SUCCEEDED, response.status.error
    assert response.result is not None
    return response.result.data_array or []


def _message(response: StatementResponse) -> str:
    assert response.status is not None
    assert response.status.state is StatementState.FAILED
    assert response.status.error is not None
    return response.status.error.message or ""


_EXPRESSIONS: dict[str, str | None] = {
    "true": "true",
    "0.1D + 0.2D": "0.30000000000000004",
    "cast(1.5 as decimal(30,9))": "1.500000000",
    "null": None,
    "timestamp_millis(1735689600123)": "2025-01-01T00:00:00.123Z",
    "timestamp_seconds(1)": "1970-01-01T00:00:01.000Z",
    "unix_millis(timestamp '2025-01-01 00:00:00.5')": "1735689600500",
    "unix_seconds(timestamp '2025-01-01 00:00:00.5')": "1735689600",
    "cast('2025-01-01T02:00:00+02:00' as timestamp)": "2025-01-01T00:00:00.000Z",
    "array(1, null)": "[1,null]",
    "map('a', 1)": '{"a":1}',
    "named_struct('a', 1, 'b', 'x')": '{"a":1,"b":"x"}',
    "map('a', 'b')['a']": "b",
    "map('a', 'b')['z']": None,
    "element_at(map('a', 'b'), 'a')": "b",
    "map_filter(map('a', 1, 'b', 2), (k, v) -> k = 'a' or v > 2)": '{"a":1}',
    "size(split('a,b', ','))": "2",
    "split('a,b', ',')[1]": "b",
    'parse_json(\'{"a": {"b": 2}}\'):a.b::int': "2",
    'parse_json(\'{"a": "x"}\'):a::string': "x",
    'parse_json(\'{"a": "x"}\')': '{"a":"x"}',
    "cast(parse_json('\"x\"') as string)": "x",
    "parse_json('{\"a.b\": 1}'):`a.b`::int": "1",
    "try_parse_json('{')": None,
    "variant_get(parse_json('{\"a\": [1.5]}'), '$.a[0]', 'double')": "1.5",
    "variant_get(parse_json('{\"a.b\": 1}'), '$[\"a.b\"]', 'int')": "1",
    "try_variant_get(parse_json('{\"a\": \"x\"}'), '$.a', 'double')": None,
    "is_variant_null(parse_json('null'))": "true",
    "schema_of_variant(parse_json('true'))": "BOOLEAN",
    "get_json_object('{', '$.a')": None,
    "from_json('[\"a\"]', 'array<string>')": '["a"]',
    "from_json('{\"a\": 1}', 'a INT, b STRING')": '{"a":1,"b":null}',
    "from_json('{', 'array<string>')": None,
    "to_json(named_struct('a', 1, 'b', null))": '{"a":1}',
    "try_cast('x' as double)": None,
    "try_cast(parse_json('[1]') as boolean)": None,
    "cast(1.7D as int)": "1",
    "cast(-1.7D as bigint)": "-1",
    "floor(1.5D)": "1",
    "1 / 2": "0.5",
    "try_divide(1, 0)": None,
    "array_sort(array(2, null, 1))": "[1,2,null]",
    "sort_array(array(2, null, 1))": "[null,1,2]",
    "sort_array(array(2, null, 1), false)": "[2,1,null]",
    "filter(array(1, 2), x -> x > 1)": "[2]",
    "transform(array(1, 2), x -> x * 2)": "[2,4]",
    "exists(array(1, 2), x -> x > 1)": "true",
    "exists(array(), x -> x)": "false",
    "forall(array(1, 2), x -> x > 1)": "false",
    "aggregate(array(1, 2), 0, (a, x) -> a + x)": "3",
    "'abc' rlike '^a'": "true",
    "regexp_like('abc', 'b$')": "false",
    r"'user_a' like 'user\_%'": "true",
    r"'userXa' like 'user\_%'": "false",
}


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_expressions_have_their_meaning_in_databricks(
    served: FakeWarehouse, expression: str
) -> None:
    """Each expression gives what Databricks gives, as the text of a cell."""
    assert _rows(_execute(served, f"SELECT {expression}")) == [[_EXPRESSIONS[expression]]]


_VALUES = "(VALUES (1, 'a', array(1, 2)), (2, 'b', array()), (4, null, null)) AS t(n, s, xs)"
_QUERIES: dict[str, list[list[str | None]]] = {
    f"SELECT percentile(n, 0.5), percentile(n, 0.9), median(n) FROM {_VALUES}": [
        ["2.0", "3.6", "2.0"]
    ],
    f"SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY n) FROM {_VALUES}": [["3.6"]],
    f"SELECT count_if(n > 1), collect_list(s), collect_set(s) FROM {_VALUES} WHERE n < 2": [
        ["0", '["a"]', '["a"]']
    ],
    f"SELECT collect_list(s) FROM {_VALUES} WHERE n > 4": [["[]"]],
    f"SELECT n, x FROM {_VALUES} LATERAL VIEW explode(xs) e AS x ORDER BY 1, 2": [
        ["1", "1"],
        ["1", "2"],
    ],
    f"SELECT n, x FROM {_VALUES} LATERAL VIEW OUTER explode(xs) e AS x ORDER BY 1, 2": [
        ["1", "1"],
        ["1", "2"],
        ["2", None],
        ["4", None],
    ],
    f"SELECT n, p, x FROM {_VALUES} LATERAL VIEW posexplode(xs) e AS p, x ORDER BY 1, 2": [
        ["1", "0", "1"],
        ["1", "1", "2"],
    ],
    f"SELECT n, e.x FROM {_VALUES}, LATERAL explode(t.xs) AS e(x) ORDER BY 1, 2": [
        ["1", "1"],
        ["1", "2"],
    ],
    "SELECT k, v FROM (SELECT map('a', 1) AS m) LATERAL VIEW explode(m) e AS k, v": [["a", "1"]],
    "SELECT explode(array(1, 2)) AS x": [["1"], ["2"]],
    "SELECT explode_outer(array()) AS x": [[None]],
    "SELECT posexplode(array('a'))": [["0", "a"]],
    f"SELECT n FROM {_VALUES} QUALIFY row_number() OVER (ORDER BY n DESC) = 1": [["4"]],
    f"SELECT s, count(*), grouping(s) FROM {_VALUES} WHERE n < 4 "
    "GROUP BY GROUPING SETS ((s), ()) ORDER BY 3, 1": [
        ["a", "1", "0"],
        ["b", "1", "0"],
        [None, "2", "1"],
    ],
    f"SELECT s FROM {_VALUES} ORDER BY s": [[None], ["a"], ["b"]],
}


@pytest.mark.parametrize("query", _QUERIES)
def test_queries_have_their_meaning_in_databricks(served: FakeWarehouse, query: str) -> None:
    """Each query gives the rows that Databricks gives."""
    assert _rows(_execute(served, query)) == _QUERIES[query]


_REFUSED = {
    "SELEC 1 FRM x": "[PARSE_SYNTAX_ERROR]",
    "SELECT 1; SELECT 2": "[PARSE_SYNTAX_ERROR]",
    "SELECT * FROM main.agents.nothing": "[TABLE_OR_VIEW_NOT_FOUND]",
    "SELECT * FROM nowhere.agents.bot_trace_unified": "[TABLE_OR_VIEW_NOT_FOUND]",
    f"SELECT nothing FROM {_TABLE}": "[UNRESOLVED_COLUMN",
    f"SELECT assessments[0].nothing FROM {_TABLE}": "[FIELD_NOT_FOUND]",
    f"SELECT state, count(*) FROM {_TABLE}": "[MISSING_AGGREGATION]",
    "SELECT epoch_ms(now())": "[UNRESOLVED_ROUTINE]",
    "SELECT list_filter(array(1), x -> x > 1)": "[UNRESOLVED_ROUTINE]",
    "SELECT * FROM unnest(array(1))": "[UNRESOLVED_ROUTINE]",
    "SELECT cast('x' AS double)": "[CAST_INVALID_INPUT]",
    "SELECT 1 / (2 - 2)": "[DIVIDE_BY_ZERO]",
    "SELECT :nothing": "[UNBOUND_SQL_PARAMETER]",
    "SELECT transform(array(1), (x, i) -> i)": "[FAKE_UNSUPPORTED]",
    "SELECT array_sort(array(1), (a, b) -> 1)": "[FAKE_UNSUPPORTED]",
}


@pytest.mark.parametrize("statement", _REFUSED)
def test_what_databricks_refuses_ends_in_state_failed(
    served: FakeWarehouse, statement: str
) -> None:
    """A refused statement has state FAILED, and an error class that says why."""
    assert _message(_execute(served, statement)).startswith(_REFUSED[statement])


def test_parameters_are_values_of_their_types(served: FakeWarehouse) -> None:
    """A parameter is cast to its type and never becomes SQL."""
    parameters: dict[str, tuple[str, str | None]] = {
        "text": ("STRING", "x'; DROP TABLE t --"),
        "number": ("BIGINT", "5"),
        "share": ("DOUBLE", "0.5"),
        "yes": ("BOOLEAN", "true"),
        "time": ("TIMESTAMP", "2025-01-01T01:00:00+01:00"),
        "nothing": ("STRING", None),
        "unused": ("STRING", "a"),
    }
    statement = "SELECT :text, :number + 1, :share, :yes, :time, :nothing IS NULL"
    assert _rows(_execute(served, statement, parameters)) == [
        ["x'; DROP TABLE t --", "6", "0.5", "true", "2025-01-01T00:00:00.000Z", "true"]
    ]
    assert "CAST_INVALID_INPUT" in _message(_execute(served, "SELECT :n", {"n": ("INT", "x")}))


def test_results_come_in_chunks(fresh: FakeWarehouse) -> None:
    """Every chunk says where the next one is, and the manifest counts them."""
    fresh.rows_per_chunk = 2
    response = _execute(fresh, f"SELECT trace_id FROM {_TABLE} ORDER BY request_time")
    manifest, result = response.manifest, response.result
    assert manifest is not None
    assert (manifest.total_chunk_count, manifest.total_row_count) == (3, 5)
    found = []
    while result is not None:
        found += result.data_array or []
        index = result.next_chunk_index
        assert (index is None) == (result.next_chunk_internal_link is None)
        assert response.statement_id is not None
        result = (
            None
            if index is None
            else _client(fresh).statement_execution.get_statement_result_chunk_n(
                response.statement_id, index
            )
        )
    assert found == [[f"{number:032x}"] for number in range(5)]
    assert fresh.statements[0].chunks_read == [1, 2]


def test_an_empty_result_has_no_chunk(served: FakeWarehouse) -> None:
    """No rows: no data, and a manifest with the columns."""
    response = _execute(served, f"SELECT trace_id FROM {_TABLE} WHERE state = 'ERROR'")
    assert response.manifest is not None
    assert response.manifest.total_chunk_count == 0
    assert _rows(response) == []


@pytest.mark.parametrize("wait_timeout", ["1s", "51s", "5", "0.5s", "-1s"])
def test_impossible_waits_are_refused(served: FakeWarehouse, wait_timeout: str) -> None:
    """A wait is 0s or from 5s to 50s."""
    with pytest.raises(DatabricksError, match="wait_timeout"):
        _execute(served, "SELECT 1", wait_timeout=wait_timeout)


def test_a_statement_that_nobody_waits_for_is_pending(fresh: FakeWarehouse) -> None:
    """With 0s the answer has no result; a poll has it."""
    response = _execute(fresh, "SELECT 1", wait_timeout="0s")
    assert response.status is not None
    assert response.status.state is StatementState.PENDING
    assert response.statement_id is not None
    polled = _client(fresh).statement_execution.get_statement(response.statement_id)
    assert _rows(polled) == [["1"]]


def test_a_stopped_warehouse_needs_polls(fresh: FakeWarehouse) -> None:
    """PENDING and RUNNING last as many polls as told, whatever the wait."""
    fresh.pending_polls, fresh.running_polls = 2, 1
    response = _execute(fresh, "SELECT 1", wait_timeout="50s")
    assert response.statement_id is not None
    polls = [
        _client(fresh).statement_execution.get_statement(response.statement_id).status
        for _ in range(4)
    ]
    states = [poll.state.value for poll in polls if poll is not None and poll.state is not None]
    assert states == ["PENDING", "PENDING", "RUNNING", "SUCCEEDED"]
    assert fresh.statements[0].polls == 4


def test_a_warehouse_that_never_starts_can_be_left(fresh: FakeWarehouse) -> None:
    """A cancelled statement is CANCELED, and the fake has seen who cancelled."""
    fresh.pending_polls = FOR_EVER
    response = _execute(fresh, "SELECT 1")
    assert response.statement_id is not None
    statements = _client(fresh).statement_execution
    statements.cancel_execution(response.statement_id)
    status = statements.get_statement(response.statement_id).status
    assert status is not None
    assert status.state is StatementState.CANCELED
    assert fresh.statements[0].cancelled


def test_a_wait_can_cancel(fresh: FakeWarehouse) -> None:
    """`on_wait_timeout=CANCEL` ends a statement that is not done in time."""
    fresh.running_polls = 1
    response = _client(fresh).statement_execution.execute_statement(
        "SELECT 1",
        fresh.warehouse_id,
        wait_timeout="5s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
    )
    assert response.status is not None
    assert response.status.state is StatementState.CANCELED


def test_a_missing_warehouse_is_not_found(fresh: FakeWarehouse) -> None:
    """A deleted warehouse, or another id, answers 404."""
    statements = _client(fresh).statement_execution
    with pytest.raises(NotFound):
        statements.execute_statement("SELECT 1", "0123456789abcdef")
    fresh.deleted = True
    with pytest.raises(NotFound):
        _execute(fresh, "SELECT 1")


def test_rights_can_be_missing(fresh: FakeWarehouse) -> None:
    """For the warehouse: 403. For a table: state FAILED."""
    fresh.forbidden = "warehouse"
    with pytest.raises(PermissionDenied):
        _execute(fresh, "SELECT 1")
    fresh.forbidden = "table"
    assert "[INSUFFICIENT_PERMISSIONS]" in _message(_execute(fresh, "SELECT 1"))


def test_statements_fail_as_told(fresh: FakeWarehouse) -> None:
    """One by a part of its text, or every one while it runs."""
    fresh.refusals = {"two": "[SOME_CLASS] No."}
    assert _rows(_execute(fresh, "SELECT 'one'")) == [["one"]]
    assert _message(_execute(fresh, "SELECT 'two'")) == "[SOME_CLASS] No."
    fresh.fails_while_running = "The cluster was lost."
    assert _message(_execute(fresh, "SELECT 'one'")) == "The cluster was lost."


def test_chunks_break_and_results_close(fresh: FakeWarehouse) -> None:
    """A chunk answers 500 or 404 as told."""
    fresh.rows_per_chunk, fresh.broken_chunk, fresh.closed_chunk = 1, 1, 2
    response = _execute(fresh, f"SELECT trace_id FROM {_TABLE}")
    assert response.statement_id is not None
    statements = _client(fresh).statement_execution
    with pytest.raises(InternalError):
        statements.get_statement_result_chunk_n(response.statement_id, 1)
    with pytest.raises(NotFound):
        statements.get_statement_result_chunk_n(response.statement_id, 2)


def test_inline_results_are_limited(fresh: FakeWarehouse) -> None:
    """Too large a result fails; a limit of rows cuts it and says so."""
    statements = _client(fresh).statement_execution
    cut = statements.execute_statement(
        f"SELECT trace_id FROM {_TABLE}", fresh.warehouse_id, row_limit=2
    )
    assert cut.manifest is not None
    assert (cut.manifest.total_row_count, cut.manifest.truncated) == (2, True)
    fresh.inline_bytes = 100
    too_large = _message(_execute(fresh, f"SELECT trace_id FROM {_TABLE}"))
    assert "Inline byte limit exceeded" in too_large


def test_a_workspace_that_is_away_answers_nothing(fresh: FakeWarehouse) -> None:
    """Everything is 503 until it is back."""
    client = _client(fresh)
    fresh.away = True
    with pytest.raises((DatabricksError, TimeoutError)):
        client.statement_execution.execute_statement("SELECT 1", fresh.warehouse_id)
    fresh.away = False
    assert _rows(_execute(fresh, "SELECT 1")) == [["1"]]


def test_the_fake_remembers_what_it_was_asked(fresh: FakeWarehouse) -> None:
    """Text, parameters and the whole request are kept."""
    _execute(fresh, "SELECT :a", {"a": ("STRING", "x")}, wait_timeout="10s")
    (seen,) = fresh.statements
    assert fresh.texts() == ["SELECT :a"]
    assert seen.parameters == [{"name": "a", "type": "STRING", "value": "x"}]
    assert seen.request["wait_timeout"] == "10s"


def test_catalog_and_schema_complete_a_name(served: FakeWarehouse) -> None:
    """A table without its catalog and schema is looked for where the request says."""
    response = _client(served).statement_execution.execute_statement(
        "SELECT count(*) FROM bot_trace_metadata",
        served.warehouse_id,
        catalog="main",
        schema="agents",
    )
    assert _rows(response) == [["5"]]


def _described(warehouse: FakeWarehouse, table: str) -> dict[str, str]:
    return {name: kind for name, kind, _ in _rows(_execute(warehouse, f"DESCRIBE TABLE {table}"))}


def test_the_views_have_the_documented_columns(served: FakeWarehouse) -> None:
    """DESCRIBE gives the columns and Spark types of Databricks' pages, and only the unified view
    knows times.
    """
    unified = _described(served, _TABLE)
    assert unified["request_time"] == "timestamp"
    assert unified["execution_duration_ms"] == "decimal(30,9)"
    assert unified["trace_metadata"] == unified["tags"] == "map<string,string>"
    assert unified["assessments"].startswith(
        "array<struct<assessment_id:string,trace_id:string,assessment_name:string,"
        "source:struct<source_id:string,source_type:string>,create_time:timestamp,"
    )
    assert list(_described(served, "main.agents.bot_trace_metadata")) == [
        "trace_id",
        "client_request_id",
        "tags",
        "trace_metadata",
        "assessments",
    ]


def test_traces_are_stored_as_the_views_hold_them(served: FakeWarehouse) -> None:
    """Hexadecimal ids, times in UTC, maps; NULL where a duration is unknown."""
    statement = f"SELECT trace_id, request_time, execution_duration_ms, state, tags FROM {_TABLE}"
    rows = _rows(_execute(served, f"{statement} ORDER BY request_time LIMIT 2"))
    tags = '{"app_version":"1.2"}'
    assert rows == [
        ["0" * 32, "2025-01-01T12:00:00.123Z", None, "OK", tags],
        ["0" * 31 + "1", "2025-01-01T12:00:00.124Z", "1500.000000000", "OK", tags],
    ]


def test_assessments_are_stored_as_the_views_hold_them(served: FakeWarehouse) -> None:
    """Values as text, `valid` as text or NULL, expectations beside feedback."""
    statement = (
        "SELECT a.assessment_id, a.feedback.value, a.expectation.serialized_value.value, a.valid, "
        "from_json(a.metadata['agent_feedback.reasons'], 'array<string>')[0], a.source.source_id "
        f"FROM {_TABLE} LATERAL VIEW explode(assessments) e AS a "
        "WHERE trace_id LIKE '%1' ORDER BY 1"
    )
    assert _rows(_execute(served, statement)) == [
        ["a-1", "true", None, None, None, "ann"],
        ["a-2", "no", None, "false", None, "Bob"],
        ["a-3", "0.8", None, None, "slow", "ann"],
        ["a-4", None, '["x"]', None, None, "ann"],
    ]
    empty = _execute(served, f"SELECT assessments FROM {_TABLE} WHERE trace_id LIKE '%4'")
    assert _rows(empty) == [["[]"]]


def test_another_shape_has_other_names_and_types(fresh: FakeWarehouse) -> None:
    """The second shape: other names, variants, milliseconds, booleans, a flat source."""
    tables = create_trace_tables(fresh, _TRACES, "main", "agents", "other", OTHER)
    kind = _described(fresh, tables.unified)["assessments"]
    assert "name:string,source_id:string,source_type:string,created_at:bigint" in kind
    assert "feedback:struct<value:variant," in kind
    statement = (
        "SELECT a.name, a.feedback.value::string, try_cast(a.feedback.value AS double), a.valid, "
        "a.updated_at, a.metadata:`agent_feedback.reasons`::string, a.feedback.value "
        f"FROM {tables.metadata} LATERAL VIEW explode(assessments) e AS a "
        "WHERE trace_id LIKE '%0' AND a.assessment_id IN ('a-2', 'a-3') ORDER BY a.assessment_id"
    )
    time = str(_NOON)
    assert _rows(_execute(fresh, statement)) == [
        ["user_feedback", "no", None, "false", time, None, '"no"'],
        ["user_accuracy", "0.8", "0.8", None, time, '["slow"]', "0.8"],
    ]


def test_columns_and_fields_can_be_missing(fresh: FakeWarehouse) -> None:
    """What is left out is neither described nor found."""
    shape = Shape(left_out=("execution_duration_ms", "rationale"))
    tables = create_trace_tables(fresh, _TRACES, "main", "agents", "less", shape)
    described = _described(fresh, tables.unified)
    assert "execution_duration_ms" not in described
    assert "rationale" not in described["assessments"]
    missing = _execute(fresh, f"SELECT execution_duration_ms FROM {tables.unified}")
    assert "[UNRESOLVED_COLUMN" in _message(missing)


@pytest.mark.parametrize(
    ("trace_ids", "expected"),
    [
        ("hex", "0" * 32),
        ("mlflow", "tr-" + "0" * 32),
        ("uri", "trace:/main.agents.ids/" + "0" * 32),
    ],
)
def test_trace_ids_come_in_three_forms(fresh: FakeWarehouse, trace_ids: str, expected: str) -> None:
    """The view's id is bare hexadecimal, MLflow's, or with the location."""
    shape = Shape(trace_ids=trace_ids)  # type: ignore[arg-type]
    tables = create_trace_tables(fresh, _TRACES[:1], "main", "agents", "ids", shape)
    assert _rows(_execute(fresh, f"SELECT trace_id FROM {tables.unified}")) == [[expected]]


def test_nested_values_can_be_text() -> None:
    """Inside arrays and structs, numbers and booleans are JSON's or text, as told."""
    with running_fake_warehouse(nested_as_text=True) as warehouse:
        (row,) = _rows(_execute(warehouse, "SELECT array(1, 2), named_struct('a', true)"))
    assert [json.loads(cell) for cell in row] == [["1", "2"], {"a": "true"}]


def test_tables_can_be_made_anew(fresh: FakeWarehouse) -> None:
    """Creating the same tables again replaces them; no traces make empty ones."""
    tables = create_trace_tables(fresh, (), "main", "agents", "bot", DOCUMENTED)
    assert _rows(_execute(fresh, f"SELECT count(*) FROM {tables.metadata}")) == [["0"]]


def test_annotations_are_appended(fresh: FakeWarehouse) -> None:
    """An update and a deletion are further rows: the latest says what an assessment is."""
    tables = create_trace_tables(fresh, _TRACES[:1], "main", "agents", "bot")
    table = create_annotations(fresh, _TRACES[:1], tables, deleted=("a-2",))
    statement = f"""
        SELECT annotation_id, value::string, deleted_at IS NULL, rows FROM (
          SELECT *, count(*) OVER (PARTITION BY annotation_id) AS rows FROM {table}
          WHERE target_type = 'TRACE' AND annotation_type = 'FEEDBACK'
          QUALIFY row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC) = 1
        ) ORDER BY annotation_id
    """
    assert _rows(_execute(fresh, statement)) == [
        ["a-1", "true", "true", "2"],
        ["a-2", "no", "false", "2"],
        ["a-3", "0.8", "true", "1"],
    ]
    described = _described(fresh, table)
    assert described["value"] == described["metadata"] == "variant"
