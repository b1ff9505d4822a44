"""Makes MLflow ready to take traces before the first question, and says where to see them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import mlflow

from examples.agent_app.mlflow_pages import HOST, USUAL_PORT, server_command, traces_page

EXPERIMENT = "agent_app"


def choose_experiment(artifact_location: str | None) -> str | None:
    """Traces go to the experiment that the environment names, else to the app's own.

    `artifact_location` is for an own experiment that is new; `None` leaves it to MLflow.
    Returns the experiment's id where the app chose it. Doing this at start also creates the tables
    of a new SQLite store, which would make the first question wait for seconds.
    """
    if os.environ.get("MLFLOW_EXPERIMENT_ID") or os.environ.get("MLFLOW_EXPERIMENT_NAME"):
        return os.environ.get("MLFLOW_EXPERIMENT_ID")
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name(EXPERIMENT) is None:
        # Left to itself, an embedded store would put `mlruns` into the current directory.
        client.create_experiment(EXPERIMENT, artifact_location=artifact_location)
    experiment_id: str = mlflow.set_experiment(EXPERIMENT).experiment_id
    return experiment_id


def experiment_named(environ: Mapping[str, str]) -> str:
    """The experiment of the traces, by the name or id that the environment has, else the app's."""
    return (
        environ.get("MLFLOW_EXPERIMENT_NAME") or environ.get("MLFLOW_EXPERIMENT_ID") or EXPERIMENT
    )


def report_command(tracking_uri: str, experiment: str) -> str:
    """The command that says how people rate the answers, to be copied into a shell."""
    program = Path(sys.executable).with_name("agent-feedback")
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    command = [str(shown), "report", "--experiment", experiment]
    return f"MLFLOW_TRACKING_URI={shlex.quote(tracking_uri)} {shlex.join(command)}"


def where_to_look(tracking_uri: str, experiment_id: str | None) -> list[str]:
    """The lines that lead a person to the traces, for the kind of store in use."""
    if tracking_uri.startswith("databricks"):
        return ["The traces are in your workspace, in the MLflow experiment of this app."]
    page = traces_page(experiment_id)
    if tracking_uri.startswith(("http://", "https://")):
        return [f"The traces, with their ratings, are at {tracking_uri.rstrip('/')}{page}"]
    return [
        "To see the traces, with their ratings, in MLflow's own pages, run beside it",
        f"    {shlex.join(server_command(tracking_uri, USUAL_PORT))}",
        f"and open http://{HOST}:{USUAL_PORT}{page}",
        "While that runs, each answer links to its trace.",
    ]
