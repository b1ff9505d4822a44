"""The benchmark of the report, in its small form: what it compares is the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_report_counts_what_plain_sql_counts(tmp_path: Path) -> None:
    """It ends with an error where the headline and plain SQL differ."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.report", "--traces", "150"],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "150 traces" in done.stdout
