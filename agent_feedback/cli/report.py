"""``agent-feedback report``: how good, how sure, and what to fix first."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent_feedback.cli.output import one_sentence, opened_output, output_option
from agent_feedback.cli.progress import progress_shown
from agent_feedback.cli.report_options import report_options

if TYPE_CHECKING:
    from agent_feedback.insight.content.report_values import Condition, Gate, Report
    from agent_feedback.insight.request import ReportRequest
    from agent_feedback.insight.sources.source import Progress

_NOT_MET = 3
_UNDECIDED = 4
_WIDTH = 100


@click.command()
@report_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "html", "markdown"]),
    default="table",
    show_default=True,
    help="csv has one row per rating.",
)
@output_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of --format json, and exit.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def report(form: str, output: Path | None, schema: bool, quiet: bool, **request: Any) -> None:
    """Say how people rate the answers, how sure that is, and what to fix first.

    Exits with 0; 1 if the report could not be made; 2 for a wrong option; 3 if a condition is not
    met; 4 if there is not enough data to say.
    """
    if schema:
        click.echo(_schema())
        return
    # Rows are printed as they come: on a terminal, a progress bar would be among them.
    hidden = quiet or (form == "csv" and output is None and sys.stdout.isatty())
    with one_sentence(), progress_shown(hidden) as progress:
        gate = _write(form, output, _request(request), progress)
    if gate and gate.passed is not True:
        _explain(gate)
        sys.exit(_NOT_MET if gate.passed is False else _UNDECIDED)


def _schema() -> str:
    from agent_feedback.insight.formats.json_form import json_schema

    return json.dumps(json_schema(), indent=2)


def _request(options: dict[str, Any]) -> ReportRequest:
    from agent_feedback.insight.request import ReportRequest

    return ReportRequest(**options)


def _write(
    form: str, output: Path | None, request: ReportRequest, progress: Progress
) -> Gate | None:
    """Write the report, and return the outcome of its conditions."""
    from agent_feedback.insight.api import make_report, ratings

    if form == "csv":
        from agent_feedback.insight.formats.csv_form import write_csv

        now = datetime.now(timezone.utc)
        has_conditions = request.bounds() or request.fail_if_worse
        options, rows = ratings(request, progress, now)
        with opened_output(output) as file:
            write_csv(rows, file, options.scale)
        return make_report(request, progress, now).gate if has_conditions else None
    made = make_report(request, progress)
    text = _text(form, made, request, output)
    with opened_output(output) as file:
        file.write(text.rstrip("\n") + "\n")
    return made.gate


def _text(form: str, made: Report, request: ReportRequest, output: Path | None) -> str:
    """The report in a form; only what makes this form is imported."""
    if form == "json":
        from agent_feedback.insight.formats.json_form import as_json

        return as_json(made)
    if form == "html":
        from agent_feedback.insight.formats.html import as_html

        return as_html(made, min_count=request.min_count, by=request.by)
    if form == "markdown":
        from agent_feedback.insight.formats.markdown import as_markdown

        return as_markdown(made, min_count=request.min_count, by=request.by)
    from agent_feedback.insight.formats.table import as_table

    is_shown = output is None and sys.stdout.isatty()
    width = min(_WIDTH, shutil.get_terminal_size().columns) if is_shown else _WIDTH
    return as_table(made, min_count=request.min_count, by=request.by, width=width)


def _explain(gate: Gate) -> None:
    for condition in gate.conditions:
        if condition.met is True:
            continue
        click.echo(_explained(condition), err=True)


def _explained(condition: Condition) -> str:
    if condition.value is None:
        return f"{condition.metric} is not known: there is nothing to make it of."
    value = f"{condition.metric} is {condition.value:.4g}"
    if condition.met is None:
        return f"{value}, made of {condition.n}: too few to say."
    if condition.metric in ("change.positive_rate", "comparison.positive_rate"):
        return f"{value}: worse, by more than chance explains (n = {condition.n})."
    return f"{value}, less than {condition.bound:g} (n = {condition.n})."
