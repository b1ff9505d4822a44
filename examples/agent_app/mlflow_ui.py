"""Finds the page of a trace in MLflow's own pages, and whether it can be opened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import mlflow
from databricks.sdk.core import Config

from examples.agent_app.mlflow_pages import HOST, USUAL_PORT, VARIABLE

TRACE_ID = "{trace_id}"

_TIMEOUT_SECONDS = 3.0
# So long after MLflow's pages have stopped, the links are still shown.
_CACHE_SECONDS = 3.0


class MlflowUi:
    """The pages of the MLflow that has this app's traces.

    In this order: what `AGENT_APP_MLFLOW_UI` names, for browsers that reach MLflow by another name
    than the app does; the workspace; the tracking server; or, with an embedded store, the server
    that the app started or its start suggested, if it runs and shows this very store.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        local_server: str | None = None,
        cache_seconds: float = _CACHE_SECONDS,
    ) -> None:
        self._environ = environ
        self._local_server = local_server or _local_server(environ)
        self._believed_seconds = cache_seconds
        self._known: str | None = None
        self._asked_at = -cache_seconds

    async def trace_page(self) -> str | None:
        """The address of a trace's page, with `{trace_id}` for its id; `None` where there is none.

        The app checks, not the browser: the content policy allows requests to this app alone.
        """
        # That there is none is checked each time: it may have been a slow answer.
        if self._known is None or time.monotonic() - self._asked_at >= self._believed_seconds:
            # After a time-out the earlier result stands.
            with contextlib.suppress(TimeoutError):
                self._known = await asyncio.to_thread(self._find)
            self._asked_at = time.monotonic()
        return self._known

    def _find(self) -> str | None:
        # `mlflow.set_experiment` sets this variable as well.
        experiment_id = self._environ.get("MLFLOW_EXPERIMENT_ID")
        base = self._base(experiment_id) if experiment_id else None
        if base is None:
            return None
        return f"{base}/experiments/{experiment_id}/traces?selectedEvaluationId={TRACE_ID}"

    def _base(self, experiment_id: str) -> str | None:
        tracking_uri = self._environ.get("MLFLOW_TRACKING_URI", "")
        if named := self._environ.get("AGENT_APP_MLFLOW_UI"):
            return f"{named.rstrip('/')}/#"
        if tracking_uri.startswith("databricks"):
            return f"{self._workspace()}/ml"
        if tracking_uri.startswith(("http://", "https://")):
            url = tracking_uri.rstrip("/")
            return f"{url}/#" if _get(f"{url}/health") is not None else None
        is_ours = _shows_this_store(self._local_server, experiment_id)
        return f"{self._local_server}/#" if is_ours else None

    def _workspace(self) -> str:
        # Databricks Apps names the host, without a scheme; elsewhere a profile may name it.
        host = self._environ.get("DATABRICKS_HOST") or str(Config().host)
        return host.rstrip("/") if "://" in host else f"https://{host}"


def _local_server(environ: Mapping[str, str]) -> str:
    # The app sets it to the port that it chose.
    port = environ.get(VARIABLE, "")
    return f"http://{HOST}:{port if port.isdecimal() else USUAL_PORT}"


def _shows_this_store(url: str, experiment_id: str) -> bool:
    """Anything may listen on that port; another MLflow has experiments of other ages."""
    query = urlencode({"experiment_id": experiment_id})
    answer = _get(f"{url}/api/2.0/mlflow/experiments/get?{query}")
    try:
        created = int(json.loads(answer or "")["experiment"]["creation_time"])
    except (ValueError, KeyError, TypeError):
        return False
    return bool(mlflow.get_experiment(experiment_id).creation_time == created)


def _get(url: str) -> bytes | None:
    """What is there; `None` where nothing is. Raises `TimeoutError` where it takes too long."""
    is_local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    # A proxy that the environment names cannot reach this machine's own ports.
    proxies = urllib.request.ProxyHandler({} if is_local else None)
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=_TIMEOUT_SECONDS) as response:
            body: bytes = response.read()
            return body
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", None), TimeoutError):
            raise TimeoutError from error
        return None
