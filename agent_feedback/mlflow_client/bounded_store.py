"""MLflow's tracking store, whose calls make one attempt and end at a deadline.

``mlflow.log_assessment`` retries for four minutes while its server is away, and a retry has been
seen to write half a minute after its caller gave up. One attempt with a deadline is the only kind
of call whose outcome can be reasoned about. MLflow has no setting for that but process-wide
variables, which are the application's; so the store is copied and one method of the copy replaced.
``tests/mlflow_client/test_bounded_store.py`` pins what this relies on.
"""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracing.client import TracingClient
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import http_request, verify_rest_response

ATTEMPT_SECONDS = 5.0
"""How long one call waits for MLflow."""
READ_SECONDS = 60.0
"""How long a report waits for a page of traces: nobody's answer waits with it."""
_MAX_RETRY_AFTER_SECONDS = 300.0


@lru_cache(maxsize=8)
def bounded_store(tracking_uri: str, seconds: float = ATTEMPT_SECONDS) -> Any:
    """The tracking store of ``tracking_uri``, each of whose calls ends within these seconds."""
    store = TracingClient(tracking_uri).store
    return _bounded(store, seconds) if isinstance(store, RestStore) else store


def active_store(seconds: float = ATTEMPT_SECONDS) -> Any:
    """The bounded store of the tracking URI that MLflow is set to now."""
    return bounded_store(mlflow.get_tracking_uri(), seconds)


def _bounded(store: RestStore, seconds: float) -> RestStore:
    bounded = copy.copy(store)

    def call_once(
        api: Any,
        json_body: str | None = None,
        endpoint: str | None = None,
        retry_timeout_seconds: int | None = None,  # noqa: ARG001 - ours is fixed
        response_proto: Any = None,
    ) -> Any:
        v3 = api in getattr(store, "_V3_APIS", ())
        table = store._V3_METHOD_TO_INFO if v3 else store._METHOD_TO_INFO
        if check := getattr(store, "_validate_workspace_support_if_specified", None):
            check()
        default_endpoint, method = table[api]
        endpoint = endpoint or default_endpoint
        body = json.loads(json_body) if json_body is not None else None
        response = http_request(
            host_creds=store.get_host_creds(),
            endpoint=endpoint,
            method=method,
            max_retries=0,
            timeout=seconds,
            retry_timeout_seconds=int(seconds),
            raise_on_status=False,
            **{"params" if method == "GET" else "json": body},
        )
        try:
            verified = verify_rest_response(response, endpoint)
        except MlflowException as error:
            error.retry_after = _seconds(response.headers.get("Retry-After"))  # type: ignore[attr-defined]
            error.http_status = response.status_code  # type: ignore[attr-defined]
            raise
        answer = response_proto or api.Response()
        if verified.status_code != 204:
            parse_dict(js_dict=json.loads(response.text), message=answer)
        _require_written_assessment(answer)
        return answer

    bounded._call_endpoint = call_once  # type: ignore[method-assign]
    return bounded


def _require_written_assessment(answer: Any) -> None:
    """Refuse an answer to a write that lacks the assessment: it comes from something before MLflow.

    MLflow's own error for such an answer reads as if what was sent could never be written.
    """
    written = getattr(answer, "assessment", answer)
    if "assessment_id" not in written.DESCRIPTOR.fields_by_name:
        return
    if not (written.assessment_id and written.WhichOneof("value")):
        raise MlflowException("no assessment in the answer")


def _seconds(retry_after: str | None) -> float | None:
    """What a ``Retry-After`` header asks for, within reason; dates are not understood."""
    try:
        return min(max(0.0, float(retry_after or "")), _MAX_RETRY_AFTER_SECONDS)
    except ValueError:
        return None
