"""The command ``agent-feedback``, which its commands are added to."""

from __future__ import annotations

import click

from agent_feedback.cli.dashboard import dashboard
from agent_feedback.cli.report import report
from agent_feedback.cli.retry import retry
from agent_feedback.cli.status import status
from agent_feedback.package_conflict import warn_of_package_conflict

# Again: the other project's `__init__.py` may stand in place of ours.
warn_of_package_conflict()


@click.group()
@click.version_option(package_name="mlflow-agent-feedback")
def main() -> None:
    """Read and look after the ratings of an agent."""


main.add_command(report)
main.add_command(dashboard)
main.add_command(status)
main.add_command(retry)
