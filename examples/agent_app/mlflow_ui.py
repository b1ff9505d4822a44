"""Knows where MLflow's own pages show a trace, and whether they are there to be opened."""

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

_PATIENCE_SECONDS = 3.0
# So long after MLflow's pages have gone, the links still lead there.
_BELIEVED_SECONDS = 3.0


class MlflowUi:
    """The pages of the MLflow that has this app's traces.

    In this order: what `AGENT_APP_MLFLOW_UI` says, for browsers that reach MLflow by another name
    than the app does; the workspace; the tracking server; or, with an embedded store, the server
    that the app started or its start suggested, if it runs and shows this very store.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        beside_us: str | None = None,
        believed_seconds: float = _BELIEVED_SECONDS,
    ) -> None:
        self._environ = environ
        self._beside_us = beside_us or _beside_us(environ)
        self._believed_seconds = believed_seconds
        self._known: str | None = None
        self._asked_at = -believed_seconds

    async def trace_page(self) -> str | None:
        """The address of a trace's page, with `{trace_id}` for its id; `None` where there is none.

        The app asks, not the browser: the page's content policy lets it talk to this app alone.
        """
        # That nothing is there is soon found out again, and may have been a slow answer.
        if self._known is None or time.monotonic() - self._asked_at >= self._believed_seconds:
            # Slow is not away: what was known stands.
            with contextlib.suppress(TimeoutError):
                self._known = await asyncio.to_thread(self._find)
            self._asked_at = time.monotonic()
        return self._known

    def _find(self) -> str | None:
        # `mlflow.set_experiment` leaves the id there as well.
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
        is_ours = _shows_this_store(self._beside_us, experiment_id)
        return f"{self._beside_us}/#" if is_ours else None

    def _workspace(self) -> str:
        # Databricks Apps names the host, without a scheme; elsewhere a profile may name it.
        host = self._environ.get("DATABRICKS_HOST") or str(Config().host)
        return host.rstrip("/") if "://" in host else f"https://{host}"


def _beside_us(environ: Mapping[str, str]) -> str:
    # The app leaves there the port that it chose.
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
    # A proxy that the environment names knows nothing of this machine's own ports.
    proxies = urllib.request.ProxyHandler({} if is_local else None)
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=_PATIENCE_SECONDS) as response:
            body: bytes = response.read()
            return body
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", None), TimeoutError):
            raise TimeoutError from error
        return None
