"""Gives a follow-up question the context that it lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from examples.agent_app.wording import terms

_POINTS_BACK = re.compile(
    r"^(and|but|so|also|then|what about|how about|why not)\b"
    r"|\b(it|its|that|this|they|them|those|these|one|there)\b",
    re.IGNORECASE,
)


def context_of(question: str, earlier: Sequence[str]) -> str:
    """The previous question, where this one cannot be understood alone; else nothing.

    A question points back by a pronoun ("can I undo it?"), by its opening ("and on Databricks?"),
    or by having hardly a word of its own ("why?").
    """
    if earlier and (_POINTS_BACK.search(question) or len(terms(question)) < 2):
        return earlier[-1]
    return ""
