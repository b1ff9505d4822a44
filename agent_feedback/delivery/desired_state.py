"""How a rating's desired state changes: pure functions from the old row to the new one.

Raising ``revision`` is what makes delivery notice; the assessment's id is chosen here, before
anything is sent, and is a fresh one after each withdrawal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent_feedback.errors import RatingNotFound
from agent_feedback.model import (
    Assessment,
    Content,
    Rating,
    RatingKey,
    new_assessment_id,
)

Transition = Callable[[Rating | None], Rating | None]


def state(
    key: RatingKey, content: Content, *, now: int, client_request_id: str | None = None
) -> Transition:
    """The whole rating is stated: what is not said is cleared."""

    def transition(old: Rating | None) -> Rating:
        if old is None:
            return Rating(
                key,
                content,
                new_assessment_id(),
                changed_at=now,
                client_request_id=client_request_id,
            )
        if old.withdrawn:
            return replace(
                _moved_on(old, now),
                content=content,
                withdrawn=False,
                # Until MLflow has seen the withdrawal, the old assessment still stands there.
                clear_first=old.pending or old.clear_first,
                assessment_id=new_assessment_id(),
                store_id=None,
            )
        if old.content == content and old.pending and not old.undeliverable:
            return old  # a double click; once delivered, saying it again makes it so again
        return replace(_moved_on(old, now), content=content)

    return transition


def amend(assessment_id: str, amendment: Callable[[Content], Content], *, now: int) -> Transition:
    """A part of the rating changes; what is not said is kept.

    Raises, when applied, RatingNotFound where the rating has no such id (any more).
    """

    def transition(old: Rating | None) -> Rating:
        if old is None or old.withdrawn or assessment_id not in old.ids:
            raise RatingNotFound()
        content = amendment(old.content)
        return old if content == old.content else replace(_moved_on(old, now), content=content)

    return transition


def withdraw(key: RatingKey, *, now: int, assessment_id: str | None = None) -> Transition:
    """The rating is gone, whoever wrote it for this person; twice is as good as once.

    Raises, when applied, RatingNotFound where ``assessment_id`` is given and is another one.
    """

    def transition(old: Rating | None) -> Rating:
        if assessment_id is not None and (old is None or assessment_id not in old.ids):
            raise RatingNotFound()
        if old is None:
            # What another client wrote is not in the ledger; the tombstone makes it go too.
            return Rating(key, Content(), new_assessment_id(), withdrawn=True, changed_at=now)
        if old.withdrawn and old.pending:
            return old
        return replace(_moved_on(old, now), content=Content(), withdrawn=True)

    return transition


def adopted(key: RatingKey, found: Assessment) -> Rating:
    """A rating that MLflow holds and the ledger does not (any more), as a row would say it."""
    return Rating(
        key,
        found.content,
        assessment_id=found.assessment_id,
        store_id=found.assessment_id,
        delivered_revision=1,
        changed_at=found.updated_at,
    )


def _moved_on(old: Rating, now: int) -> Rating:
    return replace(
        old,
        revision=old.revision + 1,
        changed_at=max(now, old.changed_at + 1),
        undeliverable=False,
    )
