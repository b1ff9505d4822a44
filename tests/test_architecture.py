"""The layers of the package: who may import whom."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent_feedback

PACKAGE = Path(__file__).parents[1] / "agent_feedback"

LAYERS = [
    {"errors", "model", "package_conflict", "setting_types", "log_throttle", "threads"},
    {"text", "guard", "trace_id", "settings"},
    {"environment_variables", "assessment_format"},
    {"ratings", "mlflow_client", "identity"},
    {"ledger"},
    {"delivery", "agent", "insight"},
    {"service"},
    {"web"},
    {"application"},
    {"handler_registry", "lifecycle"},
    {"plugin", "cli"},
    {"__init__"},
]
"""From the ground up: a module or package imports from lower layers, and from itself."""

MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE = 350
MAX_FUNCTION = 40


def package_of(module: Path) -> str:
    """The top-level module or package that a file belongs to."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(package: str) -> int:
    """The number of a package's layer; one that is in none is a mistake."""
    return next(number for number, names in enumerate(LAYERS) if package in names)


def imports_of(module: Path) -> Iterator[str]:
    """Every import of ours in a file: lazy ones and those for type checking included."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            name = node.module or ""
            yield from (f"{name}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def ours(module: Path) -> Iterator[str]:
    """The dotted names below the package that a file imports."""
    for name in imports_of(module):
        if name.startswith("agent_feedback."):
            yield name.removeprefix("agent_feedback.")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_lower_layers_and_its_own_package(module: Path) -> None:
    """Nothing reaches up or sideways."""
    package = package_of(module)
    for name in ours(module):
        imported = name.split(".")[0]
        assert imported == package or layer_of(imported) < layer_of(package), (
            f"{package} imports {name}"
        )


def test_no_package_imports_in_circles() -> None:
    """Within a package, modules do not import each other in a cycle."""
    graph = {
        ".".join(module.relative_to(PACKAGE).with_suffix("").parts): {
            name.rsplit(".", 1)[0] for name in ours(module)
        }
        | set(ours(module))
        for module in MODULES
    }

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        for next_name in graph.get(name, set()) & graph.keys():
            walk(next_name, (*above, name))

    for name in graph:
        walk(name, ())


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    """What makes reports takes seconds to import: nobody waits for it who asks for none."""
    heavy = {"jinja2", "matplotlib", "numpy", "pandas", "scipy", "sklearn"}
    for module in MODULES:
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names]
                names = names if isinstance(node, ast.Import) else [node.module or ""]
                assert not heavy & {name.split(".")[0] for name in names}, module


def test_only_the_identity_package_names_identity_headers() -> None:
    """No other module knows a header that says who somebody is."""
    names = ("x-forwarded-email", "x-app-user-email", "x-forwarded-user", "access-token")
    for module in MODULES:
        if package_of(module) in ("identity", "settings"):
            continue
        code = module.read_text().lower()
        assert not [name for name in names if name in code], module


def test_nothing_is_global_but_constants() -> None:
    """Two AgentFeedback objects share nothing: no module holds a container or a variable."""
    for module in MODULES:
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                called = ast.unparse(node.value.func)
                assert called not in ("dict", "list", "set", "ContextVar", "threading.local")


def test_modules_and_functions_stay_short() -> None:
    """A long module or function is a missing idea."""
    for module in MODULES:
        text = module.read_text()
        assert len(text.splitlines()) <= MAX_MODULE, module
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert lines <= MAX_FUNCTION, f"{module}: {node.name} has {lines} lines"


@pytest.mark.parametrize("what", ["agent_feedback", "agent_feedback.cli", "agent_feedback.insight"])
def test_importing_it_imports_no_mlflow(what: str) -> None:
    """MLflow takes seconds to import: the command and a reader of the ledger do without."""
    program = f"import sys, {what}; print([name for name in sys.modules if name == 'mlflow'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported() -> None:
    """The names that are imported when they are first used are there, and so is nothing else."""
    for name in agent_feedback.__all__:
        assert getattr(agent_feedback, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(agent_feedback, "no_such_name")  # noqa: B009 - mypy knows that it is not there
