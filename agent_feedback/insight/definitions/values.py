"""What an assessment's value says: a thumb, a number from 0 to 1, or neither.

Every source reads values by these rules; the warehouse's SQL states the same ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from agent_feedback.model import RatingValue

_YES: Final = frozenset({"true", "yes"})
_NO: Final = frozenset({"false", "no"})
_BY_NUMBER: Final[Mapping[float, bool]] = MappingProxyType({1: True, 0: False})
# Nothing that one language reads as a number and another does not: no spaces, `1_0`, `inf`, `0x1`.
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")


def thumb(value: Any) -> bool | None:
    """Whether a value says yes or no: a boolean, ``"yes"``, ``"no"``, 1, 0, and these as strings.

    Upper and lower case are the same. ``None`` for anything else.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _BY_NUMBER.get(value)
    if not isinstance(value, str):
        return None
    text = value.lower()
    if text in _YES or text in _NO:
        return text in _YES
    return _BY_NUMBER.get(float(text)) if _NUMBER.fullmatch(text) else None


def share(value: Any) -> float | None:
    """A rating of a dimension, from 0 to 1; ``None`` for anything but a number in that range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Adding 0 makes a zero of a negative one, which is written differently.
    return value + 0.0 if 0 <= value <= 1 else None


def encodable(text: str) -> str:
    """``text`` as it can be written: half of a surrogate pair is no character."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(value: Any) -> RatingValue:
    """A value as a cell can show it: lists and objects, which no rating has, as JSON."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value, ensure_ascii=False)
