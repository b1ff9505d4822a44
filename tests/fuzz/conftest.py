"""How much fuzzing: a bounded, repeatable share in CI, and as long as one likes by `make fuzz`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.conftest import Serve
from tests.fuzz.fuzzed_app import FuzzedApp, opened_app
from tests.fuzz.rounds import SECONDS
from tests.support.mlflow_store import Tracking

# A loaded machine is slow, and that is no finding.
_PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.register_profile("short", _PATIENT, max_examples=60, derandomize=True, database=None)
settings.register_profile("long", _PATIENT, max_examples=1_500)


def pytest_configure(config: pytest.Config) -> None:
    """Choose by FUZZ_SECONDS, which `make fuzz` sets."""
    settings.load_profile("long" if SECONDS else "short")


@pytest.fixture
def app(tracking: Tracking, serve: Serve, tmp_path: Path) -> Iterator[FuzzedApp]:
    """Serve a real application over MLflow's SQLite store, with answers to rate."""
    with opened_app(serve, tmp_path) as opened:
        yield opened
