"""What is said where a library is missing that reports are made with."""

import sys

import pytest

from agent_feedback.insight.errors import ReportError
from agent_feedback.insight.libraries import needed
from agent_feedback.insight.statistics.agreement import agreement
from agent_feedback.insight.statistics.quantiles import quantile
from agent_feedback.insight.statistics.rates import rate
from tests.insight.statistics.people import OPTIONS
from tests.insight.statistics.test_agreement import pairs_of


def take_away(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make imports of a package, and of what is in it, fail as where it is not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("no_such_module_at_all", "no_such_module_at_all"),
        ("scipy.special", "scipy"),
        ("sklearn.feature_extraction.text", "scikit-learn"),
        ("jinja2", "Jinja2"),
    ],
)
def test_a_missing_library_is_named_as_pip_names_it(
    monkeypatch: pytest.MonkeyPatch, module: str, distribution: str
) -> None:
    """One sentence names the distribution and how to get it."""
    take_away(monkeypatch, module.split(".")[0])
    with pytest.raises(ReportError) as raised:
        needed(module)
    assert str(raised.value) == (
        f"A report needs {distribution}, which is not installed here:"
        f" pip install {distribution}, or mlflow instead of mlflow-skinny."
    )


def test_a_library_that_is_there_is_imported() -> None:
    """The module itself comes back, also where it is in a package."""
    assert needed("importlib.metadata") is sys.modules["importlib.metadata"]


def test_statistics_say_which_library_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate needs scipy; quantiles and agreement need numpy."""
    take_away(monkeypatch, "scipy")
    with pytest.raises(ReportError, match="scipy"):
        # Numbers of thumbs that no other test has: quantiles are remembered.
        rate([(12_345, 1_000), (12_346, 10_000), (12_347, 8), (6_789, 0)], OPTIONS)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ReportError, match="numpy"):
        quantile([1.0, 2.0], 0.5)
    with pytest.raises(ReportError, match="numpy"):
        agreement(pairs_of(1, 2, 3, 4))
