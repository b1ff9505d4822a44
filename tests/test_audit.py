"""What the audit reports of the packages' known vulnerabilities."""

from importlib.metadata import version
from typing import Any

import pytest

from tools import audit

KNOWN = {"id": "PYSEC-1", "fix_versions": ["2.20.0"], "aliases": [], "description": ""}
VULNERABLE = {"name": "requests", "version": "2.19.0", "vulns": [KNOWN]}
FINE = {"name": "anyio", "version": "4.0.0", "vulns": []}
UNHEARD_OF = {"name": "requests", "skip_reason": "not found"}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    """Build a report as pip-audit writes one."""
    return {"dependencies": list(packages), "fixes": []}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give a FAKE pip-audit that says, one after the other, what is put into this list."""
    answers: list[Any] = []

    def answer(requirements: list[str]) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    monkeypatch.setattr(audit, "_install", lambda: None)
    monkeypatch.setattr(audit, "_ask", answer)
    return answers


def test_no_known_vulnerability_passes(
    service: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that knows of vulnerabilities, and of none here, is believed."""
    service += [report(VULNERABLE), report(FINE, UNHEARD_OF)]
    assert audit.main() == 0
    printed = capsys.readouterr().out
    assert "2 packages, 0 vulnerabilities" in printed
    assert "unknown to the advisory service: requests" in printed


def test_a_vulnerability_fails(service: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """What is known of an installed package fails the check, and says which release is better."""
    service += [report(VULNERABLE), report(FINE, VULNERABLE)]
    assert audit.main() == 1
    assert "requests 2.19.0: PYSEC-1 (fixed in 2.20.0)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [report(UNHEARD_OF), report(FINE), audit.Impossible("no answer within 60 s")],
    ids=["not found", "no advisories", "away"],
)
def test_a_service_that_knows_nothing_is_not_believed(
    service: list[Any], capsys: pytest.CaptureFixture[str], answer: Any
) -> None:
    """Where nothing can be known the check is skipped, with the reason, and is no "all clear"."""
    service.append(answer)
    assert audit.main() == 0
    printed = capsys.readouterr().out
    assert printed.startswith("pip-audit: skipped: ")
    assert "vulnerabilities" not in printed


def test_every_installed_package_is_checked() -> None:
    """What runs in the tests is pinned as it is; we ourselves are no package with advisories."""
    found = audit.installed()
    assert f"mlflow=={version('mlflow')}" in found
    assert not any(each.startswith("agent-feedback") for each in found)
