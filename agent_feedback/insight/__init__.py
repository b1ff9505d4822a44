"""Reports of what people rated: how good answers are, how sure that is, and what to fix first.

Names are imported when they are first used: MLflow takes seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_feedback.insight.api import Report, report
    from agent_feedback.insight.errors import ReportError
    from agent_feedback.insight.request import ReportRequest

__all__ = ["Report", "ReportError", "ReportRequest", "report"]

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        modules = {"ReportError": "errors", "ReportRequest": "request"}
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{modules.get(name, 'api')}"), name)
        globals()[name] = value
        return value
