"""Everyday load for a long time: everything kept, the app's memory flat, the ledger bounded."""

import statistics
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Scale
from tests.faults.load import MixedLoad, repeating
from tests.faults.scenario import Scenario

RETENTION_SECONDS = 60.0
WARM_UP = 0.2
"""Of the time: caches fill, and Python's allocator finds its size."""


def test_a_long_mixed_load_keeps_memory_and_ledger_small(
    scenario: Scenario, tmp_path: Path, scale: Scale, request: pytest.FixtureRequest
) -> None:
    """Users ask, rate, change, withdraw and fetch, for as long as the run says."""
    seconds = request.config.getoption("--soak-seconds") or scale.soak_seconds
    file = tmp_path / "ledger.db"
    app = scenario.start_app(
        ledger_url=f"sqlite:///{file}",
        AGENT_FEEDBACK_RETENTION_DAYS=str(RETENTION_SECONDS / 86_400),
        FAULTS_PURGE_SECONDS="5",
    )
    users = scenario.users_of(app)
    load = MixedLoad(users, rated_for_seconds=RETENTION_SECONDS / 3)
    with repeating(load.step, threads=6, pause=0.15), Gauge(app.process_id, file) as gauge:
        time.sleep(seconds)
    app.wait_until_settled(within=60)
    scenario.assert_kept(
        ("9", f"mixed load for {seconds / 60:.0f} min"),
        users.promises(),
        within=100,
        questions=load.asked,
        ratings=sum(map(len, users.made.values())),
        memory_growth_percent=round(100 * gauge.memory_growth(), 1),
        memory_mb=round(gauge.megabytes[-1]),
        ledger_mb=round(max(gauge.ledger_megabytes), 1),
    )
    assert users.refused == []
    assert max(gauge.ledger_megabytes) < 50
    if seconds >= 20 * 60:  # a minute shows no trend
        assert gauge.memory_growth() < 0.1
        assert gauge.ledger_growth() < 0.5


class Gauge:
    """Reads how much memory a process holds and how large its ledger is, once a second."""

    def __init__(self, process_id: int, ledger: Path) -> None:
        self._process = psutil.Process(process_id)
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="gauge")
        self.megabytes: list[float] = []
        self.ledger_megabytes: list[float] = []

    def __enter__(self) -> "Gauge":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def memory_growth(self) -> float:
        """By which part the memory grew after the warm-up."""
        return _growth(self.megabytes)

    def ledger_growth(self) -> float:
        """By which part the ledger's files did."""
        return _growth(self.ledger_megabytes)

    def _read(self) -> None:
        while not self._over.wait(1.0):
            self.megabytes.append(self._process.memory_info().rss / 1e6)
            files = self._ledger.parent.glob(f"{self._ledger.name}*")
            self.ledger_megabytes.append(sum(file.stat().st_size for file in files) / 1e6)


def _growth(readings: list[float]) -> float:
    after = readings[int(len(readings) * WARM_UP) :]
    tenth = max(1, len(after) // 10)
    return statistics.median(after[-tenth:]) / statistics.median(after[:tenth]) - 1
