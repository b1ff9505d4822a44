"""Whose access token it is: a cached, bounded question to the Databricks workspace.

The databricks-sdk is synchronous and can block for minutes when its host is unreachable, so the
questions run in threads of their own and nobody waits longer than the deadline.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
import time
from concurrent.futures import Future, InvalidStateError
from importlib import import_module

from agent_feedback.errors import FeedbackError, IdentityRefused, Unavailable
from agent_feedback.identity.headers import AccessToken, is_person, normalise
from agent_feedback.log_throttle import LogThrottle
from agent_feedback.model import Identity

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 2.0
_KEEP_SECONDS = 300.0
_KEEP_FAILURE_SECONDS = 5.0
_MAX_ENTRIES = 10_000
_MAX_LOOK_UPS = 8
_LOG_AGAIN_SECONDS = 60.0


class TokenOwners:
    """Resolves access tokens to people, one question per token and five minutes."""

    def __init__(self) -> None:
        if any(name.startswith("DATABRICKS_") for name in os.environ):
            # Now, because the import would take most of the first person's deadline.
            import_module("agent_feedback.identity.workspace")
        self._answers: dict[bytes, tuple[float, Future[Identity]]] = {}
        # Reentrant: an answer that is there at once calls back within `look_up`.
        self._lock = threading.RLock()
        self._free = threading.Semaphore(_MAX_LOOK_UPS)
        self._throttle = LogThrottle(_LOG_AGAIN_SECONDS)

    def look_up(self, token: AccessToken) -> Future[Identity]:
        """The person behind ``token``, as a future that never blocks the caller.

        The future fails with :class:`IdentityRefused` where the workspace refuses the token, and
        with :class:`Unavailable` where it cannot be asked now.
        """
        # Only a digest is kept: the token itself must not outlive its request.
        digest = hashlib.sha256(token.secret.encode()).digest()
        now = time.monotonic()
        with self._lock:
            fresh_until, answer = self._answers.get(digest, (0.0, None))
            if answer is not None and (now < fresh_until or not answer.done()):
                return answer
            if not self._free.acquire(blocking=False):
                # Not remembered: nothing was asked, and a flood of tokens must not push out others.
                return _failed(_not_now())
            answer = self._ask(token, digest)
            self._remember(digest, answer, now + _KEEP_SECONDS)
            answer.add_done_callback(lambda done: self._shorten_if_failed(digest, done))
            return answer

    async def resolve(self, token: AccessToken) -> Identity:
        """The person behind ``token``, within the deadline. Holds no thread of the caller's.

        Raises:
            IdentityRefused: the workspace refuses the token.
            Unavailable: the workspace did not answer in time.
        """
        try:
            # Shielded: the look-up is shared, and must go on where one request is cancelled.
            return await asyncio.shield(asyncio.wrap_future(self.look_up(token)))
        except FeedbackError as error:
            # One failure is shared by everybody who waits for it: each gets an own exception.
            raise type(error)() if isinstance(error, IdentityRefused) else _not_now() from None

    def _ask(self, token: AccessToken, digest: bytes) -> Future[Identity]:
        answer: Future[Identity] = Future()

        def ask() -> None:
            try:
                who, failure = self._ask_workspace(token), None
            except FeedbackError as error:
                who, failure = None, error
            self._free.release()
            in_time = _settle(answer, who, failure)
            if who is not None and not in_time:  # for the next request with this token
                with self._lock:
                    self._remember(digest, _done(who), time.monotonic() + _KEEP_SECONDS)

        # Daemons: the SDK may hang for minutes, and the process must be able to end. Whoever asks
        # later waits for what is left of the deadline, not for another one.
        deadline = threading.Timer(DEADLINE_SECONDS, _settle, (answer, None, _not_now()))
        asking = threading.Thread(target=ask, name="agent-feedback-identity")
        try:
            for thread in (deadline, asking):
                thread.daemon = True
                thread.start()
        except RuntimeError:  # the process has no thread left
            self._free.release()
            _settle(answer, None, _not_now())
        answer.add_done_callback(lambda _: deadline.cancel())
        return answer

    def _remember(self, digest: bytes, answer: Future[Identity], until: float) -> None:
        self._answers.pop(digest, None)
        while len(self._answers) >= _MAX_ENTRIES:
            self._answers.pop(next(iter(self._answers)))
        self._answers[digest] = (until, answer)

    def _shorten_if_failed(self, digest: bytes, answer: Future[Identity]) -> None:
        if not answer.cancelled() and answer.exception() is not None:
            with self._lock:
                if self._answers.get(digest, (0.0, None))[1] is answer:
                    self._answers[digest] = (time.monotonic() + _KEEP_FAILURE_SECONDS, answer)

    def _ask_workspace(self, token: AccessToken) -> Identity:
        try:
            name = normalise(_owner_of(token))
        except IdentityRefused:
            raise
        except Exception as error:
            self._log(error)
            raise _not_now() from None
        known = bool(name) and is_person(name)
        return Identity(name, "obo", is_human=True) if known else Identity(how="obo")

    def _log(self, error: Exception) -> None:
        """Say that nobody can be looked up, by the failure's kind alone."""
        kind = type(error).__name__
        sentence = f"the workspace cannot be asked whose an access token is ({kind})"
        if self._throttle.allows(sentence):
            logger.warning("agent_feedback: %s", sentence)


def _owner_of(token: AccessToken) -> str:
    # Not at the top: an app that has no workspace starts without the databricks-sdk.
    from agent_feedback.identity.workspace import owner_of

    return owner_of(token, within_seconds=DEADLINE_SECONDS)


def _settle(answer: Future[Identity], who: Identity | None, failure: FeedbackError | None) -> bool:
    """Answer, unless that was done before; returns whether this was in time."""
    try:
        if who is not None:
            answer.set_result(who)
        else:
            answer.set_exception(failure)
    except InvalidStateError:
        return False
    return True


def _done(who: Identity) -> Future[Identity]:
    answer: Future[Identity] = Future()
    answer.set_result(who)
    return answer


def _failed(failure: FeedbackError) -> Future[Identity]:
    answer: Future[Identity] = Future()
    answer.set_exception(failure)
    return answer


def _not_now() -> Unavailable:
    return Unavailable(
        "Your workspace cannot be asked who you are right now: try again in a moment.",
        retry_after=_KEEP_FAILURE_SECONDS,
    )
