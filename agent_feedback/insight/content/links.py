"""Links to a trace in MLflow's pages."""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def trace_link(link_base: str | None, experiment_id: str | None, trace_id: str) -> str | None:
    """Where MLflow shows a trace; ``None`` where it is not known.

    Args:
        link_base: The address of MLflow's pages, or of a Databricks workspace.
        experiment_id: The experiment in which the trace is shown.
        trace_id: The trace.
    """
    if not link_base or not experiment_id:
        return None
    base = link_base.rstrip("/")
    # Databricks has MLflow's pages below /ml; MLflow's own are all one page.
    pages = f"{base}/ml" if _is_databricks(base) else f"{base}/#"
    traces = f"{pages}/experiments/{quote(experiment_id, safe='')}/traces"
    return f"{traces}?selectedEvaluationId={quote(trace_id, safe='')}"


def _is_databricks(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    return host.endswith((".databricks.com", ".azuredatabricks.net"))
