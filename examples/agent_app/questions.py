"""Makes a follow-up question findable by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from examples.agent_app.search import terms

_POINTS_BACK = re.compile(
    r"^(and|but|so|also|then|what about|how about|why not)\b"
    r"|\b(it|its|that|this|they|them|those|these|one|there)\b",
    re.IGNORECASE,
)


def standalone(question: str, earlier: Sequence[str]) -> str:
    """The question with the words of the one before, where it cannot be understood alone.

    A question points back by a pronoun ("can I undo it?"), by its opening ("and on Databricks?"),
    or by having hardly a word of its own ("why?").
    """
    if not earlier:
        return question
    if _POINTS_BACK.search(question) or len(terms(question)) < 2:
        return f"{earlier[-1]} {question}"
    return question
