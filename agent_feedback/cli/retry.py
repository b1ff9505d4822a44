"""``agent-feedback retry``: try again what could not be delivered."""

from __future__ import annotations

import click

from agent_feedback.cli.open_ledger import ledger_option, opened_ledger


@click.command()
@ledger_option
def retry(ledger_url: str | None) -> None:
    """Put undeliverable ratings back: the app delivers them within seconds."""
    with opened_ledger(ledger_url) as ledger:
        count = ledger.queue.retry()
    click.echo(f"{count} {'rating' if count == 1 else 'ratings'} will be tried again.")
