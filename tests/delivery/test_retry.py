"""When to try a delivery again: a table of decisions."""

import pytest

from agent_feedback.delivery.retry import Retry, after_failure
from agent_feedback.mlflow_client.failures import Failure, StoreError

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("failure", "attempts", "age_ms", "refused_ms", "jitter", "retry"),
    [
        (Failure.NOT_FOUND, 0, 0, 0, 0.0, Retry(0.3, refused=True)),
        (Failure.NOT_FOUND, 50, 14_999, 0, 1.0, Retry(0.5, refused=True)),
        (Failure.NOT_FOUND, 0, 15_000, 15_000, 0.5, Retry(0.5, refused=True)),
        (Failure.NOT_FOUND, 99, 60_000, 60_000, 0.5, Retry(60.0, refused=True)),
        (Failure.NOT_FOUND, 99, DAY_MS, DAY_MS + 1, 0.5, Retry(None)),
        # A day of outage is no day of refusals.
        (Failure.NOT_FOUND, 99, 9 * DAY_MS, 0, 0.5, Retry(60.0, refused=True)),
        (Failure.REFUSED, 0, 0, 0, 0.0, Retry(300.0, refused=True)),
        (Failure.REFUSED, 9, 9 * DAY_MS, DAY_MS, 1.0, Retry(330.0, refused=True)),
        (Failure.REFUSED, 0, DAY_MS, DAY_MS + 1, 0.0, Retry(None)),
        (Failure.IMPOSSIBLE, 0, 0, 0, 0.0, Retry(None)),
        (Failure.BUSY, 0, 0, 0, 0.5, Retry(0.5)),
        (Failure.BUSY, 3, 0, 0, 0.5, Retry(4.0)),
        (Failure.LOCKED_OUT, 10_000, 9 * DAY_MS, 9 * DAY_MS, 0.5, Retry(60.0)),
        (Failure.UNKNOWN, 1, 0, 0, 0.5, Retry(1.0, unsettled=True)),
        (Failure.UNKNOWN, 99, 9 * DAY_MS, 9 * DAY_MS, 0.5, Retry(60.0, unsettled=True)),
    ],
)
def test_a_failure_decides_when_to_try_again(
    failure: Failure, attempts: int, age_ms: int, refused_ms: int, jitter: float, retry: Retry
) -> None:
    """Soon in the export gap, ever later in an outage, never where it cannot work."""
    decided = after_failure(
        StoreError(failure, "X"),
        attempts=attempts,
        age_ms=age_ms,
        refused_ms=refused_ms,
        jitter=jitter,
    )
    assert (decided.unsettled, decided.refused) == (retry.unsettled, retry.refused)
    assert decided.seconds == (None if retry.seconds is None else pytest.approx(retry.seconds))


@pytest.mark.parametrize(("asked_for", "waits"), [(30.0, 30.0), (0.1, 0.5)])
def test_a_pause_is_as_long_as_the_server_asks_for(asked_for: float, waits: float) -> None:
    """``Retry-After`` lengthens a pause, and never shortens it."""
    busy = StoreError(Failure.BUSY, "X", retry_after=asked_for)
    decided = after_failure(busy, attempts=0, age_ms=0, refused_ms=0, jitter=0.5)
    assert decided.seconds == pytest.approx(waits)
