"""What a report costs: `python -m benchmarks.report`.

Each part is measured in a process of its own, over the same MLflow store in an SQLite file, which
is read without a server in between. Times are of computing. The parts that take milliseconds take
turns in one process.
"""

import argparse
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
# At more traces, reading them one by one takes too long to be measured.
MOST_ONE_BY_ONE = 10_000
ROUNDS = 7
# The store is a file that this process reads itself: what it takes is computing. That is counted,
# and not what else the machine does meanwhile, as the parts run for seconds and for minutes.
CLOCK = time.process_time

_COUNT = """
SELECT count(*) FROM trace_info
WHERE experiment_id = :experiment AND timestamp_ms >= :since AND timestamp_ms < :until
"""
_LATEST = """
WITH found AS (
    SELECT assessments.*, lower(source_id) AS person, row_number() OVER (
        PARTITION BY trace_id, lower(source_id), name
        ORDER BY last_updated_timestamp DESC, created_timestamp DESC, assessment_id DESC
    ) AS place
    FROM assessments JOIN trace_info ON request_id = trace_id
    WHERE trace_info.experiment_id = :experiment AND timestamp_ms >= :since
        AND timestamp_ms < :until AND source_type = 'HUMAN' AND valid AND span_id IS NULL
        AND run_id IS NULL AND name LIKE 'user\\_%' ESCAPE '\\'
)
"""
_RATED = f"{_LATEST} SELECT count(DISTINCT trace_id) FROM found WHERE place = 1"
_RATINGS = f"""{_LATEST}
SELECT name, person, json(value), count(*) FROM found WHERE place = 1 GROUP BY 1, 2, 3
"""


# -- the parts, each in a process of its own ---------------------------------------------------


def one_by_one(uri: str, experiment: str) -> float:
    """Time the requirement document's two snippets, with what they need to run.

    Both are given the traces of the window, page by page, and ask for each by its id again.
    """
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    begun = CLOCK()
    traces: list[Any] = []
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment], filter_string=_in_window(), max_results=500, page_token=token
        )
        traces += page
        if not (token := page.token):
            break
    with_feedback = positive = 0
    for trace in traces:
        detail = client.get_trace(trace.info.trace_id)
        thumbs = [one for one in _of_people(detail) if one.name == "user_feedback"]
        if thumbs:
            latest = max(thumbs, key=lambda one: one.last_update_time_ms)
            with_feedback += 1
            positive += bool(latest.value)
    by_dimension: dict[str, list[float]] = {}
    for trace in traces:
        for one in _of_people(client.get_trace(trace.info.trace_id)):
            if one.name.startswith("user_") and one.name != "user_feedback":
                by_dimension.setdefault(one.name, []).append(one.value)
    took = CLOCK() - begun
    assert with_feedback
    assert by_dimension
    return took


def _of_people(trace: Any) -> list[Any]:
    return [one for one in trace.info.assessments if one.source.source_type == "HUMAN"]


def quick_parts(uri: str, experiment: str) -> dict[str, float]:
    """Time a headline with its dimensions, the same by SQL, and one page, in turns."""
    import mlflow

    from agent_feedback.insight.content import build
    from agent_feedback.insight.definitions.options import ReportOptions
    from agent_feedback.insight.sources.mlflow_source import MlflowSource
    from benchmarks.rated_traces import EXPERIMENT, WINDOW

    mlflow.set_tracking_uri(uri)
    source, options = MlflowSource([EXPERIMENT]), ReportOptions(window=WINDOW)
    source.experiments()

    def headline() -> tuple[int, int, Counter[tuple[str, float]]]:
        sums = source.headline(options, WINDOW)
        build.headline(sums, options)
        build.dimensions(sums, options)
        ratings = Counter[tuple[str, float]]()
        for name, of_people in sums.ratings.items():
            for (_, value), number in of_people.items():
                ratings[name, value] += number
        return sums.traces, sums.rated_traces, ratings

    parts: dict[str, Callable[[], object]] = {
        "headline": headline,
        "sql": partial(by_sql, uri, experiment),
        "page": partial(one_page, uri, experiment),
    }
    # Once to warm up, and to see that they count the same.
    answers = {name: part() for name, part in parts.items()}
    assert answers["headline"] == answers["sql"], (answers["headline"], answers["sql"])
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for name, part in parts.items():
            begun = CLOCK()
            part()
            seconds[name].append(CLOCK() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def by_sql(uri: str, experiment: str) -> tuple[int, int, Counter[tuple[str, float]]]:
    """Count traces, rated traces and ratings on MLflow's own tables."""
    from benchmarks.rated_traces import WINDOW

    bound = {"experiment": int(experiment), "since": WINDOW.since, "until": WINDOW.until}
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    ((traces,),) = connection.execute(_COUNT, bound)
    ((rated,),) = connection.execute(_RATED, bound)
    ratings = Counter[tuple[str, float]]()
    for name, _, value, number in connection.execute(_RATINGS, bound):
        ratings[name, float(json.loads(value))] += number
    connection.close()
    return traces, rated, ratings


def one_page(uri: str, experiment: str) -> int:
    """Read one page of the largest size that reports use."""
    from mlflow.tracing.client import TracingClient

    from agent_feedback.mlflow_client.trace_pages import DATABASE_PAGE

    found, _ = TracingClient(uri).store.search_traces(
        locations=[experiment],
        filter_string=_in_window(),
        max_results=DATABASE_PAGE,
        order_by=["timestamp_ms DESC"],
    )
    return len(found)


def whole_report(uri: str, experiment: str) -> dict[str, float]:
    """Time the counting of everything, and the making of the report: the second is what counts."""
    import mlflow

    from agent_feedback.insight.content.build import build_report
    from agent_feedback.insight.definitions.options import ReportOptions
    from agent_feedback.insight.sources.mlflow_source import MlflowSource
    from benchmarks.rated_traces import EXPERIMENT, WINDOW

    mlflow.set_tracking_uri(uri)
    source, options = MlflowSource([EXPERIMENT]), ReportOptions(window=WINDOW)
    experiments = source.experiments()
    begun = CLOCK()
    counts = source.aggregate(options)
    took = {"aggregate": CLOCK() - begun}
    # The first report imports scikit-learn and scipy. Imports count nowhere here.
    for name in ("first build", "build"):
        begun = CLOCK()
        build_report(
            counts, options, experiments=experiments, source="mlflow", made_at=WINDOW.until
        )
        took[name] = CLOCK() - begun
    return took


def _in_window() -> str:
    from benchmarks.rated_traces import WINDOW

    return f"timestamp_ms >= {WINDOW.since} AND timestamp_ms < {WINDOW.until}"


PARTS: dict[str, Callable[[str, str], Any]] = {
    "one_by_one": one_by_one,
    "quick_parts": quick_parts,
    "whole_report": whole_report,
}


# -- the run and its table ---------------------------------------------------------------------


def measured(part: str, uri: str, experiment: str) -> tuple[Any, float]:
    """Run a part in a fresh process; give what it timed, and its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.report", "--part", part, uri, experiment]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["answer"], answer["peak_mb"]


def row(folder: Path, traces: int) -> list[str]:
    """Measure everything at one size."""
    from benchmarks.rated_traces import build_store

    uri = f"sqlite:///{folder / f'{traces}.db'}"
    can_read_each = traces <= MOST_ONE_BY_ONE
    experiment = build_store(uri, traces, with_spans=can_read_each)
    quick, _ = measured("quick_parts", uri, experiment)
    whole, peak = measured("whole_report", uri, experiment)
    seconds = whole["aggregate"] + whole["build"]
    cells = [
        f"{traces:,}",
        *(f"{1000 * quick[name]:,.1f}" for name in ("headline", "sql", "page")),
        f"{quick['headline'] / (quick['sql'] + quick['page']):.2f}",
        f"{whole['aggregate']:,.2f}",
        f"{whole['build']:,.2f}",
        f"{1e6 * whole['aggregate'] / traces:,.0f}",
        f"{peak:,.0f}",
    ]
    if not can_read_each:
        return [*cells, "", "", ""]
    slow, _ = measured("one_by_one", uri, experiment)
    return [
        *cells,
        f"{slow:,.1f}",
        f"{slow / quick['headline']:,.0f}",
        f"{slow / seconds:,.0f}",
    ]


def table_of(rows: list[list[str]]) -> Table:
    """Lay the results out."""
    titles = (
        *("traces", "headline\nms", "SQL\nms", "page\nms", "headline ÷\n(SQL + page)"),
        *("aggregate\ns", "build\ns", "aggregate\nµs/trace", "peak\nMB"),
        *("one by one\ns", "÷\nheadline", "÷ aggregate\n+ build"),
    )
    table = Table()
    for title in titles:
        table.add_column(title, justify="right")
    for cells in rows:
        table.add_row(*cells)
    return table


def main() -> int:
    """Run the benchmark, or one part of it."""
    parser = argparse.ArgumentParser(description="What a report costs.")
    parser.add_argument("--traces", type=int, action="append", help="instead of the usual sizes")
    parser.add_argument("--million", action="store_true", help="a million traces too")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        part, uri, experiment = chosen.part
        answer = PARTS[part](uri, experiment)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"answer": answer, "peak_mb": peak}))
        return 0
    sizes = [*(chosen.traces or SIZES), *([MILLION] if chosen.million else [])]
    # As wide as the table, also where the output is not a terminal.
    console = Console(width=140)
    rows = []
    with tempfile.TemporaryDirectory(prefix="agent-feedback-bench-") as folder:
        for traces in sizes:
            console.print(f"{traces:,} traces")
            rows.append(row(Path(folder), traces))
            console.print(table_of(rows[-1:]))
    console.print(table_of(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
