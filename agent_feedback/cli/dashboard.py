"""``agent-feedback dashboard``: the same numbers as a dashboard in Databricks."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from agent_feedback.cli.output import one_sentence, opened_output, output_option
from agent_feedback.cli.report_options import warehouse_options


@click.command()
@warehouse_options
@click.option(
    "--days",
    type=click.IntRange(min=1, max=3650),
    default=30,
    show_default=True,
    help="How many days the dashboard shows at first.",
)
@output_option
def dashboard(days: int, output: Path | None, **request: Any) -> None:
    """Write a dashboard to import in Databricks: ratings beside judges, per day and version.

    The warehouse is asked once, for the columns of the traces' views.
    """
    with one_sentence():
        text = json.dumps(_dashboard(days, request), indent=2)
        with opened_output(output) as file:
            file.write(f"{text}\n")


def _dashboard(days: int, request: dict[str, Any]) -> dict[str, Any]:
    from agent_feedback.insight.request import ReportRequest
    from agent_feedback.insight.warehouse.dashboard import dashboard

    asked = ReportRequest(**request)
    return dashboard(asked.warehouse().view(), asked.options(datetime.now(timezone.utc)), days)
