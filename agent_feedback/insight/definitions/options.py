"""What a report is asked for: the same options for every source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from agent_feedback.insight.definitions.trace_keys import TraceKey
from agent_feedback.insight.definitions.window import Window

MIN_COUNT: Final = 30
"""Fewer ratings than this are too few to judge by, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``--compare KEY=A..B``: the traces whose key is ``a``, and those whose key is ``b``."""

    key: TraceKey
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What to count, and how.

    Attributes:
        window: Which traces, by their start.
        by: What to group them by.
        compare: Two groups to compare.
        aliases: Other names of people's assessments, by name: ``User feedback`` to
            ``user_feedback``.
        developers: People whose ratings are a developer's; e-mail addresses in lower case.
        excluded: People who are left out everywhere; e-mail addresses in lower case.
        scale: The most stars, by which stored values are multiplied.
        min_count: Below this many ratings or traces a rate is thin, and a condition undecided.
        sequential: Intervals hold however often one looks (a confidence sequence).
        link_base: Where MLflow's pages are, for links to traces.
    """

    window: Window
    by: TraceKey | None = None
    compare: Comparison | None = None
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    developers: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    scale: int = 5
    min_count: int = MIN_COUNT
    sequential: bool = False
    link_base: str | None = None
