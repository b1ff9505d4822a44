"""Look for known vulnerabilities in what is installed: ``python -m tools.audit``.

pip-audit is installed into a folder of its own: it brings two dozen packages that nothing here
needs and that would be audited with the rest. It asks a service for advisories, which not every
network reaches, and reports an unknown package as one without vulnerabilities. So a release that is
known to be vulnerable is checked first: where nothing is found for it, the result is worthless.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PIP_AUDIT = "pip-audit==2.10.1"
CANARY = "requests==2.19.0"
"""Vulnerable since 2018 (CVE-2018-18074), in every source of advisories."""

_OURS = "mlflow-agent-feedback"
_CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_FOLDER = Path(sys.prefix) / "audit"
_INSTALL_SECONDS = 240.0
_ASK_SECONDS = 60.0


class Impossible(Exception):
    """The packages cannot be checked; the text says why."""


def main() -> int:
    """Audit, and print the result; returns 1 where there are vulnerabilities."""
    try:
        _install()
        if not vulnerabilities(_ask([CANARY])):
            raise Impossible(
                f"the advisory service knows nothing of {CANARY}, which is known to be vulnerable:"
                " there are no advisories to be had from this network"
            )
        report = _ask(installed())
    except Impossible as why:
        print(f"pip-audit: skipped: {why}.")
        return 0
    found = vulnerabilities(report)
    for line in found:
        print(f"pip-audit: {line}")
    unknown = [each["name"] for each in report["dependencies"] if "skip_reason" in each]
    if unknown:
        print(f"pip-audit: unknown to the advisory service: {', '.join(unknown)}.")
    print(f"pip-audit: {len(report['dependencies'])} packages, {len(found)} vulnerabilities.")
    return 1 if found else 0


def installed() -> list[str]:
    """Everything in this environment but ourselves, pinned."""
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return sorted(f"{name}=={version}" for name, version in found.items() if name != _OURS)


def vulnerabilities(report: dict[str, Any]) -> list[str]:
    """One line for each vulnerability in pip-audit's report."""
    return [
        f"{package['name']} {package['version']}: {found['id']}"
        f" (fixed in {', '.join(found['fix_versions']) or 'no release'})"
        for package in report["dependencies"]
        for found in package.get("vulns", ())
    ]


def _install() -> None:
    stamp = _FOLDER / PIP_AUDIT
    if stamp.exists():
        return
    pip = [*(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")]
    where = ["--target", str(_FOLDER), "--upgrade", "--constraint", str(_CONSTRAINTS), PIP_AUDIT]
    if _run([*pip, *where], _INSTALL_SECONDS).returncode != 0:
        raise Impossible(f"{PIP_AUDIT} cannot be installed")
    stamp.touch()


def _ask(requirements: Iterable[str]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requirements))
        file.flush()
        # Everything is pinned, so that nothing needs to be resolved or downloaded.
        pinned = ["--requirement", file.name, "--no-deps", "--disable-pip"]
        shape = ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
        answer = _run([sys.executable, "-m", "pip_audit", *pinned, *shape], _ASK_SECONDS)
    try:
        report: dict[str, Any] = json.loads(answer.stdout)
    except ValueError:
        raise Impossible("the advisory service cannot be reached from this network") from None
    return report


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(_FOLDER)}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise Impossible(f"no answer within {seconds:.0f} s") from None


if __name__ == "__main__":
    sys.exit(main())
