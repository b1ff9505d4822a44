"""The operations: submit, amend, withdraw, mine. The routes and the Python API call these.

Each operation is one short, blocking step: it resolves the target, writes the desired state, and
hands the delivery over. It never waits for MLflow to store anything: :class:`Submission` says what
there is to wait for, and turns into answers once enough waiting was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

from agent_feedback.delivery.dispatcher import Dispatcher
from agent_feedback.delivery.waiters import Delivered
from agent_feedback.errors import ConfigurationError, Unavailable
from agent_feedback.guard import Guard
from agent_feedback.identity.person_key import person_key_of
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.search import TraceSearch
from agent_feedback.model import (
    CORRECTION,
    THUMB,
    Assessment,
    Identity,
    Rating,
    RatingKey,
    StoredTrace,
)
from agent_feedback.ratings import transitions
from agent_feedback.ratings.transitions import Transition
from agent_feedback.service.changes import Changes
from agent_feedback.service.forms import Forms, RatingForm
from agent_feedback.service.receipts import Receipt, Submission
from agent_feedback.service.stored_ratings import StoredRatings
from agent_feedback.service.targets import Rateable, Target, Targets, session_name
from agent_feedback.settings import Settings


class Service:
    """Feedback for one application; ``began`` is called with each change, before it is sent."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: Assessments,
        search: TraceSearch,
        dispatcher: Dispatcher,
        guard: Guard,
        *,
        began: Callable[[], None],
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._guard = guard
        self._began = began
        self._forms = Forms(settings)
        self._targets = Targets(ledger, store, search, settings.raters)
        self._stored = StoredRatings(
            store, search, names=self._forms.names(), is_away=lambda: dispatcher.is_away
        )

    def close(self) -> None:
        """Let go of the threads; a later use starts others."""
        self._stored.close()

    def submit(self, target: Target, form: RatingForm, person: Identity) -> Submission:
        """Create or change the person's rating of an answer, or several dimensions of it at once.

        Raises:
            InvalidFeedback, NotAllowed, TraceNotFound, Unavailable: see :mod:`.errors`.
        """
        contents = self._forms.contents(form)
        trace = self._targets.resolve(target, person)
        state = partial(transitions.state, now=_now(), client_request_id=trace.client_request_id)
        keys = {RatingKey(trace.trace_id, person.user_id, name): name for name in contents}
        return self._change(
            trace,
            {key: state(key, contents[name]) for key, name in keys.items()},
        )

    def amend(
        self, target: Target, assessment_id: str, changes: Mapping[str, Any], person: Identity
    ) -> Submission:
        """Change a part of one of the person's own ratings.

        Raises:
            RatingNotFound: it is not theirs, or not there; nobody can tell which.
        """
        trace = self._targets.resolve(target, person)
        key, found = self._own(trace, assessment_id, person)
        transition = transitions.amend(
            assessment_id,
            lambda content: self._forms.amended(key.name, content, changes),
            now=_now(),
        )
        return self._change(trace, {key: _starting_from(found, key, transition)})

    def withdraw(
        self,
        target: Target,
        person: Identity,
        *,
        dimension: str | None = None,
        assessment_id: str | None = None,
    ) -> Submission:
        """Withdraw one of the person's own ratings, by its id or by what it rates.

        A thumb's correction is a rating of its own and stays; the thumb's receipt carries it.

        Raises:
            RatingNotFound: ``assessment_id`` is not theirs, or not there.
        """
        name = self._forms.name_to_withdraw(dimension)
        trace = self._targets.resolve(target, person)
        found: Assessment | None = None
        key = RatingKey(trace.trace_id, person.user_id, name)
        if assessment_id is not None:
            key, found = self._own(trace, assessment_id, person)
        transition = transitions.withdraw(key, now=_now(), assessment_id=assessment_id)
        kept, is_known = self._correction(key, person) if key.name == THUMB else (None, True)
        submission = self._change(trace, {key: _starting_from(found, key, transition)})

        def receipts() -> list[Receipt]:
            return [
                replace(each, correction=kept, is_correction_known=is_known)
                for each in submission.receipts()
            ]

        return replace(submission, receipts=receipts)

    def mine(
        self,
        person: Identity,
        *,
        trace_ids: Sequence[str] = (),
        client_request_ids: Sequence[str] = (),
        session_id: str | None = None,
    ) -> list[Receipt]:
        """The person's own ratings of these answers, for a page that is loaded again."""
        if session_id is not None:
            session_id = session_name(session_id)
        targets = [Target(trace_id=t) for t in trace_ids]
        targets += [Target(client_request_id=c) for c in client_request_ids]
        wanted = dict.fromkeys(self._targets.own_traces(targets, person))
        stored: dict[str, StoredTrace] = {}
        if session_id is not None and not person.is_anonymous:
            turns = self._ledger.turns.of_session(session_id, person.user_id)
            wanted |= dict.fromkeys(turn.trace_id for turn in turns if turn.trace_id)
            stored = self._stored.session(session_id)
            wanted |= dict.fromkeys(stored)
        rated = {r.key: r for r in self._ledger.ratings.of(person.user_id, list(wanted))}
        # A purge may have taken some of a trace's ratings, though not while its turn is kept.
        whole = self._ledger.turns.kept_of({key.trace_id for key in rated})
        stored |= self._stored.traces([t for t in wanted if t not in stored and t not in whole])
        for trace in (stored[trace_id] for trace_id in wanted if trace_id in stored):
            for found in self._stored.of(person, trace):
                rated.setdefault(found.key, found)
        return [self._receipt(rating) for rating in rated.values() if not rating.withdrawn]

    def person_key(self, person: Identity) -> str | None:
        """An opaque key of the person, for pages: the same for every replica of this ledger.

        Raises:
            Unavailable: the ledger, whose id is the secret in it, cannot be opened now.
        """
        if person.is_anonymous:
            return None
        try:
            return person_key_of(self._ledger.identity(), person.user_id)
        except ConfigurationError:
            raise Unavailable() from None

    # -- changing -----------------------------------------------------------------------------

    def _change(self, trace: Rateable, wanted: Mapping[RatingKey, Transition]) -> Submission:
        waits = not self._dispatcher.is_away and self._is_stored(trace, wanted)
        changes = Changes(self._dispatcher.waiters if waits else None, trace.client_request_id)
        try:
            ratings = self._ledger.ratings.change(changes.observed(wanted))
            self._began()
            if any(rating.pending for rating in ratings):
                self._dispatcher.wake()
        except BaseException:
            changes.stop_waiting()
            raise
        self._tell_hook([rating for rating in ratings if changes.are_news(rating)])

        def receipts() -> list[Receipt]:
            changes.stop_waiting()
            return [
                self._receipt(each, changes.delivered(each.key), changes.before(each.key))
                for each in ratings
            ]

        return Submission(ratings, changes.awaited, receipts, changes.stop_waiting)

    def _is_stored(self, trace: Rateable, keys: Collection[RatingKey]) -> bool:
        """Whether MLflow has the trace by all experience, so that waiting for it makes sense."""
        if not trace.in_export_gap:
            return True
        # A rating of it that was delivered before shows that MLflow has it all the same.
        person = next(iter(keys)).person
        rated = self._ledger.ratings.of(person, [trace.trace_id])
        return any(rating.delivered_revision for rating in rated)

    def _tell_hook(self, ratings: Sequence[Rating]) -> None:
        hook = self.settings.on_rating
        if hook is None:
            return
        for rating in ratings:
            with self._guard.protect("the on_rating hook"):
                hook(rating)

    def _receipt(
        self,
        rating: Rating,
        delivered: Delivered | None = None,
        before: Rating | None = None,
    ) -> Receipt:
        done = delivered is not None or not rating.pending
        adopted = delivered is not None and delivered.adopted
        return Receipt(
            status="ok" if done else "pending",
            trace_id=rating.key.trace_id,
            client_request_id=rating.client_request_id,
            name=rating.key.name,
            value=self._forms.shown_value(rating.key.name, rating.content.value),
            rationale=rating.content.rationale,
            reasons=rating.content.reasons,
            assessment_id=delivered.assessment_id if delivered else rating.public_id,
            revision=rating.revision,
            updated_at=datetime.fromtimestamp(rating.changed_at / 1000, timezone.utc).isoformat(),
            created=(before is None or before.withdrawn) and not adopted,
        )

    # -- reading ------------------------------------------------------------------------------

    def _correction(self, thumb: RatingKey, person: Identity) -> tuple[Receipt | None, bool]:
        """The correction that stands beside the person's thumb, and whether that is known."""
        trace_ids = [thumb.trace_id]
        for each in self.mine(person, trace_ids=trace_ids):
            if each.name == CORRECTION:
                return each, True
        # While its turn is kept, the ledger has every rating of a trace; else MLflow must tell.
        return None, bool(self._ledger.turns.kept_of(trace_ids) or self._stored.traces(trace_ids))

    def _own(
        self, trace: Rateable, assessment_id: str, person: Identity
    ) -> tuple[RatingKey, Assessment | None]:
        """The person's own rating with this id, from the ledger or else from MLflow."""
        for rating in self._ledger.ratings.of(person.user_id, [trace.trace_id]):
            if assessment_id in rating.ids:
                return rating.key, None
        return self._stored.by_id(trace.trace_id, assessment_id, person)


def _starting_from(found: Assessment | None, key: RatingKey, then: Transition) -> Transition:
    """A transition of what only MLflow holds, as if the ledger had held it."""
    if found is None:
        return then
    return lambda old: then(old if old is not None else transitions.adopted(key, found))


def _now() -> int:
    return int(time.time() * 1000)
