"""What has to be done so that a trace holds a rating: what should be, compared with what is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent_feedback.assessment_format import changed_at
from agent_feedback.model import Assessment, Rating, StoredTrace
from agent_feedback.ratings.matching import is_mine

_CLOCK_TOLERANCE_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that make a trace hold a rating as desired: deletions, then at most one write.

    Attributes:
        delete: The ids to delete, oldest first.
        keep: The id of the assessment that is there and stays.
        update: Whether it must be changed in place.
        create: Whether a new assessment is needed.
        yield_to: The newer rating of another replica's ledger that stands instead.
        contested: Another replica's ledger has written this rating too: both may be writing now.
    """

    delete: tuple[str, ...] = ()
    keep: str | None = None
    update: bool = False
    create: bool = False
    yield_to: Assessment | None = None
    contested: bool = False

    @property
    def writes(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.delete or self.update or self.create)


def plan(
    rating: Rating, trace: StoredTrace, *, is_foreign: Callable[[Assessment], bool], now: int
) -> Plan:
    """Compare what should be with what is.

    Args:
        rating: The desired state.
        trace: What MLflow holds.
        is_foreign: Whether another replica's ledger wrote an assessment.
        now: Our clock in milliseconds: a rating far ahead of it is no newer one.
    """
    # An assessment that overrides another hides it, and deleting it shows the other again: so the
    # oldest is deleted first.
    mine = sorted(
        (found for found in trace.assessments if is_mine(found, rating.key)),
        key=lambda found: found.created_at,
    )
    newer = [
        found
        for found in mine
        if found.valid
        and is_foreign(found)
        and rating.changed_at < (changed_at(found) or 0) <= now + _CLOCK_TOLERANCE_MS
    ]
    contested = any(map(is_foreign, mine))
    if newer:
        kept = max(newer, key=lambda found: (changed_at(found) or 0, found.assessment_id))
        return Plan(delete=_others(mine, kept), yield_to=kept, contested=contested)
    if rating.withdrawn:
        return Plan(delete=_others(mine, None), contested=contested)
    keep = _to_keep(rating, mine)
    return Plan(
        delete=_others(mine, keep),
        keep=keep.assessment_id if keep else None,
        update=keep is not None and not _equals(keep, rating),
        create=keep is None,
        contested=contested,
    )


def _to_keep(rating: Rating, mine: list[Assessment]) -> Assessment | None:
    by_id = {found.assessment_id: found for found in mine}
    if rating.clear_first:
        return by_id.get(rating.assessment_id)
    known = by_id.get(rating.store_id or "") or by_id.get(rating.assessment_id)
    valid = [found for found in mine if found.valid]
    return known or (max(valid, key=lambda found: found.updated_at) if valid else None)


def _equals(found: Assessment, rating: Rating) -> bool:
    return found.content == rating.content and changed_at(found) == rating.changed_at


def _others(mine: list[Assessment], kept: Assessment | None) -> tuple[str, ...]:
    return tuple(found.assessment_id for found in mine if found is not kept)
