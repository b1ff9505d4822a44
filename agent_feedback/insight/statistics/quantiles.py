"""Medians and other quantiles."""

from __future__ import annotations

from collections.abc import Sequence

from agent_feedback.insight.libraries import needed


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share lies, interpolated linearly; ``None`` of nothing."""
    return float(needed("numpy").quantile(values, share)) if len(values) else None
