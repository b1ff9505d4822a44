"""How often the interval of a positive rate holds the true rate: `python -m benchmarks.intervals`.

Teams are simulated, each asked once. In a team, every person has a rate of their own, drawn from a
beta distribution whose mean is the true rate, and gives some thumbs, each up with that rate. The
alikeness of one person's thumbs is their correlation: 0 where everybody has the same rate, and 1
where each person always says the same.

What the interval must hold is the rate at which many more such people would settle. It is the beta
distribution's mean: in every shape, how many thumbs a person gives is drawn without a look at the
person's rate, so given the numbers n, the sum of the thumbs up x is expected to be the mean times
the sum of n, and so Σx/Σn has the mean as its expectation whoever gives how many. (Where those who
click most are also the ones who are pleased, a rate over thumbs would settle elsewhere. No such
team is simulated.)

Our interval is what a report says, from `agent_feedback.insight.statistics.rates.rate`. Beside it
stands Wilson's plain interval, which takes every thumb for a person's of its own.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.statistics.intervals import Evidence, wilson
from agent_feedback.insight.statistics.rates import rate

TEAMS = 2_000
PEOPLE = (10, 30, 100, 300)
RATES = (0.5, 0.8, 0.95)
ALIKENESS = (0.0, 0.1, 0.3, 0.6)
_SEED = 13
_OPTIONS = ReportOptions(window=Window(0, 1))

Numbers = Callable[[np.random.Generator, int, int], Any]
"""How many thumbs each person of each team gives: an array, a row for each team."""


@dataclass(frozen=True, eq=False)
class Shape:
    """How the thumbs of a team are spread over its people."""

    title: str
    numbers: Numbers
    bound: float | None = None
    """How often the interval must hold the true rate; `None` where nobody said."""


@dataclass(frozen=True)
class Cell:
    """Teams that are alike."""

    shape: Shape
    people: int
    rate: float
    alikeness: float


@dataclass(frozen=True)
class Held:
    """In which share of the teams each interval held the true rate, and how wide they were."""

    ours: float
    plain: float
    our_width: float
    plain_width: float


def equal(_: np.random.Generator, teams: int, people: int) -> Any:
    """Everybody gives five thumbs."""
    return np.full((teams, people), 5)


def one_gives_a_third(_: np.random.Generator, teams: int, people: int) -> Any:
    """The first gives half as many as all others together, who give four each."""
    numbers = np.full((teams, people), 4)
    numbers[:, 0] = 2 * (people - 1)
    return numbers


def lognormal(generator: np.random.Generator, teams: int, people: int) -> Any:
    """Half give one, one in a hundred more than thirty."""
    return np.ceil(generator.lognormal(0.0, 1.5, (teams, people))).astype(int)


def pareto(generator: np.random.Generator, teams: int, people: int) -> Any:
    """More than half give one, one in a hundred more than forty-five; without a variance."""
    return np.minimum(1 + generator.pareto(1.2, (teams, people)), 1e6).astype(int)


SHAPES = (
    Shape("equal", equal),
    Shape("one gives a third", one_gives_a_third, 0.93),
    Shape("heavy tail (lognormal)", lognormal, 0.90),
    Shape("heavy tail (Pareto)", pareto, 0.90),
)


def cells() -> list[Cell]:
    """Return everything that is simulated."""
    return [Cell(*one) for one in product(SHAPES, PEOPLE, RATES, ALIKENESS)]


def simulate(cell: Cell, teams: int, generator: np.random.Generator) -> Held:
    """Simulate teams and ask each for both intervals."""
    ours: list[tuple[float, float]] = []
    plain: list[tuple[float, float]] = []
    for team in _teams(cell, teams, generator):
        found = rate(team, _OPTIONS)
        if found.value is None or found.low is None or found.high is None:
            raise AssertionError("a rate of thumbs has an interval")
        ours.append((found.low, found.high))
        plain.append(wilson(found.value, Evidence(found.n, float(found.n), None)))
    return Held(_held(ours, cell.rate), _held(plain, cell.rate), _width(ours), _width(plain))


def _teams(
    cell: Cell, teams: int, generator: np.random.Generator
) -> Iterator[Iterable[tuple[int, int]]]:
    """Yield each team: how many thumbs each person gives, and how many of them are up."""
    numbers = cell.shape.numbers(generator, teams, cell.people)
    rates = np.full(numbers.shape, cell.rate)
    if cell.alikeness:
        # The correlation of two thumbs of one person is 1 / (a + b + 1).
        both = 1 / cell.alikeness - 1
        rates = generator.beta(cell.rate * both, (1 - cell.rate) * both, numbers.shape)
    up = generator.binomial(numbers, rates)
    # Lists of Python's integers: several times as fast to go over as rows of an array.
    for number, positive in zip(numbers.tolist(), up.tolist(), strict=True):
        yield zip(number, positive, strict=True)


def _held(intervals: Sequence[tuple[float, float]], true: float) -> float:
    return fmean(low <= true <= high for low, high in intervals)


def _width(intervals: Sequence[tuple[float, float]]) -> float:
    return fmean(high - low for low, high in intervals)


def show(results: Sequence[tuple[Cell, Held]], console: Console) -> None:
    """Print a row for each cell."""
    table = Table("shape", "people", "rate", "alike", "ours", "plain", "our width", "plain width")
    for cell, held in results:
        table.add_row(
            cell.shape.title,
            f"{cell.people}",
            f"{cell.rate:.2f}",
            f"{cell.alikeness:.1f}",
            f"{held.ours:.3f}" + ("" if held.ours >= (cell.shape.bound or 0) else " *"),
            f"{held.plain:.3f}",
            f"{held.our_width:.3f}",
            f"{held.plain_width:.3f}",
            end_section=cell.rate == RATES[-1] and cell.alikeness == ALIKENESS[-1],
        )
    console.print(table)
    console.print("* below what is asked of this shape")


def summarize(results: Sequence[tuple[Cell, Held]], console: Console) -> None:
    """Print a line for each shape, and one for each rate in it."""
    table = Table("shape", "rate", "ours: least", "mean", "most", "asked", "below", "plain Wilson")
    for shape, true in product(SHAPES, (None, *RATES)):
        found = [
            held
            for cell, held in results
            if cell.shape is shape and (true is None or cell.rate == true)
        ]
        ours = [held.ours for held in found]
        plain = [held.plain for held in found]
        below = sum(one < (shape.bound or 0) for one in ours)
        table.add_row(
            shape.title if true is None else "",
            "all" if true is None else f"{true:.2f}",
            f"{min(ours):.3f}",
            f"{fmean(ours):.3f}",
            f"{max(ours):.3f}",
            f"{shape.bound:.2f}" if shape.bound else "",
            f"{below} of {len(ours)}" if shape.bound else "",
            f"{min(plain):.3f} to {max(plain):.3f}",
            end_section=true == RATES[-1],
        )
    console.print(table)


def main() -> int:
    """Run the simulation."""
    parser = argparse.ArgumentParser(description="How often an interval holds the true rate.")
    parser.add_argument("--teams", type=int, default=TEAMS, help="of each kind")
    teams = parser.parse_args().teams
    # As wide as the tables, also where the output is not a terminal.
    console = Console(width=100)
    generator = np.random.default_rng(_SEED)
    every = track(cells(), "teams", console=Console(stderr=True), transient=True)
    results = [(cell, simulate(cell, teams, generator)) for cell in every]
    show(results, console)
    summarize(results, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
