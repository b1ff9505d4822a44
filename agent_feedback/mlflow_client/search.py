"""Client for MLflow's search of traces, and for where an application's traces are."""

from __future__ import annotations

from agent_feedback.assessment_format import stored_trace
from agent_feedback.mlflow_client.bounded_store import active_store
from agent_feedback.mlflow_client.experiment import active_experiment
from agent_feedback.mlflow_client.failures import store_errors
from agent_feedback.model import StoredTrace
from agent_feedback.trace_id import place_of

_MAX_FOUND = 100


class TraceSearch:
    """Searches the active experiment's traces.

    Every method raises :class:`~agent_feedback.mlflow_client.failures.StoreError`.
    """

    def by_request(self, client_request_id: str) -> list[StoredTrace]:
        """Traces with this client request id, newest first."""
        return self._search(f"attributes.client_request_id = '{client_request_id}'")

    def by_session(self, session_id: str) -> list[StoredTrace]:
        """Traces of this session, newest first; none where its name cannot stand in a filter."""
        if "'" in session_id or "\\" in session_id:
            return []
        return self._search(f"metadata.`mlflow.trace.session` = '{session_id}'")

    def location(self) -> str | None:
        """The Unity Catalog location of the active experiment's traces, if they live there."""
        with store_errors():
            experiment = active_store().get_experiment(active_experiment())
            place = getattr(experiment, "trace_location", None)
            return getattr(place, "full_table_prefix", None) if place else None

    def is_at_home(self, trace: StoredTrace) -> bool:
        """Whether a trace is where the active experiment's traces are, and so this app's.

        In Unity Catalog the location is not always known; there, the grants on its tables decide
        what the app can read at all.
        """
        place = place_of(trace.trace_id)
        if place is not None:
            return self.location() in (None, place)
        with store_errors():
            return trace.experiment_id == active_experiment()

    def _search(self, filter_string: str) -> list[StoredTrace]:
        with store_errors():
            infos = active_store().search_traces(
                locations=[active_experiment()],
                filter_string=filter_string,
                max_results=_MAX_FOUND,
                order_by=["timestamp_ms DESC"],
            )[0]
        return [stored_trace(info.trace_id, info) for info in infos]
