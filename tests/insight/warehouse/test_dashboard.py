"""The dashboard's statements give the report's numbers, and its file is whole."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent_feedback.insight.definitions.aggregates import Sums
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.warehouse.client import Row
from agent_feedback.insight.warehouse.dashboard import dashboard
from agent_feedback.insight.warehouse.source import WarehouseSource
from tests.insight.realistic import realistic_traces
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.insight.warehouse.conftest import CATALOG, PREFIX, SCHEMA
from tests.support.fake_warehouse import FakeWarehouse
from tests.support.warehouse_tables import create_trace_tables

MakeSource = Callable[..., WarehouseSource]
DAY = 86_400_000
DAYS = {"name": "days", "value": "30", "type": "INT"}


@pytest.fixture
def now() -> int:
    """The present time: the dashboard's statements ask the warehouse's own clock."""
    return int(time.time() * 1000)


def store(fake: FakeWarehouse, specs: tuple[TraceSpec, ...]) -> None:
    """Make the tables of these traces."""
    create_trace_tables(fake, specs, CATALOG, SCHEMA, PREFIX)


def answers(fake: FakeWarehouse, file: dict[str, Any]) -> dict[str, list[Row]]:
    """Execute the statement of every dataset with the parameter that the dashboard sends."""
    found: dict[str, list[Row]] = {}
    for dataset in file["datasets"]:
        found[dataset["name"]] = list(fake.engine.run("".join(dataset["queryLines"]), [DAYS]).rows)
    return found


def rates(sums: Sums) -> dict[str, float]:
    """The two rates that the dashboard shows of a group."""
    thumbs: dict[tuple[str, float], int] = dict(sums.ratings.get("user_feedback", {}))
    positive = sum(number for (_, value), number in thumbs.items() if value == 1)
    rated = {"feedback rate": sums.rated_traces / sums.traces}
    return rated | ({"positive rate": positive / sum(thumbs.values())} if thumbs else {})


def test_the_datasets_are_the_reports_numbers(
    fake: FakeWarehouse, source: MakeSource, now: int
) -> None:
    """Totals, rates by day and rates by version are those of a report of the same window."""
    store(fake, tuple(realistic_traces(now - 60_000)))
    window = Window(now - 30 * DAY, now)
    options = ReportOptions(window, by=trace_key("version"))
    report = source().aggregate(options)
    found = answers(fake, dashboard(source().view(), options))
    ((traces, rated, _, positive_rate),) = found["total"]
    assert (int(traces or 0), int(rated or 0)) == (report.total.traces, report.total.rated_traces)
    assert float(positive_rate or 0) == pytest.approx(rates(report.total)["positive rate"])
    days = {
        time.strftime("%Y-%m-%d", time.gmtime(start / 1000)): rates(sums)
        for start, sums in report.buckets.items()
    }
    versions = {key: rates(sums) for key, sums in report.groups.items()}
    for name, expected in (("by_day", days), ("by_version", versions)):
        seen: dict[str, dict[str, float]] = {}
        for key, measure, value, _ in found[name]:
            if not (measure or "").startswith("judge "):
                seen.setdefault((key or "")[:10], {})[measure or ""] = float(value or 0)
        assert {key: pytest.approx(one) for key, one in expected.items()} == seen


def test_judges_stand_beside_people(fake: FakeWarehouse, source: MakeSource, now: int) -> None:
    """Yes and no count as 1 and 0, numbers as themselves, and what is neither not at all."""
    values = (True, "no", 0.25, "maybe", 7)
    specs = tuple(
        TraceSpec(
            f"tr-{number:032x}",
            now - 60_000 * (number + 1),
            assessments=(
                AssessmentSpec(f"a{number}", "safety", "LLM_JUDGE", "j", value, now, now),
            ),
        )
        for number, value in enumerate(values)
    )
    store(fake, specs)
    found = answers(fake, dashboard(source().view(), ReportOptions(Window(0, now))))
    ((_, _, value, number),) = (row for row in found["by_version"] if row[1] == "judge safety")
    assert float(value or 0) == pytest.approx(1.25 / 3)
    assert number == "3"


def test_options_are_literals(fake: FakeWarehouse, source: MakeSource, now: int) -> None:
    """People and aliases are in the statements, quoted whatever is in them."""
    odd = "x'; DROP TABLE t; --\\"
    thumbs = (odd, "ann@x.org", "bot@x.org")
    specs = tuple(
        TraceSpec(
            f"tr-{number:032x}",
            now - 60_000,
            assessments=(AssessmentSpec(f"a{number}", odd, "HUMAN", person, True, now, now),),
        )
        for number, person in enumerate(thumbs)
    )
    store(fake, specs)
    options = ReportOptions(
        Window(0, now),
        aliases={odd: "user_feedback"},
        excluded=frozenset({odd, "someone\nelse"}),
        developers=frozenset({"bot@x.org"}),
    )
    found = answers(fake, dashboard(source().view(), options))
    assert found["total"][0][:2] == ["3", "1"]


def test_every_widget_has_its_columns(fake: FakeWarehouse, source: MakeSource) -> None:
    """The file is JSON; widgets ask datasets that exist for columns that these have."""
    store(fake, ())
    options = ReportOptions(Window(0, DAY), aliases={"User feedback": "user_feedback"})
    file = json.loads(json.dumps(dashboard(source().view(), options, days=7)))
    columns = {
        dataset["name"]: [
            name for name, _ in fake.engine.run("".join(dataset["queryLines"]), [DAYS]).columns
        ]
        for dataset in file["datasets"]
    }
    layout = file["pages"][0]["layout"]
    for item in layout:
        for query in (one["query"] for one in item["widget"]["queries"]):
            asked = {field["name"] for field in query.get("fields", [])}
            assert asked <= set(columns[query["datasetName"]])
    assert len({item["widget"]["name"] for item in layout}) == len(layout)
    assert _overlaps([item["position"] for item in layout]) == []
    shown = file["datasets"][0]["parameters"][0]["defaultSelection"]["values"]["values"]
    assert shown == [{"value": "7"}]


def test_no_thumbs_are_no_rate(fake: FakeWarehouse, source: MakeSource, now: int) -> None:
    """Where nothing is known, nothing is shown: never 0."""
    store(fake, ())
    options = replace(ReportOptions(Window(0, now)), by=None)
    found = answers(fake, dashboard(source().view(), options))
    assert found == {"total": [["0", "0", None, None]], "by_day": [], "by_version": []}


def _overlaps(places: list[dict[str, int]]) -> list[tuple[int, int]]:
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["width"])
        for y in range(place["y"], place["y"] + place["height"])
    ]
    return [cell for cell in set(cells) if cells.count(cell) > 1 or cell[0] > 5]
