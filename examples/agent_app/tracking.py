"""Makes MLflow ready to take traces before the first question, and says where to see them."""

from __future__ import annotations

import os
import shlex

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
