"""``AGENT_FEEDBACK_*`` variables that no setting reads: slips of the keyboard, found at start."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from dataclasses import fields

from agent_feedback.errors import ConfigurationError
from agent_feedback.settings import Settings

logger = logging.getLogger(__name__)

_PREFIX = "AGENT_FEEDBACK_"
_LIKENESS = 0.8  # of letters in common, by difflib: one slip in a short name, two in a long one


def check_variables(names: Iterable[str]) -> None:
    """Refuse what is almost the name of a setting, and warn of what is like none.

    A slip in ``AGENT_FEEDBACK_REQUIRE_USER`` would leave an app open that its owner believes to be
    closed. A name that is like no setting may be somebody's own, or a newer release's.

    Args:
        names: The environment's names.

    Raises:
        ConfigurationError: a name is almost a setting's.
    """
    known = [field.name.upper() for field in fields(Settings)]
    unknown = []
    for name in sorted(names):
        ending = name.removeprefix(_PREFIX)
        if ending == name or ending in known:
            continue
        meant = difflib.get_close_matches(ending, known, 1, _LIKENESS)
        if meant:
            raise ConfigurationError(
                f"{name} is not read by anything: {_PREFIX}{meant[0]} is what it is called."
            )
        unknown.append(name)
    if unknown:
        logger.warning("agent_feedback: no setting is called %s.", ", ".join(unknown))
