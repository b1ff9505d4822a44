"""How much slower an agent gets through the plugin: `make bench`.

Every number is a median, and the agent without the plugin and the same agent with it take
turns, request by request, so that a slow moment of the machine meets both. All servers are
launched several times, because even two processes of one program differ by some percent.
Tracing is on; stores and ledgers are SQLite files in a temporary folder.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import client
from benchmarks.agents import Agent, Mode
from benchmarks.servers import running

CLIENTS = 16
# For what a server still does after its answer. Without it the same server twice differed by up
# to 40 % in its time to the first event, with it by 1 %.
PAUSE_SECONDS = 0.02

Samples = dict[Mode, list[float]]


@dataclass(frozen=True, eq=False)
class Measurement:
    """One quantity of one agent, and the bounds that its ratios to the bare agent must keep."""

    title: str
    agent: Agent
    unit: str
    turns: int
    """How often each mode is asked in one round, before the traces are stored."""
    measure: Callable[[int], float]
    bounds: dict[Mode, "Bound"]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The servers that it compares."""
        return ("bare", *self.bounds)


@dataclass(frozen=True)
class Bound:
    """What the ratio to the bare agent must be at least or at most; neither: told only."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, ratio: float) -> bool:
        """Say whether the ratio keeps the bound."""
        low = self.at_least is None or ratio >= self.at_least
        return low and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"


@dataclass
class Result:
    """What one mode of one measurement came to, launch by launch."""

    measurement: Measurement
    mode: Mode
    medians: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def bound(self) -> Bound:
        """What its ratio must keep."""
        return self.measurement.bounds.get(self.mode, Bound())

    @property
    def ratio(self) -> float:
        """The median of the launches' ratios to the bare agent."""
        return statistics.median(self.ratios)

    @property
    def verdict(self) -> str:
        """Whether the ratio keeps its bound, in a word."""
        if not str(self.bound):
            return ""
        return "kept" if self.bound.holds(self.ratio) else "MISSED"


def measurements(events: int) -> list[Measurement]:
    """Return everything that is measured, with the design's promises as bounds."""

    def stream(port: int) -> float:
        return client.events_per_second(port, events)

    def first(port: int) -> float:
        return client.first_event_seconds(port) * 1000

    def answers(port: int) -> float:
        return CLIENTS / client.concurrent_seconds(port, CLIENTS)

    cost: dict[Mode, Bound] = {"registered": Bound(at_least=0.97), "mounted": Bound(at_least=0.9)}
    wait: dict[Mode, Bound] = {"mounted": Bound(at_most=1.05)}
    gain: dict[Mode, Bound] = {"mounted": Bound(at_least=10)}
    told: dict[Mode, Bound] = {"mounted": Bound()}
    return [
        Measurement("stream, untyped", "untyped", "events/s", 5, stream, cost),
        Measurement("first event, untyped", "untyped", "ms", 60, first, wait),
        Measurement("stream, Responses", "responses", "events/s", 5, stream, cost),
        Measurement("first event, Responses", "responses", "ms", 60, first, wait),
        Measurement(f"sync, {CLIENTS} clients", "sync", "answers/s", 1, answers, gain),
        Measurement("stream, sync", "sync", "events/s", 5, stream, told),
    ]


def run(wanted: list[Measurement], launches: int, rounds: int, console: Console) -> list[Result]:
    """Measure everything in every launch, one agent's servers at a time."""
    results = [Result(measurement, mode) for measurement in wanted for mode in measurement.modes]
    with tempfile.TemporaryDirectory(prefix="agent-feedback-bench-") as folder:
        for launch in range(launches):
            console.print(f"launch {launch + 1} of {launches}")
            for agent in dict.fromkeys(measurement.agent for measurement in wanted):
                own = [result for result in results if result.measurement.agent == agent]
                _launch(agent, own, rounds, Path(folder))
    return results


def _launch(agent: Agent, results: list[Result], rounds: int, folder: Path) -> None:
    modes = tuple(dict.fromkeys(result.mode for result in results))
    with running(agent, modes, folder) as ports:
        for measurement in dict.fromkeys(result.measurement for result in results):
            samples = _samples(measurement, ports, rounds)
            medians = {mode: statistics.median(values) for mode, values in samples.items()}
            for result in results:
                if result.measurement is measurement:
                    result.medians.append(medians[result.mode])
                    result.ratios.append(medians[result.mode] / medians["bare"])


def _samples(measurement: Measurement, ports: dict[Mode, int], rounds: int) -> Samples:
    _round(measurement, ports)  # To warm up.
    samples: Samples = {mode: [] for mode in measurement.modes}
    for _ in range(rounds):
        for mode, values in _round(measurement, ports).items():
            samples[mode] += values
    return samples


def _round(measurement: Measurement, ports: dict[Mode, int]) -> Samples:
    values: Samples = {mode: [] for mode in measurement.modes}
    for turn in range(measurement.turns):
        for mode in _in_order_of_turn(measurement.modes, turn):
            time.sleep(PAUSE_SECONDS)
            values[mode].append(measurement.measure(ports[mode]))
    client.settle([ports[mode] for mode in measurement.modes])
    return values


def _in_order_of_turn(modes: tuple[Mode, ...], turn: int) -> tuple[Mode, ...]:
    # Each mode comes first equally often: what the one leaves behind must not always meet the
    # same other.
    start = turn % len(modes)
    return modes[start:] + modes[:start]


def show(results: list[Result], console: Console) -> None:
    """Print a table: medians, their ratios to the bare agent, the range over the launches."""
    table = Table("measured", "agent", "median", "ratio", "launches", "bound", "")
    for result in results:
        is_bare = result.mode == "bare"
        table.add_row(
            result.measurement.title if is_bare else "",
            result.mode,
            f"{statistics.median(result.medians):,.1f} {result.measurement.unit}",
            "" if is_bare else f"{result.ratio:.3f}",
            "" if is_bare else f"{min(result.ratios):.2f} to {max(result.ratios):.2f}",
            str(result.bound),
            result.verdict,
            end_section=result.mode == result.measurement.modes[-1],
        )
    console.print(table)


def main() -> int:
    """Run the benchmark; the exit code is 1 when a bound was missed."""
    parser = argparse.ArgumentParser(description="What the plugin costs an agent.")
    parser.add_argument("--launches", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="in each launch")
    parser.add_argument("--events", type=int, default=5000, help="in one measured stream")
    parser.add_argument("--only", default="", help="measure only titles that contain this")
    arguments = parser.parse_args()
    # As wide as the table, also where the output is not a terminal.
    console = Console(width=100)
    wanted = [one for one in measurements(arguments.events) if arguments.only in one.title]
    results = run(wanted, arguments.launches, arguments.rounds, console)
    show(results, console)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
