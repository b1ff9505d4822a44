"""What is installed: its name, its needs, and the other project that has our import name."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import metadata, packages_distributions, requires, version
from pathlib import Path

import mlflow.genai.agent_server
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import agent_feedback
from agent_feedback.cli import main
from agent_feedback.errors import ConfigurationError
from agent_feedback.ledger.ledger import Ledger

NAME = "mlflow-agent-feedback"
PACKAGE = Path(agent_feedback.__file__).parent
AGENT_SERVER = Path(mlflow.genai.agent_server.__file__).parent
UNINSTALL = f"pip uninstall --yes agent-feedback {NAME}"
INSTALL = f"install {NAME} again"


def imported_by(folder: Path) -> Iterator[str]:
    """The top-level packages that a folder's modules import, the standard library's left out."""
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            yield from {name.split(".")[0] for name in names} - sys.stdlib_module_names


def undeclared(folder: Path, *distributions: str) -> set[str]:
    """The packages that a folder's modules import and that none of these requires or brings."""
    given = set(distributions).union(*map(declared, distributions))
    # Many names may bring one package: MLflow comes in three parts.
    brought_by = {
        name: set(map(canonicalize_name, by)) for name, by in packages_distributions().items()
    }
    return {name for name in imported_by(folder) if brought_by.get(name, given).isdisjoint(given)}


def declared(distribution: str) -> set[str]:
    """What a distribution requires whatever extras are asked for."""
    needs = [Requirement(line) for line in requires(distribution) or ()]
    return {
        canonicalize_name(need.name)
        for need in needs
        if not (need.marker and "extra" in str(need.marker))
    }


def test_the_name_is_ours() -> None:
    """PyPI's `agent-feedback` is another project: everything that names us names us."""
    assert metadata(NAME)["Name"] == NAME
    printed = CliRunner().invoke(main, ["--version"])
    assert printed.exit_code == 0
    assert version(NAME) in printed.stdout


def test_a_missing_driver_is_asked_for_by_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence about PostgreSQL's driver installs ours, not the other project."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=re.escape(f" {NAME}[postgres]")):
        Ledger("postgresql+psycopg://127.0.0.1:1/none").open()


def test_what_is_imported_is_declared() -> None:
    """Each package that ours imports is a requirement, whoever else brings it today.

    But for what reports are made with: MLflow requires it, and `mlflow-skinny` not. Where it is
    missing, a sentence says so (`agent_feedback/insight/libraries.py`).
    """
    assert undeclared(PACKAGE, NAME) == {"matplotlib", "pandas"}
    reports = {"matplotlib", "numpy", "pandas", "scikit-learn", "scipy"}
    assert reports <= declared("mlflow")


def test_what_mlflow_forgot_is_declared() -> None:
    """What MLflow's agent server imports is required by MLflow or by us: httpx was by neither."""
    assert undeclared(AGENT_SERVER, NAME, "mlflow", "mlflow-skinny") == set()


class TestNamesake:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Path:
        """A folder of packages with ours in it."""
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, tmp_path / "agent_feedback", ignore=ignored)
        return tmp_path

    def run(self, site: Path, code: str) -> str:
        """What a fresh Python says on stderr that finds packages there first."""
        program = f"import sys; sys.path.insert(0, {str(site)!r}); {code}"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=site, check=True
        )
        return done.stderr

    def test_alone_nothing_is_printed(self, site: Path) -> None:
        """Without the other project there is no warning."""
        assert "namesake" not in self.run(site, "import agent_feedback")

    def test_beside_it_the_import_says_what_to_do(self, site: Path) -> None:
        """Where its files lie among ours, one sentence names both commands, once."""
        (site / "agent_feedback" / "_runner.py").touch()
        printed = self.run(
            site, "import agent_feedback, agent_feedback.cli as c; c.main(['--help'])"
        )
        assert printed.count(UNINSTALL) == printed.count(INSTALL) == 1

    def test_under_its_init_the_command_line_says_it(self, site: Path) -> None:
        """Where its `__init__.py` took the place of ours, our command says it."""
        package = site / "agent_feedback"
        (package / "_runner.py").touch()
        (package / "__init__.py").write_text("")
        printed = self.run(site, "import agent_feedback.cli as c; c.main(['--help'])")
        assert printed.count(UNINSTALL) == 1
