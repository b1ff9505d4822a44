"""The parts of one application's feedback, built and wired once."""

from __future__ import annotations

import atexit
import logging
import os
import time
import weakref
from contextvars import ContextVar
from dataclasses import asdict
from typing import Any

from agent_feedback.agent.turns import Turns
from agent_feedback.agent.wire.request_context import CurrentRequest
from agent_feedback.agent.wrappers import Wrappers
from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.errors import ConfigurationError, Unavailable
from agent_feedback.guard import Guard
from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.statistics import delivery_statistics
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.experiment import choose_experiment_of_environment
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.mlflow_client.trace_export import PromptExport, export_finished_traces
from agent_feedback.service.service import Service
from agent_feedback.service.waiting import Waiting
from agent_feedback.settings import Settings

logger = logging.getLogger(__name__)

_EXPORT_SECONDS = 3.0
_LAST_DELIVERIES_SECONDS = 8.0
_LEDGER_SECONDS = 1.5


class Application:
    """Everything that one :class:`~agent_feedback.plugin.AgentFeedback` is made of.

    Args:
        settings: Whatever can be chosen.

    Raises:
        ConfigurationError: a setting cannot work.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._on_databricks_apps = "DATABRICKS_APP_NAME" in os.environ
        guard = self.guard = Guard()
        self._ledger = Ledger(settings.ledger_url)
        store = Assessments(ledger_id=self._ledger.identity)
        self.resolver = IdentityResolver(
            settings, guard, on_databricks_apps=self._on_databricks_apps
        )
        self.turns = Turns(
            self._ledger,
            self.resolver,
            guard,
            began=self._began,
            ended=self._turn_ended,
        )
        self._export = PromptExport(guard)
        self._has_lifespan = False
        self._is_running = False
        self._dispatcher = Dispatcher(
            self._ledger.queue,
            store,
            is_open=self.turns.is_open,
            retention_days=settings.retention_days,
        )
        self.service = Service(
            settings,
            self._ledger,
            store,
            TraceSearch(),
            self._dispatcher,
            guard,
            began=self._began,
        )
        self.waiting = Waiting(settings.unknown_wait_seconds, settings.wait_seconds)
        self.current: CurrentRequest = ContextVar("agent_feedback_request", default=None)
        self.wrappers = Wrappers(
            self.turns, self.current, guard, expose_errors=settings.expose_errors
        )

    def start(self) -> None:
        """Open the ledger and deliver what is left in it.

        Raises:
            ConfigurationError: the ledger cannot be opened.
        """
        try:
            self._ledger.open()
        except Unavailable as error:
            # The platform sees that the app did not start, and may try again.
            raise ConfigurationError(str(error)) from None
        with self.guard.protect("choosing the experiment that the environment names"):
            choose_experiment_of_environment()
        self._has_lifespan = self._is_running = True
        self.warn_of_configuration()
        self._dispatcher.start()

    def warn_of_configuration(self) -> None:
        """Log which settings may surprise the operator: once, at the start."""
        if self._is_ephemeral():
            logger.warning(
                "agent_feedback: the ledger is a file on this app's ephemeral disk: ratings that"
                " wait for MLflow are lost with a redeploy. Set AGENT_FEEDBACK_LEDGER_URL to"
                " PostgreSQL (Lakebase)."
            )
        if not self._on_databricks_apps and self.settings.user_id_source != ("none",):
            logger.warning(
                "agent_feedback: %s are believed as your proxy sets them. If callers can reach"
                " this app without one, set AGENT_FEEDBACK_USER_ID_SOURCE=none.",
                ", ".join(self.settings.user_id_source),
            )
        if "*" in self.settings.trusted_proxies:
            logger.warning(
                "agent_feedback: trusted_proxies=* lets every caller name the person who rates:"
                " that is for networks which nobody else can reach."
            )

    def stop(self) -> None:
        """Deliver what can be, leave the rest in the ledger; ends within 12 s, whatever hangs.

        A platform that stops an app kills it soon afterwards: Databricks Apps after 15 s.
        """
        until = time.monotonic() + _LAST_DELIVERIES_SECONDS
        # uvicorn ends its process by the signal that stopped it, and what MLflow still holds in
        # memory ends with it: traces, and so the ratings that wait for them.
        with self.guard.protect("exporting the last traces"):
            export_finished_traces(_EXPORT_SECONDS)
        self._dispatcher.stop(max(0.0, until - time.monotonic()))
        self.service.close()
        self._ledger.close(_LEDGER_SECONDS)
        self._has_lifespan = self._is_running = False

    # -- without lifespan messages --------------------------------------------------------------

    def _began(self) -> None:
        """Start with the first turn or rating where there is no lifespan: a bot, a mounted app."""
        if self._is_running:
            return
        with self.guard.protect("starting delivery"):
            self._dispatcher.start()
            self._is_running = True
            # Not a bound method: it would keep every application alive to the process's end.
            atexit.register(_stop_at_exit, weakref.ref(self))

    def _turn_ended(self, trace: ActiveTrace) -> None:
        """Let MLflow store the trace now where no lifespan will tell us that the process stops.

        Python runs no exit handlers when a signal ends it, which is how uvicorn ends: what MLflow
        still holds in memory then is gone, and the ratings of it with it.
        """
        if not self._has_lifespan:
            with self.guard.protect("exporting a trace at once"):
                self._export.soon(trace)

    def status(self) -> dict[str, Any]:
        """How delivery is doing, for operators."""
        return asdict(delivery_statistics(self._ledger)) | {
            "mlflow": "away" if self._dispatcher.is_away else "ok",
            "durability": "until_redeploy" if self._is_ephemeral() else "durable",
        }

    def _is_ephemeral(self) -> bool:
        return self._on_databricks_apps and self.settings.ledger_url.startswith("sqlite")


def _stop_at_exit(application: weakref.ref[Application]) -> None:
    running = application()
    if running is not None and running._is_running:
        running.stop()
