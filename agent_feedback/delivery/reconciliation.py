"""What to do to MLflow, and when to try again: the pure decisions of delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent_feedback.doors.assessments import StoreError, Trouble, changed_at, is_marked
from agent_feedback.model import (
    ANONYMOUS,
    Assessment,
    Rating,
    RatingKey,
    StoredTrace,
    same_person,
)

_CLOCK_TOLERANCE_MS = 5 * 60_000
_SHARED_NAMES = (ANONYMOUS, "default")
_DAY_MS = 24 * 3_600_000
_EXPORT_GAP_MS = 15_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that make a trace hold a rating as desired: deletions, oldest first, then a write.

    ``keep`` is the id of what is there and stays, ``update`` says that it must be changed in place,
    ``create`` asks for a new assessment, and ``yield_to`` says that another replica's newer rating
    stands instead.
    """

    delete: tuple[str, ...] = ()
    keep: str | None = None
    update: bool = False
    create: bool = False
    yield_to: Assessment | None = None
    contested: bool = False
    """Another replica's ledger has written this rating too: both may be writing now."""

    @property
    def writes(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.delete or self.update or self.create)


def is_mine(found: Assessment, key: RatingKey) -> bool:
    """Whether an assessment on the trace is the rating that ``key`` names.

    Names that many people share, and expectations (an expert's work looks just like them), are
    ours only with our mark.
    """
    return (
        found.on_trace
        and found.source_type == "HUMAN"
        and (found.kind, found.name) == (key.kind, key.name)
        and same_person(found.source_id, key.person)
        and (
            is_marked(found)
            or (key.kind == "feedback" and key.person.casefold() not in _SHARED_NAMES)
        )
    )


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
    # Deleting an override revives what it hid, so the oldest goes first.
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
        update=keep is not None and not _says(keep, rating),
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


def _says(found: Assessment, rating: Rating) -> bool:
    return found.content == rating.content and changed_at(found) == rating.changed_at


def _others(mine: list[Assessment], kept: Assessment | None) -> tuple[str, ...]:
    return tuple(found.assessment_id for found in mine if found is not kept)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after ``seconds``; ``None`` means never: the rating is undeliverable."""

    seconds: float | None
    unsettled: bool = False
    """The attempt may still take effect later: look again once it no longer can."""
    refused: bool = False
    """MLflow answered, and would not take it: after a day of that it never will."""


def after_failure(
    failure: StoreError, *, attempts: int, age_ms: int, refused_ms: int, jitter: float
) -> Retry:
    """When to try again.

    Args:
        failure: What went wrong; ``NOT_FOUND`` means that the trace is not there.
        attempts: How many attempts failed before, since the last change.
        age_ms: How long the rating has been waiting.
        refused_ms: For how long MLflow has been answering that it will not take it.
        jitter: Between 0 and 1, to spread the attempts of many.
    """
    trouble = failure.trouble
    refused = trouble in (Trouble.NOT_FOUND, Trouble.REFUSED)
    if trouble is Trouble.IMPOSSIBLE or (refused and refused_ms > _DAY_MS):
        return Retry(None)
    if trouble is Trouble.REFUSED:
        return Retry(300.0 * (1 + 0.1 * jitter), refused=True)
    if trouble is Trouble.NOT_FOUND and age_ms < _EXPORT_GAP_MS:
        return Retry(0.3 + 0.2 * jitter, refused=True)
    seconds = min(60.0, 0.5 * 2 ** min(attempts, 10)) * (0.5 + jitter)
    if failure.retry_after is not None:
        seconds = max(seconds, failure.retry_after)
    return Retry(seconds, unsettled=trouble is Trouble.UNKNOWN, refused=refused)
