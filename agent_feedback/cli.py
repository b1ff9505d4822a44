"""The command line, for operators: ``agent-feedback status`` and ``agent-feedback retry``.

It reads the ledger itself, so it also works while the app is down.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from agent_feedback.errors import ConfigurationError, FeedbackError
from agent_feedback.ledger.delivery_queue import DeliveryQueue
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.statistics import DeliveryStatistics, delivery_statistics
from agent_feedback.namesake import warn_of_namesake
from agent_feedback.settings import Settings
from agent_feedback.variables import check_variables

# Again: the other project's `__init__.py` may stand in place of ours.
warn_of_namesake()

_ledger_option = click.option(
    "--ledger-url",
    metavar="URL",
    help="The app's ledger; else AGENT_FEEDBACK_LEDGER_URL, else ./agent_feedback.db.",
)


@click.group()
@click.version_option(package_name="mlflow-agent-feedback")
def main() -> None:
    """Look after the ratings of an agent."""


@main.command()
@_ledger_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(ledger_url: str | None, as_json: bool) -> None:
    """Say how many ratings are on their way to MLflow, and what is stuck."""
    with _opened(ledger_url) as ledger:
        counts = delivery_statistics(ledger)
    if as_json:
        click.echo(json.dumps(asdict(counts)))
    else:
        Console().print(_as_table(counts))


@main.command()
@_ledger_option
def retry(ledger_url: str | None) -> None:
    """Put undeliverable ratings back: the app delivers them within seconds."""
    with _opened(ledger_url) as ledger:
        count = DeliveryQueue(ledger).retry()
    click.echo(f"{count} {'rating' if count == 1 else 'ratings'} will be tried again.")


@contextmanager
def _opened(ledger_url: str | None) -> Iterator[Ledger]:
    """An existing ledger; every error of ours becomes one sentence and exit status 1."""
    try:
        check_variables(os.environ)
        url = ledger_url or Settings().ledger_url
        ledger = Ledger(url)
        _refuse_to_create(url)
        ledger.open()
        try:
            yield ledger
        finally:
            ledger.close()
    except FeedbackError as error:
        raise click.ClickException(str(error)) from None


def _refuse_to_create(ledger_url: str) -> None:
    """A name with a slip in it must not make a new ledger, in which all is well."""
    url = make_url(ledger_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigurationError(
            f"There is no ledger at {url.database}: name the app's with --ledger-url."
        )


def _as_table(counts: DeliveryStatistics) -> Table:
    table = Table(show_header=False, box=None)
    table.add_row("pending", str(counts.pending))
    table.add_row("oldest pending", f"{counts.oldest_pending_seconds:.0f} s")
    table.add_row("undeliverable", str(counts.undeliverable))
    table.add_row("deliveries per minute", str(counts.deliveries_per_minute))
    table.add_row("last error", counts.last_error or "none")
    return table
