"""What a person sends, checked against the settings and turned into contents of ratings. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent_feedback.errors import InvalidFeedback, Unavailable
from agent_feedback.guard import origin_of
from agent_feedback.model import COMMENT, CORRECTION, THUMB, Content
from agent_feedback.settings import Settings
from agent_feedback.text import clean

logger = logging.getLogger(__name__)

MAX_RATIONALE = 4_000
MAX_CORRECTION = 8_000
_REASONS_OF_WHAT = "Reasons need a value or a rationale that they are the reasons of."


@dataclass(frozen=True, slots=True)
class RatingForm:
    """One submission. Which fields go together is said in the README's table of the routes."""

    value: bool | float | None = None
    dimension: str | None = None
    rationale: str | None = None
    reasons: Sequence[str] = ()
    correction: str | None = None
    signal: str | None = None
    ratings: Mapping[str, float] = field(default_factory=dict)


class Forms:
    """Reads forms by one application's settings.

    Every method raises :class:`~agent_feedback.errors.InvalidFeedback` with a sentence for the
    person who wrote the client.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def contents(self, form: RatingForm) -> dict[str, Content]:
        """The assessments that a form asks for, by name; the first is the form's own rating."""
        if form.ratings:
            return self._detailed(form)
        contents: dict[str, Content] = {}
        rationale = self._text("rationale", form.rationale, MAX_RATIONALE)
        annotations = Content(None, rationale, self._reasons(form.reasons))
        if form.signal is not None:
            contents[self._signal(form)] = replace(annotations, value=True)
        elif form.value is not None or form.dimension is not None:
            name = self.name_of(form.dimension)
            contents[name] = replace(annotations, value=self.stored_value(name, form.value))
        elif rationale is not None or form.reasons:
            contents[COMMENT] = replace(annotations, value=_needed(rationale, _REASONS_OF_WHAT))
        correction = self._text("correction", form.correction, MAX_CORRECTION)
        if correction is not None:
            contents[CORRECTION] = Content(correction)
        if not contents:
            raise InvalidFeedback(
                "There is nothing to store: send a value, a rationale or a correction."
            )
        return contents

    def amended(self, name: str, old: Content, changes: Mapping[str, Any]) -> Content:
        """A content after a partial change: what ``changes`` lacks is kept, ``None`` clears."""
        new = old
        if name == CORRECTION:
            if set(changes) != {"correction"} or changes["correction"] is None:
                raise InvalidFeedback(
                    "A correction is changed by its correction; DELETE withdraws it."
                )
            text = self._text("correction", changes["correction"], MAX_CORRECTION)
            return Content(_needed(text, "A correction needs a text; DELETE withdraws it."))
        if "correction" in changes:
            raise InvalidFeedback("A correction is a rating of its own: POST it.")
        if "value" in changes:
            new = replace(new, value=self.stored_value(name, changes["value"]))
        if "rationale" in changes:
            text = self._text("rationale", changes["rationale"], MAX_RATIONALE)
            new = replace(new, rationale=text)
            if name == COMMENT:
                new = replace(
                    new, value=_needed(text, "A comment needs a text; DELETE withdraws it.")
                )
        if "reasons" in changes:
            new = replace(new, reasons=self._reasons(changes["reasons"] or ()))
        return new

    def name_of(self, dimension: str | None) -> str:
        """The assessment name of a dimension; of the thumb where none is given."""
        if dimension is None:
            return THUMB
        if dimension not in self._settings.dimensions:
            known = ", ".join(self._settings.dimensions)
            raise InvalidFeedback(f"This dimension is unknown here: use one of {known}.")
        return self._settings.dimension_name(dimension)

    def name_to_withdraw(self, dimension: str | None) -> str:
        """As :meth:`name_of`, and the names that only withdrawals need to say."""
        others = {"comment": COMMENT}
        others |= {name: name for name in (THUMB, COMMENT, CORRECTION, *self._signal_names())}
        return others.get(dimension or "") or self.name_of(dimension)

    def names(self) -> frozenset[str]:
        """Every assessment name that these settings can write."""
        dimensions = map(self._settings.dimension_name, self._settings.dimensions)
        return frozenset({THUMB, COMMENT, CORRECTION, *dimensions, *self._signal_names()})

    def stored_value(self, name: str, value: object) -> bool | float:
        """A value in MLflow's units: a thumb as it is, stars as a share of the scale."""
        if name == THUMB:
            if not isinstance(value, bool):
                raise InvalidFeedback("A thumb's value is true or false; stars need a dimension.")
            return value
        scale = self._settings.scale
        if name in (COMMENT, CORRECTION) or name in self._signal_names():
            raise InvalidFeedback("This kind of feedback has no value to change.")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidFeedback(f"A dimension's value is a number of stars, 1 to {scale}.")
        if not 1 <= value <= scale:
            raise InvalidFeedback(f"A dimension's value is 1 to {scale} stars.")
        return value / scale

    def shown_value(self, name: str, value: object) -> bool | float | str | None:
        """A stored value in the units of the routes: the reverse of :meth:`stored_value`."""
        if isinstance(value, bool) or (name == CORRECTION and isinstance(value, str)):
            return value
        if name == THUMB or not isinstance(value, (int, float)):
            return None  # another client's: no thumb, no stars
        stars = round(value * self._settings.scale, 6)
        return int(stars) if stars == int(stars) else stars

    def _detailed(self, form: RatingForm) -> dict[str, Content]:
        alone = (form.value, form.dimension, form.correction, form.signal)
        if any(part is not None for part in alone):
            raise InvalidFeedback("Ratings of dimensions come with a rationale and reasons only.")
        values = {self.name_of(dimension): stars for dimension, stars in form.ratings.items()}
        in_order = [n for d in self._settings.dimensions if (n := self.name_of(d)) in values]
        rationale = self._text("rationale", form.rationale, MAX_RATIONALE)
        reasons = self._reasons(form.reasons)
        return {
            name: Content(
                self.stored_value(name, values[name]),
                rationale if first else None,
                reasons if first else (),
            )
            for name, first in ((name, name == in_order[0]) for name in in_order)
        }

    def _signal(self, form: RatingForm) -> str:
        if form.value is not None or form.dimension is not None:
            raise InvalidFeedback("A signal stands instead of a value and a dimension.")
        if form.signal not in self._settings.implicit_signals:
            raise InvalidFeedback(
                "This signal is not taken here: the setting implicit_signals names those that are."
            )
        return self._settings.signal_name(form.signal)

    def _signal_names(self) -> list[str]:
        return [self._settings.signal_name(signal) for signal in self._settings.implicit_signals]

    def _reasons(self, reasons: Sequence[str]) -> tuple[str, ...]:
        if not set(reasons) <= set(self._settings.reasons):
            raise InvalidFeedback(
                "A reason is unknown here: GET the settings for those that are taken."
            )
        return tuple(dict.fromkeys(reasons))

    def _text(self, field_name: str, text: str | None, longest: int) -> str | None:
        """A text as it is kept. It is counted as it was sent, which is what a client can count."""
        if text is None:
            return None
        cleaned = clean(_no_longer_than(longest, text, field_name), longest)
        if self._settings.redact is not None and cleaned.strip():
            cleaned = _no_longer_than(longest, self._redacted(cleaned, longest), field_name)
        return cleaned if cleaned.strip() else None

    def _redacted(self, text: str, longest: int) -> str:
        assert self._settings.redact is not None
        try:
            redacted = self._settings.redact(text)
            if not isinstance(redacted, str):
                raise TypeError("the redact hook must return a text")
            return clean(redacted, longest)  # again: a hook's own text goes to the same stores
        except Exception as error:
            # Never the text as it was: what should have been removed would be stored.
            logger.error(
                "agent_feedback: the redact hook failed; nothing was stored\n%s", origin_of(error)
            )
            raise Unavailable("Texts cannot be stored right now: try again later.") from None


def _no_longer_than(longest: int, text: str, field_name: str) -> str:
    if len(text) > longest:
        raise InvalidFeedback(f"The {field_name} is longer than {longest:,} characters.")
    return text


def _needed(text: str | None, sentence: str) -> str:
    if text is None:
        raise InvalidFeedback(sentence)
    return text
