"""Notices the other project whose package has our import name, and says what to do about it."""

from __future__ import annotations

import warnings
from pathlib import Path

_THEIRS = "_runner.py"
"""A file that PyPI's ``agent-feedback`` (0.1.1) brings and we do not."""

# Uninstalling theirs alone takes our `__init__.py` with it, which both have.
_FIX = (
    "agent_feedback shares its folder with PyPI's agent-feedback, another project, and each"
    " overwrites files of the other: run `pip uninstall --yes agent-feedback"
    " mlflow-agent-feedback`, then install mlflow-agent-feedback again, as its README says."
)


def warn_of_package_conflict() -> None:
    """Warn where the other project was installed into our folder; costs one file look-up.

    Its ``__init__.py`` stands in place of ours where it came last: then only what does not go
    through that file, such as the command line, can still say so.
    """
    if Path(__file__).with_name(_THEIRS).exists():
        # As if from this line: Python then shows it once, however often it is noticed.
        warnings.warn(_FIX, stacklevel=1)
