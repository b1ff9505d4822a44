"""The libraries that reports are made with: MLflow brings them, and ``mlflow-skinny`` does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from agent_feedback.insight.errors import ReportError

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "jinja2": "Jinja2"}


def needed(module: str) -> Any:
    """Import a module; it takes up to seconds, so only what is used is imported.

    Raises:
        ReportError: its distribution is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or module).split(".")[0]
        distribution = _DISTRIBUTIONS.get(name, name)
        raise ReportError(
            f"A report needs {distribution}, which is not installed here: pip install"
            f" {distribution}, or mlflow instead of mlflow-skinny."
        ) from error
