"""What commands write: to a file or the standard output, and one sentence for each error."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from agent_feedback.errors import ConfigurationError, FeedbackError

Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(command: Command) -> Command:
    """Add the option that names the file to write."""
    return click.option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The file to write; else it is printed.",
    )(command)


@contextmanager
def opened_output(output: Path | None) -> Iterator[TextIO]:
    """The file to write, which is in its place once it is whole; what is no file is written to."""
    if output is None or str(output) == "-":
        if isinstance(sys.stdout, TextIOWrapper):
            # Not every terminal has every letter.
            sys.stdout.reconfigure(errors="replace")
        yield sys.stdout
        return
    target = output.resolve()
    is_new = not target.exists()
    part = target.with_name(f".{target.name}.part") if is_new or target.is_file() else target
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            if not is_new and part != target:
                shutil.copymode(target, part)
            yield file
        if part != target:
            part.replace(target)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from None
    finally:
        if part != target:
            part.unlink(missing_ok=True)


@contextmanager
def one_sentence() -> Iterator[None]:
    """One sentence for each error of ours, and the exit status of its kind."""
    try:
        yield
    except ConfigurationError as error:
        raise click.UsageError(_one_line(error)) from None
    except FeedbackError as error:
        raise click.ClickException(_one_line(error)) from None


def _one_line(error: Exception) -> str:
    """Names that people typed may hold line breaks."""
    return " ".join(str(error).split())
