"""When to try a delivery again: the pure decision after a failure."""

from __future__ import annotations

from dataclasses import dataclass

from agent_feedback.mlflow_client.failures import Failure, StoreError

_DAY_MS = 24 * 3_600_000
# MLflow stores a trace about five seconds after it ended, later under load.
_EXPORT_GAP_MS = 15_000
_FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 60.0
_MAX_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after ``seconds``; ``None`` means never: the rating is undeliverable."""

    seconds: float | None
    unsettled: bool = False
    """The attempt may still take effect: fetch the trace once more when it no longer can."""
    refused: bool = False
    """MLflow answered that it will not take it: a day of such answers makes it undeliverable."""


def after_failure(
    error: StoreError, *, attempts: int, age_ms: int, refused_ms: int, jitter: float
) -> Retry:
    """When to try again.

    Args:
        error: What went wrong; ``NOT_FOUND`` means that the trace is not there.
        attempts: How many attempts failed before, since the last change.
        age_ms: How long the rating has been waiting.
        refused_ms: For how long MLflow has been answering that it will not take it.
        jitter: Between 0 and 1, to spread the attempts of many.
    """
    failure = error.failure
    refused = failure in (Failure.NOT_FOUND, Failure.REFUSED)
    if failure is Failure.IMPOSSIBLE or (refused and refused_ms > _DAY_MS):
        return Retry(None)
    if failure is Failure.REFUSED:  # somebody has to grant it: seldom enough to be no burden
        return Retry(300.0 * (1 + 0.1 * jitter), refused=True)
    if failure is Failure.NOT_FOUND and age_ms < _EXPORT_GAP_MS:
        return Retry(0.3 + 0.2 * jitter, refused=True)
    doubled = _FIRST_PAUSE_SECONDS * 2 ** min(attempts, _MAX_DOUBLINGS)
    seconds = min(_MAX_PAUSE_SECONDS, doubled) * (0.5 + jitter)
    if error.retry_after is not None:
        seconds = max(seconds, error.retry_after)
    return Retry(seconds, unsettled=failure is Failure.UNKNOWN, refused=refused)
