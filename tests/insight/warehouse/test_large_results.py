"""What is larger than one result may be is counted in parts of its window."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent_feedback.insight.definitions.options import Comparison, ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window, iso
from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.formats.csv_form import write_csv
from agent_feedback.insight.warehouse.source import WarehouseSource
from tests.insight.generated_traces import DAILY, Seeded, any_options, many_traces
from tests.insight.oracle_comparison import assert_same, comparable, counted
from tests.insight.warehouse.stored import PLAIN, UNTIL, rated, store, trace
from tests.support.fake_warehouse import FakeWarehouse

MakeSource = Callable[..., WarehouseSource]
VERSIONS = Comparison(trace_key("version"), "v1", "v2")


def csv_of(source: WarehouseSource, options: ReportOptions) -> str:
    """The form with a row per rating."""
    file = io.StringIO()
    write_csv(source.ratings(options), file, options.scale)
    return file.getvalue()


def test_a_result_that_is_too_large_comes_in_parts(fake: FakeWarehouse, source: MakeSource) -> None:
    """A window with more text than a statement may return is asked for in halves, in order."""
    specs = tuple(
        trace(number * 11_000_000, rated("user_feedback", True, rationale="x" * 500))
        for number in range(100)
    )
    store(fake, specs)
    whole, spoken = list(source().ratings(PLAIN)), source().aggregate(PLAIN).commented
    fake.inline_bytes = 12_000
    assert list(source().ratings(PLAIN)) == whole
    assert source().aggregate(PLAIN).commented == spoken
    assert len(whole) == len(spoken) == 100


def test_sums_that_are_too_large_come_in_parts(fake: FakeWarehouse, source: MakeSource) -> None:
    """Numbers, texts and rows do not depend on how many statements they come from."""
    options = replace(any_options(Seeded(4)), window=DAILY, by=None, compare=VERSIONS)
    store(fake, many_traces(4, DAILY, 250))
    asked = source()
    whole = asked.aggregate(options)
    headline, table = asked.headline(options, DAILY), csv_of(asked, options)
    fake.statements.clear()
    fake.inline_bytes = 3_500
    parts = asked.aggregate(options)
    assert parts == whole
    assert comparable(parts, options) == comparable(whole, options)
    assert asked.headline(options, DAILY) == headline == whole.total
    assert csv_of(asked, options) == table
    assert sum("AS rated" in text for text in fake.texts()) > 8


def test_the_whole_window_ranks_groups(fake: FakeWarehouse, source: MakeSource) -> None:
    """The largest groups are those of the window, not of the parts in which it is read."""
    # Of 60 sessions all are in the older half; in the newer, those that are small in the older.
    sessions = [f"s{n:02}" for n in range(60) for _ in range(10 - n // 10)]
    sessions += [f"s{n:02}" for n in range(59, 39, -1) for _ in range(2)]
    specs = tuple(
        replace(
            trace(0, rated("user_feedback", bool(n % 3), source_id=f"p{n % 7}")),
            trace_id=f"tr-{n:032x}",
            started_at=PLAIN.window.since + n * 2_400_000,
            metadata={"mlflow.trace.session": session},
        )
        for n, session in enumerate(sessions)
    )
    store(fake, specs)
    options, asked = replace(PLAIN, by=trace_key("session")), source()
    whole = asked.aggregate(options)
    assert len(whole.groups) == 51
    assert_same(comparable(whole, options), comparable(counted(specs, options), options))
    fake.inline_bytes = 8_000
    assert asked.aggregate(options) == whole
    in_parts = [seen for seen in fake.statements if "part_since" in seen.statement]
    assert len(in_parts) > 5


@pytest.mark.parametrize("by", [None, "session"])
def test_a_millisecond_that_is_too_large_is_told(
    fake: FakeWarehouse, source: MakeSource, by: str | None
) -> None:
    """Halving ends at a millisecond, and the sentence says at which."""
    people = (rated("user_feedback", True, source_id=f"p{n}", rationale="x") for n in range(99))
    store(fake, (replace(trace(1, *people), started_at=UNTIL - 3), trace(99)))
    options = replace(PLAIN, window=Window(UNTIL - 200, UNTIL), by=trace_key(by) if by else None)
    asked = source()
    asked.view()
    fake.inline_bytes = 1000
    sentence = rf"of one millisecond, {iso(UNTIL - 3)}, is larger than the 25 MiB [^\n]*\.$"
    with pytest.raises(ReportError, match=sentence):
        asked.aggregate(options)
    with pytest.raises(ReportError, match=sentence):
        asked.headline(options, options.window)
    with pytest.raises(ReportError, match=sentence):
        list(asked.ratings(options))
