"""The same data gives the same report everywhere, and it is the oracle's."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agent_feedback.insight.content.build import dimensions, headline
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.sources.source import Source
from tests.insight.generated_traces import (
    DAILY,
    HOURLY,
    Case,
    Seeded,
    any_options,
    cases,
    many_traces,
    renamed,
)
from tests.insight.oracle import oracle_report, oracle_rows
from tests.insight.oracle_comparison import assert_same, comparable, counted
from tests.insight.oracle_places import (
    Place,
    Traces,
    mlflow_place,
    postgres_with_tables,
    warehouse_place,
)
from tests.support.fake_warehouse import running_fake_warehouse
from tests.support.mlflow_store import MlflowServer
from tests.support.warehouse_tables import DOCUMENTED, OTHER

_STABLE = settings(deadline=None, database=None, derandomize=True)
PURE = settings(_STABLE, max_examples=120)
STORED = settings(
    _STABLE,
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PLACES = ("sqlite", "server", "postgres", "warehouse", "warehouse of text")
_prefixes = itertools.count()


@pytest.fixture(scope="module", params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Give each place of traces in turn."""
    with ExitStack() as running:
        if request.param.startswith("warehouse"):
            fake = running.enter_context(running_fake_warehouse())
            shape = DOCUMENTED if request.param == "warehouse of text" else OTHER
            yield warehouse_place(fake, replace(shape, trace_ids="mlflow"))
        elif request.param == "postgres":
            url = postgres_with_tables(request.getfixturevalue("postgres_url"), "sources_agree")
            yield running.enter_context(mlflow_place(url))
        elif request.param == "server":
            server: MlflowServer = request.getfixturevalue("mlflow_server")
            yield running.enter_context(mlflow_place(server.url, f"sqlite:///{server._database}"))
        else:
            file = tmp_path_factory.mktemp("sources-agree") / "mlflow.db"
            shutil.copy(request.getfixturevalue("empty_mlflow_store"), file)
            yield running.enter_context(mlflow_place(f"sqlite:///{file}"))


@PURE
@given(cases())
def test_what_is_counted_one_by_one_is_the_oracles(case: Case) -> None:
    """Every member of the report is what brute force finds, whatever the traces and options."""
    seen = comparable(counted(case.traces, case.options), case.options)
    assert_same(seen, oracle_report(case.traces, case.options))


@pytest.mark.parametrize("seed", range(20))
def test_many_traces_counted_one_by_one_are_the_oracles(seed: int) -> None:
    """The same of more traces at once, where people, names and times collide more often."""
    options = any_options(Seeded(seed))
    traces = many_traces(seed, options.window, 60)
    assert_same(comparable(counted(traces, options), options), oracle_report(traces, options))


@STORED
@given(case=cases(max_traces=5))
def test_every_place_gives_the_oracles_report(place: Place, case: Case) -> None:
    """Few traces of any kind, which shrink where a place counts them differently."""
    traces = renamed(case.traces, f"example-{next(_prefixes)}")
    _assert_oracles(place.store(traces), place.as_read(traces), case.options)


@pytest.mark.parametrize("window", [HOURLY, DAILY], ids=["hours", "days"])
def test_every_place_gives_the_oracles_report_of_many_traces(place: Place, window: Window) -> None:
    """Many traces, asked for in several ways."""
    seed = 10_000 + (window == DAILY)
    traces = many_traces(seed, window, 100)
    source = place.store(traces)
    for asked in range(3):
        options = replace(any_options(Seeded(100 * seed + asked)), window=window)
        _assert_oracles(source, place.as_read(traces), options)


def _assert_oracles(source: Source, traces: Traces, options: ReportOptions) -> None:
    expected = oracle_report(traces, options)
    assert_same(comparable(source.aggregate(options), options), expected, source.kind)
    sums = source.headline(options, options.window)
    quick: dict[str, Any] = {
        "headline": asdict(headline(sums, options)),
        "dimensions": {name: asdict(one) for name, one in dimensions(sums, options).items()},
    }
    assert_same(quick, {name: expected[name] for name in quick}, "asked for the headline:")
    rows = {"rows": [asdict(row) for row in source.ratings(options)]}
    assert_same(rows, {"rows": oracle_rows(traces, options)})
