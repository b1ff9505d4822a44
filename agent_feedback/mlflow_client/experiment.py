"""Client for the experiment that traces go to.

Named by ``MLFLOW_EXPERIMENT_ID`` or ``…_NAME`` alone, as on Databricks Apps, MLflow (measured on
3.17) asks its server for the experiment whenever a trace begins, on the agent's event loop: a round
trip for every answer, and minutes for each while the server is away.
``tests/mlflow_client/test_experiment.py`` pins what this reads of MLflow.
"""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.tracing.provider import _MLFLOW_TRACE_USER_DESTINATION
from mlflow.tracking import fluent

from agent_feedback.mlflow_client.bounded_store import active_store


def active_experiment() -> str:
    """The id of the experiment whose traces are searched, as MLflow would say.

    Its own answer asks the server for what the environment names, and retries that for minutes.
    """
    active: Any = fluent._active_experiment_id
    if active:
        return str(active)
    if name := MLFLOW_EXPERIMENT_NAME.get():
        named = active_store().get_experiment_by_name(name)
        if named is None:
            raise MlflowException("no such experiment", RESOURCE_DOES_NOT_EXIST)
        return str(named.experiment_id)
    return str(MLFLOW_EXPERIMENT_ID.get() or fluent._get_experiment_id())


def choose_experiment_of_environment() -> bool:
    """Let MLflow remember the experiment that the environment names, so that it need not ask.

    What the application has chosen itself stays: an experiment, or a destination for traces. To be
    called before the first trace: MLflow starts its export anew.

    Returns:
        Whether it is chosen now; ``False`` where there was nothing to do.

    Raises:
        Exception: whatever MLflow raises, within seconds also where its server is away.
    """
    named = MLFLOW_EXPERIMENT_NAME.get() or MLFLOW_EXPERIMENT_ID.get()
    has_chosen = fluent._active_experiment_id or _MLFLOW_TRACE_USER_DESTINATION.get()
    if has_chosen or not named:
        return False
    experiment_id = active_experiment()
    active_store().get_experiment(experiment_id)
    mlflow.set_experiment(experiment_id=experiment_id)
    return True
