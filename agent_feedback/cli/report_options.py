"""The options that every command on ratings takes: which traces, and whose word counts as what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from agent_feedback.insight.definitions.options import MIN_COUNT

Command = TypeVar("Command", bound=Callable[..., Any])


def _listed(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))


def _aliases(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    aliases = {}
    for text in texts:
        name, _, meant = text.partition("=")
        if not (name and meant):
            raise click.BadParameter("it is NAME=NAME, such as 'User feedback=user_feedback'.")
        aliases[name] = meant
    return aliases


_WINDOW = (
    click.option(
        "--experiment",
        "experiments",
        metavar="NAME|ID",
        multiple=True,
        help="An experiment; repeatable. Else the one of MLflow's environment.",
    ),
    click.option(
        "--since",
        default="7d",
        show_default=True,
        metavar="24h|7d|ISO",
        help="The window's start: a length before its end, or a time in ISO 8601 (UTC).",
    ),
    click.option("--until", metavar="ISO", help="The window's end; else now."),
)
_CLASSES = (
    click.option(
        "--alias",
        "aliases",
        metavar="NAME=NAME",
        multiple=True,
        callback=_aliases,
        help="Another name of people's assessments, such as 'User feedback=user_feedback'.",
    ),
    click.option(
        "--developers",
        metavar="ID,…",
        callback=_listed,
        help="People whose ratings are a developer's, not a user's.",
    ),
    click.option(
        "--exclude-users",
        metavar="ID,…",
        callback=_listed,
        help="People who are left out everywhere, such as bots and load tests.",
    ),
)
_WAREHOUSE = (
    click.option(
        "--tables",
        metavar="CATALOG.SCHEMA[.PREFIX]",
        help="Traces in Unity Catalog, counted by a SQL warehouse.",
    ),
    click.option(
        "--warehouse-id",
        metavar="ID",
        help="That warehouse; else MLFLOW_TRACING_SQL_WAREHOUSE_ID.",
    ),
)
_NUMBERS = (
    click.option(
        "--by",
        metavar="KEY",
        help="Group by day, hour, version, session, user, environment, tag:KEY or metadata:KEY.",
    ),
    click.option("--compare", metavar="KEY=A..B", help="Compare two groups."),
    click.option("--link-base", metavar="URL", help="Where MLflow's pages are, for links."),
    click.option(
        "--fail-under",
        metavar="METRIC=VALUE",
        multiple=True,
        help="Exit 3 if positive_rate, feedback_rate or dimension:NAME is less; repeatable.",
    ),
    click.option(
        "--fail-if-worse",
        is_flag=True,
        help="Exit 3 if the positive rate is worse than before (with --compare: than A).",
    ),
    click.option(
        "--min-count",
        type=click.IntRange(min=1),
        default=MIN_COUNT,
        show_default=True,
        metavar="N",
        help="Below this many, a rate is thin and a condition undecided (exit 4).",
    ),
    click.option(
        "--sequential",
        is_flag=True,
        help="Intervals, and so conditions, that hold however often one looks.",
    ),
)


def report_options(command: Command) -> Command:
    """Add the options of a report, whose values are the attributes of a ``ReportRequest``."""
    return _with((*_WINDOW, *_CLASSES, *_WAREHOUSE, *_NUMBERS), command)


def warehouse_options(command: Command) -> Command:
    """Add those of them that say which traces in Unity Catalog, and whose word counts as what."""
    return _with((*_WAREHOUSE, *_CLASSES), command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
