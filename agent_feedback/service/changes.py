"""What one operation learns while the ledger applies its changes: what was there, whom to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from agent_feedback.delivery.waiters import Delivered, Waiter, Waiters
from agent_feedback.model import Rating, RatingKey
from agent_feedback.ratings.transitions import Transition


class Changes:
    """The changes of one operation.

    Args:
        waiters: Where to wait for the deliveries; ``None`` where waiting is in vain.
        client_request_id: The id of the request whose answer is rated.
    """

    def __init__(self, waiters: Waiters | None, client_request_id: str | None) -> None:
        self._waiters = waiters
        self._client_request_id = client_request_id
        self._before: dict[RatingKey, Rating | None] = {}
        self._waiting: dict[RatingKey, Waiter] = {}
        self._is_over = False

    def observed(self, transitions: Mapping[RatingKey, Transition]) -> dict[RatingKey, Transition]:
        """The same transitions, which note here what they change, within its transaction."""
        return {key: self._observed(key, each) for key, each in transitions.items()}

    def before(self, key: RatingKey) -> Rating | None:
        """What the rating was before."""
        return self._before[key]

    def are_news(self, rating: Rating) -> bool:
        """Whether the operation changed this rating."""
        return rating is not self._before[rating.key]

    @property
    def awaited(self) -> Sequence[Future[Delivered]]:
        """What there is to wait for."""
        return [waiter.stored for waiter in self._waiting.values()]

    def delivered(self, key: RatingKey) -> Delivered | None:
        """What became of the rating meanwhile, if it was waited for and is stored."""
        waiter = self._waiting.get(key)
        return waiter.stored.result() if waiter is not None and waiter.stored.done() else None

    def stop_waiting(self) -> None:
        """Nobody waits for these deliveries any more, also where the ledger is still at work."""
        self._is_over = True
        if self._waiters is not None:
            self._waiters.remove(list(self._waiting.values()))

    def _observed(self, key: RatingKey, transition: Transition) -> Transition:
        def transition_and_note(old: Rating | None) -> Rating | None:
            new = transition(old)
            if new is not None and new is not old and new.client_request_id is None:
                new = replace(new, client_request_id=self._client_request_id)
            self._before[key] = old
            self._wait_for(key, new)
            return new

        return transition_and_note

    def _wait_for(self, key: RatingKey, new: Rating | None) -> None:
        """Begin to wait now: until the transaction ends, the row is locked for deliveries."""
        if self._waiters is None:
            return
        if (earlier := self._waiting.pop(key, None)) is not None:  # of a repeated transaction
            self._waiters.remove([earlier])
        if new is not None and new.pending:
            self._waiting[key] = self._waiters.add(key, new.revision)
        if self._is_over:  # the caller was refused meanwhile
            self.stop_waiting()
