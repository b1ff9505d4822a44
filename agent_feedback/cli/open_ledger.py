"""What every command needs: the app's ledger, opened. It can be read while the app is down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import make_url

from agent_feedback.environment_variables import check_variables
from agent_feedback.errors import ConfigurationError, FeedbackError
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.settings import Settings

ledger_option = click.option(
    "--ledger-url",
    metavar="URL",
    help="The app's ledger; else AGENT_FEEDBACK_LEDGER_URL, else ./agent_feedback.db.",
)


@contextmanager
def opened_ledger(ledger_url: str | None) -> Iterator[Ledger]:
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
    """A mistyped name must not make a new, empty ledger, in which all is well."""
    url = make_url(ledger_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigurationError(
            f"There is no ledger at {url.database}: name the app's with --ledger-url."
        )
