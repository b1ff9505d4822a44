"""Shows how far a command is, once that takes more than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from agent_feedback.insight.sources.source import Progress as Tell

_PATIENCE_SECONDS = 1.0


@contextmanager
def progress_shown(quiet: bool) -> Iterator[Tell]:
    """A function to tell; on a terminal, on the standard error stream, and not if ``quiet``."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        # What a command writes goes where it should, also while this is shown.
        redirect_stdout=False,
        redirect_stderr=False,
        disable=quiet or not sys.stderr.isatty(),
    )
    tasks: dict[str, TaskID] = {}
    began = time.monotonic()

    def tell(what: str, done: int, total: int | None) -> None:
        if time.monotonic() - began < _PATIENCE_SECONDS:
            return
        shown.start()
        if what not in tasks:
            tasks[what] = shown.add_task(what, total=total)
        shown.update(tasks[what], completed=done, total=total)

    try:
        yield tell
    finally:
        shown.stop()
