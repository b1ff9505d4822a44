"""What a failed call to MLflow means for the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from mlflow.exceptions import MlflowException

from agent_feedback.trace_id import is_in_unity_catalog


class Failure(Enum):
    """What is known after a call that failed: whether it was done, and whether to try again."""

    NOT_FOUND = "not_found"
    """The trace or the assessment is not there, or not there yet."""
    REFUSED = "refused"
    """Not done: we lack a permission, until somebody grants it."""
    IMPOSSIBLE = "impossible"
    """Not done, and it never will be: MLflow does not take such a request."""
    LOCKED_OUT = "locked_out"
    """Not done, nor would any other call be: our credential is refused or has expired."""
    BUSY = "busy"
    """Not done: MLflow asks for fewer requests."""
    UNKNOWN = "unknown"
    """Perhaps done, now or later: fetch the trace before trying again."""


class StoreError(Exception):
    """A call to MLflow failed.

    Attributes:
        failure: What that means.
        code: MLflow's error code, or the exception's class.
        retry_after: The seconds that MLflow, or a gateway before it, asked to wait; or ``None``.
        status: The HTTP status of its answer, where there was one.
    """

    def __init__(
        self,
        failure: Failure,
        code: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code)
        self.failure = failure
        self.code = code
        self.retry_after = retry_after
        self.status = status


_BY_ERROR_CODE = {
    "RESOURCE_DOES_NOT_EXIST": Failure.NOT_FOUND,
    "NOT_FOUND": Failure.NOT_FOUND,
    "PERMISSION_DENIED": Failure.REFUSED,
    "UNAUTHENTICATED": Failure.LOCKED_OUT,
    "CUSTOMER_UNAUTHORIZED": Failure.LOCKED_OUT,
    "INVALID_PARAMETER_VALUE": Failure.IMPOSSIBLE,
    "BAD_REQUEST": Failure.IMPOSSIBLE,
    "MALFORMED_REQUEST": Failure.IMPOSSIBLE,
    "NOT_IMPLEMENTED": Failure.IMPOSSIBLE,
    "FEATURE_DISABLED": Failure.IMPOSSIBLE,
    "REQUEST_LIMIT_EXCEEDED": Failure.BUSY,
    "RESOURCE_EXHAUSTED": Failure.BUSY,
}


@contextmanager
def store_errors(trace_id: str = "") -> Iterator[None]:
    """Raise whatever the block raises as a :class:`StoreError`.

    Args:
        trace_id: The trace that the call is about, if it is about one.
    """
    try:
        yield
    except MlflowException as error:
        code, retry_after = error.error_code, getattr(error, "retry_after", None)
        status = getattr(error, "http_status", None)
        raise StoreError(_failure_of(error, trace_id), code, retry_after, status) from error
    except Exception as error:
        raise StoreError(Failure.UNKNOWN, type(error).__name__) from error


def _failure_of(error: MlflowException, trace_id: str) -> Failure:
    # A store without MLflow's v4 API has no place for a trace of Unity Catalog. Every store has the
    # v3 API: where that is not found, a gateway answers while the store is being deployed.
    if error.error_code == "ENDPOINT_NOT_FOUND" and is_in_unity_catalog(trace_id):
        return Failure.IMPOSSIBLE
    # MLflow 3.10 calls a conflict in its own database, such as an id that is taken, a bad request.
    if error.error_code == "BAD_REQUEST" and "IntegrityError" in error.message:
        return Failure.UNKNOWN
    return _BY_ERROR_CODE.get(error.error_code, Failure.UNKNOWN)
