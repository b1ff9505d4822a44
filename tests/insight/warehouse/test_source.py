"""A warehouse counts what the definitions in Python count."""

import functools
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent_feedback.insight.content.build import build_report
from agent_feedback.insight.definitions.aggregates import Aggregates
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.formats.html import as_html
from agent_feedback.insight.formats.json_form import as_dict
from agent_feedback.insight.formats.markdown import as_markdown
from agent_feedback.insight.formats.table import as_table
from agent_feedback.insight.warehouse.source import WarehouseSource
from agent_feedback.insight.warehouse.sql import commented
from tests.insight.generated_traces import DAILY, Seeded, any_options, many_traces
from tests.insight.oracle_comparison import assert_same, comparable, counted
from tests.insight.realistic import realistic_traces
from tests.insight.trace_specs import TraceSpec
from tests.insight.warehouse.conftest import CATALOG, PREFIX, SCHEMA, TABLES
from tests.insight.warehouse.stored import PLAIN, UNTIL, rated, store, trace
from tests.support.fake_warehouse import FakeWarehouse
from tests.support.warehouse_tables import DOCUMENTED, OTHER, Shape

MakeSource = Callable[..., WarehouseSource]

# Values of variants keep what text cannot tell apart; the ids are as `counted` has them.
EXACT = Shape(values="variant", trace_ids="mlflow")
SHAPES = (EXACT, replace(OTHER, trace_ids="mlflow"), replace(EXACT, doubles=True))


@pytest.mark.parametrize("seed", range(12))
def test_counts_what_python_counts(fake: FakeWarehouse, source: MakeSource, seed: int) -> None:
    """Every number, list and order is the same, whatever the traces, options and columns' shape."""
    options = any_options(Seeded(seed))
    specs = tuple(map(_without_negative_zero, many_traces(seed, options.window, 250)))
    store(fake, specs, SHAPES[seed % len(SHAPES)])
    found = source().aggregate(options)
    assert_same(comparable(found, options), comparable(counted(specs, options), options))


def _without_negative_zero(spec: TraceSpec) -> TraceSpec:
    """SQL groups -0.0 and 0.0 as one value."""
    changed = (
        replace(one, value=0.0) if str(one.value) == "-0.0" else one for one in spec.assessments
    )
    return replace(spec, assessments=tuple(changed))


@pytest.mark.parametrize("shape", [DOCUMENTED, replace(DOCUMENTED, values="variant")])
def test_counts_the_documented_shape(fake: FakeWarehouse, source: MakeSource, shape: Shape) -> None:
    """Ratings as this package writes them mean the same in columns of text."""
    specs = tuple(realistic_traces(UNTIL))
    store(fake, specs, replace(shape, trace_ids="mlflow"))
    options = replace(PLAIN, by=trace_key("version"))
    found = source().aggregate(options)
    assert_same(comparable(found, options), comparable(counted(specs, options), options))


def test_asks_few_times(fake: FakeWarehouse, source: MakeSource) -> None:
    """A report takes eight statements, a headline one more than looking the columns up."""
    store(fake, tuple(realistic_traces(UNTIL, traces=600)))
    source().aggregate(PLAIN)
    assert len(fake.statements) == 8
    source().headline(PLAIN, PLAIN.window)
    assert len(fake.statements) == 10
    assert fake.texts()[8].startswith("DESCRIBE TABLE")


def test_traces_that_nobody_rated_never_travel(fake: FakeWarehouse, source: MakeSource) -> None:
    """No row is about one of them, also not with a group for each."""
    specs = tuple(
        replace(trace(number), metadata={"mlflow.trace.session": f"s{number}"})
        for number in range(500)
    )
    store(fake, specs)
    options = replace(PLAIN, by=trace_key("session"))
    found = source().aggregate(options)
    assert (found.total.traces, len(found.groups)) == (500, 51)
    rows = [seen.answer.rows for seen in fake.statements[1:] if seen.answer]
    assert sum(map(len, rows)) < 60


def test_ids_are_what_mlflows_client_takes(fake: FakeWarehouse, source: MakeSource) -> None:
    """The views hold a bare id; the client's has the place before it."""
    judge = rated("correct", "no", source_type="LLM_JUDGE")
    store(fake, (trace(1, rated("user_feedback", True, rationale="Good"), judge),))
    found = source().aggregate(PLAIN)
    expected = f"trace:/{TABLES}/{1:032x}"
    assert [one.trace_id for one in found.commented] == [expected]
    assert found.judges["correct"].disagreements == [expected]
    assert [row.trace_id for row in source().ratings(PLAIN)] == [expected]


def test_headline_is_the_windows_sums(fake: FakeWarehouse, source: MakeSource) -> None:
    """Asked alone, a window's sums are those of the whole report."""
    options = any_options(Seeded(3))
    store(fake, many_traces(3, options.window, 200))
    whole: Aggregates = source().aggregate(options)
    assert source().headline(options, options.window) == whole.total
    assert source().headline(options, options.window.previous) == whole.previous


def test_ratings_come_one_by_one_in_order(fake: FakeWarehouse, source: MakeSource) -> None:
    """Newest traces first, then by name and person; each with what its trace is of."""
    first = replace(
        trace(2, rated("user_feedback", False, rationale="Bad", source_id="Bob@x.org")),
        metadata={"mlflow.modelId": "m-1", "mlflow.trace.session": "s"},
    )
    reasons = {"agent_feedback.reasons": '["slow", "wrong"]', "agent_feedback.ledger": "l"}
    words = (
        rated("user_accuracy", 0.4),
        rated("expected_response", "42", kind="expectation", metadata=reasons),
        rated("user_comment", "true"),
    )
    store(fake, (first, trace(1, *words)))
    found = list(source().ratings(PLAIN))
    assert [(row.name, row.person, row.value) for row in found] == [
        ("expected_response", "ann@x.org", "42"),
        ("user_accuracy", "ann@x.org", 0.4),
        ("user_comment", "ann@x.org", "true"),
        ("user_feedback", "bob@x.org", False),
    ]
    assert found[0].reasons == ("slow", "wrong")
    assert (found[3].version, found[3].session, found[3].rationale) == ("m-1", "s", "Bad")


def test_the_newest_commented_traces_are_kept(
    fake: FakeWarehouse, source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit, older traces with words are left out, and the report is told of them."""
    thumbs = (rated("user_feedback", True, rationale="Good"), rated("user_accuracy", 0.2))
    # Newest first; the second has no words.
    store(fake, (*(trace(number, *thumbs) for number in (1, 3, 4, 5)), trace(2, thumbs[1])))
    limited = functools.partial(commented, limit=3)
    monkeypatch.setattr("agent_feedback.insight.warehouse.sql.commented", limited)
    monkeypatch.setattr("agent_feedback.insight.warehouse.source.MAX_COMMENTED", 2)
    found = source().aggregate(PLAIN)
    assert [one.trace_id[-1] for one in found.commented] == ["1", "3"]
    assert found.more_commented
    assert [len(seen.answer.rows) for seen in fake.statements[-1:] if seen.answer] == [6]


@pytest.mark.parametrize("missing", ["trace_metadata", "tags"])
def test_the_other_view_helps_out(fake: FakeWarehouse, source: MakeSource, missing: str) -> None:
    """What the unified view lacks is read from the other one."""
    specs = many_traces(5, DAILY, 100)
    store(fake, specs, EXACT)
    name = f'{fake.engine.catalog(CATALOG)}.{SCHEMA}."{PREFIX}_trace_unified"'
    fake.engine.duckdb(f"ALTER TABLE {name} DROP COLUMN {missing}")
    options = ReportOptions(DAILY, by=trace_key("version"))
    found = source().aggregate(options)
    assert_same(comparable(found, options), comparable(counted(specs, options), options))


def test_experiments_need_a_column(fake: FakeWarehouse, source: MakeSource) -> None:
    """The views do not say of which experiment a trace is: naming one is refused, in any way."""
    store(fake, ())
    for named in ("7", "support"):
        with pytest.raises(ReportError, match="leave --experiment out"):
            source(experiments=(named,)).aggregate(PLAIN)


def test_experiments_are_chosen_where_there_is_a_column(
    fake: FakeWarehouse, source: MakeSource
) -> None:
    """Where a view does say it, only the named experiments' traces are counted."""
    store_with_experiments(fake)
    chosen = source(experiments=("1", "3", "1"))
    assert chosen.headline(PLAIN, PLAIN.window).traces == 2
    assert [one.id for one in chosen.experiments()] == ["1", "3"]


@pytest.mark.parametrize("named", ["support", "", "1\n2", "1 ", "\u0661"])
def test_an_experiment_is_named_by_its_id(
    fake: FakeWarehouse, source: MakeSource, named: str
) -> None:
    """The views hold ids: a name, which no trace could have, is refused and not counted as 0."""
    store_with_experiments(fake)
    asked = source(experiments=("1", named))
    for ask in (asked.aggregate, lambda options: list(asked.ratings(options))):
        with pytest.raises(ReportError, match=r"--experiment takes an experiment's id, [^\n]*\.$"):
            ask(PLAIN)


def store_with_experiments(fake: FakeWarehouse) -> None:
    """Make the tables of three traces, each of an experiment of its own: 1, 2 and 3."""
    store(fake, (trace(1), trace(2), trace(3)))
    name = f'{fake.engine.catalog(CATALOG)}.{SCHEMA}."{PREFIX}_trace_unified"'
    fake.engine.duckdb(f"ALTER TABLE {name} ADD COLUMN experiment_id VARCHAR")
    fake.engine.duckdb(f"UPDATE {name} SET experiment_id = right(trace_id, 1)")


def test_a_report_names_its_tables(fake: FakeWarehouse, source: MakeSource) -> None:
    """Every form says where the traces are, and none links to an experiment that there is not."""
    store(fake, (trace(1, rated("user_feedback", True, rationale="Good")),))
    asked = source()
    options = replace(PLAIN, link_base="https://x.cloud.databricks.com")
    made = build_report(
        asked.aggregate(options),
        options,
        experiments=asked.experiments(),
        source=asked.kind,
        made_at=UNTIL,
    )
    forms = (
        as_html(made, min_count=30),
        as_markdown(made, min_count=30),
        as_table(made, min_count=30),
        json.dumps(as_dict(made)),
    )
    assert all("main.agents.bot" in form.replace("\\", "") for form in forms)
    assert as_dict(made)["experiments"] == [{"id": "", "name": TABLES}]
    assert [comment.link for comment in made.comments] == [None]
    assert "databricks.com" not in "".join(forms)


def test_options_are_never_read_as_sql(fake: FakeWarehouse, source: MakeSource) -> None:
    """Names with quotes and the like are only names, in every option."""
    odd = "x'; DROP TABLE t; --\\"
    specs = (trace(1, rated(odd, True)), trace(2, rated("user_feedback", True, source_id=odd)))
    store(fake, specs)
    options = replace(
        PLAIN,
        aliases={odd: "user_feedback"},
        excluded=frozenset({odd, ":since"}),
        developers=frozenset({"{0}"}),
        by=trace_key(f"tag:{odd}']"),
    )
    found = source().aggregate(options)
    assert found.total.rated_traces == 1
    assert found.left_out == {"excluded_people": 1}
    assert not any(odd in text for text in fake.texts() if "tag" not in text)
