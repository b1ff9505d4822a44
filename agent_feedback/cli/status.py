"""``agent-feedback status``: how delivery is doing."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from agent_feedback.cli.open_ledger import ledger_option, opened_ledger
from agent_feedback.ledger.statistics import DeliveryStatistics, delivery_statistics


@click.command()
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(ledger_url: str | None, as_json: bool) -> None:
    """Say how many ratings are on their way to MLflow, and what is stuck."""
    with opened_ledger(ledger_url) as ledger:
        counts = delivery_statistics(ledger)
    if as_json:
        click.echo(json.dumps(asdict(counts)))
    else:
        Console().print(_as_table(counts))


def _as_table(counts: DeliveryStatistics) -> Table:
    table = Table(show_header=False, box=None)
    table.add_row("pending", str(counts.pending))
    table.add_row("oldest pending", f"{counts.oldest_pending_seconds:.0f} s")
    table.add_row("undeliverable", str(counts.undeliverable))
    table.add_row("deliveries per minute", str(counts.deliveries_per_minute))
    table.add_row("last error", counts.last_error or "none")
    return table
