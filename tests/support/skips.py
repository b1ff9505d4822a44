"""In CI no test is skipped in silence: one that `SKIPS.md` does not list fails the run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

# A line such as: - `tests/test_ledger.py::test_postgres`: why it is skipped
_LISTED = re.compile(r"^[-*] `(?P<key>[^`]+)`")


@dataclass(frozen=True)
class Skip:
    """A test, or a whole file, that did not run."""

    test_id: str
    reason: str


def listed_in(text: str) -> frozenset[str]:
    """Return what a SKIPS.md lists: test ids, with or without parameters, or reasons."""
    found = (_LISTED.match(line) for line in text.splitlines())
    return frozenset(match["key"] for match in found if match)


def unlisted(skips: Iterable[Skip], listed: frozenset[str]) -> list[Skip]:
    """Return the skips that the list does not name."""
    return [skip for skip in skips if not _names_of(skip) & listed]


def _names_of(skip: Skip) -> set[str]:
    without_parameters = skip.test_id.partition("[")[0]
    return {skip.test_id, without_parameters, skip.reason}


class SkipGuard:
    """The pytest plugin that collects skips and fails a session that has an unlisted one."""

    def __init__(self, list_file: Path) -> None:
        self._list_file = list_file
        self._skips: list[Skip] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure is reported as skipped too, yet that test ran.
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skips.append(Skip(report.nodeid, _reason(report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skips.append(Skip(report.nodeid, _reason(report)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unlisted() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for skip in self._unlisted():
            terminalreporter.write_line(
                f"{skip.test_id} was skipped ({skip.reason}) and {self._list_file.name}"
                " does not list it: in CI that is a failure.",
                red=True,
            )

    def _unlisted(self) -> list[Skip]:
        text = self._list_file.read_text() if self._list_file.exists() else ""
        return unlisted(self._skips, listed_in(text))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # pytest hands over (file, line, "Skipped: reason").
    told = report.longrepr
    text = str(told[2]) if isinstance(told, tuple) else str(told)
    return text.removeprefix("Skipped: ")
