"""How a rating's desired state changes: pure functions from the old rating to the new one.

Every change raises ``revision``, and delivery sends whatever MLflow is not known to hold. The
assessment's id is chosen here, before anything is sent, so that a repeated attempt cannot create a
second one; after a withdrawal a new rating gets a new id.
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
"""From what a rating is to what it should be; ``None`` or the same object changes nothing."""


def state(
    key: RatingKey, content: Content, *, now: int, client_request_id: str | None = None
) -> Transition:
    """The whole rating is given: what is not in it is cleared."""

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
                # Until the withdrawal is delivered, MLflow still holds the old assessment.
                clear_first=old.pending or old.clear_first,
                assessment_id=new_assessment_id(),
                store_id=None,
            )
        # A double click. Once delivered, the same rating again is sent again: it may have been
        # changed in MLflow meanwhile.
        if old.content == content and old.pending and not old.undeliverable:
            return old
        return replace(_moved_on(old, now), content=content)

    return transition


def amend(assessment_id: str, amendment: Callable[[Content], Content], *, now: int) -> Transition:
    """A part of the rating changes; what is not given is kept.

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
            # MLflow may hold a rating that another client wrote. The ledger does not know it, so
            # the withdrawal is recorded all the same, and its delivery deletes what it finds.
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
