"""Whose access token it is: a cached, bounded question to the Databricks workspace.

The databricks-sdk is synchronous and can block for minutes when its host is unreachable, so the
questions run in threads of their own and nobody waits longer than the deadline.
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import PermissionDenied, Unauthenticated

from agent_feedback.errors import FeedbackError, IdentityRefused, Unavailable
from agent_feedback.identity.headers import AccessToken, is_person, normalise
from agent_feedback.model import Identity

DEADLINE_SECONDS = 2.0
_KEEP_SECONDS = 300.0
_KEEP_FAILURE_SECONDS = 5.0
_MOST_ENTRIES = 10_000
_MOST_LOOK_UPS = 8


class TokenDirectory:
    """Resolves access tokens to people, one question per token and five minutes."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[float, Future[Identity]]] = {}
        # Reentrant: an answer that is there at once calls back within `look_up`.
        self._lock = threading.RLock()
        self._free = threading.Semaphore(_MOST_LOOK_UPS)

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
            if answer is None or (now >= fresh_until and answer.done()):
                answer = self._ask(token)
                self._remember(digest, answer, now + _KEEP_SECONDS)
                answer.add_done_callback(lambda done: self._shorten_if_failed(digest, done))
            return answer

    def resolve(self, token: AccessToken) -> Identity:
        """The person behind ``token``; blocks up to the deadline.

        Raises:
            IdentityRefused: the workspace refuses the token.
            Unavailable: the workspace did not answer in time.
        """
        try:
            return self.look_up(token).result(timeout=DEADLINE_SECONDS + 1.0)
        except FutureTimeout:
            raise _not_now() from None
        except FeedbackError as error:
            # One failure is shared by everybody who waits for it: each gets an own exception.
            raise type(error)() if isinstance(error, IdentityRefused) else _not_now() from None

    def _ask(self, token: AccessToken) -> Future[Identity]:
        answer: Future[Identity] = Future()
        if not self._free.acquire(blocking=False):
            answer.set_exception(_not_now())
            return answer

        def ask() -> None:
            try:
                who, failure = _ask_workspace(token), None
            except FeedbackError as error:
                who, failure = None, error
            self._free.release()
            _settle(answer, who, failure)

        # Daemons: the SDK may hang for minutes, and the process must be able to end. Whoever asks
        # later waits for what is left of the deadline, not for another one.
        deadline = threading.Timer(DEADLINE_SECONDS, _settle, (answer, None, _not_now()))
        asking = threading.Thread(target=ask, name="agent-feedback-identity")
        for thread in (deadline, asking):
            thread.daemon = True
            thread.start()
        answer.add_done_callback(lambda _: deadline.cancel())
        return answer

    def _remember(self, digest: bytes, answer: Future[Identity], until: float) -> None:
        while len(self._answers) >= _MOST_ENTRIES:
            self._answers.pop(next(iter(self._answers)))
        self._answers[digest] = (until, answer)

    def _shorten_if_failed(self, digest: bytes, answer: Future[Identity]) -> None:
        if not answer.cancelled() and answer.exception() is not None:
            with self._lock:
                if digest in self._answers:
                    self._answers[digest] = (time.monotonic() + _KEEP_FAILURE_SECONDS, answer)


def _ask_workspace(token: AccessToken) -> Identity:
    try:
        # auth_type="pat": with DATABRICKS_CLIENT_ID set, as on Databricks Apps, the SDK would
        # otherwise refuse to choose between the app's credentials and the user's token.
        config = Config(
            token=token.secret,
            auth_type="pat",
            http_timeout_seconds=DEADLINE_SECONDS,
            retry_timeout_seconds=int(DEADLINE_SECONDS),
        )
        user_name = WorkspaceClient(config=config).current_user.me().user_name
    except (Unauthenticated, PermissionDenied):
        raise IdentityRefused() from None
    except Exception:
        raise _not_now() from None
    name = normalise(user_name or "")
    return Identity(name, "obo", is_human=True) if name and is_person(name) else Identity(how="obo")


def _settle(answer: Future[Identity], who: Identity | None, failure: FeedbackError | None) -> None:
    """Answer, unless the deadline or the workspace did so before."""
    with suppress(InvalidStateError):
        if who is not None:
            answer.set_result(who)
        else:
            answer.set_exception(failure)


def _not_now() -> Unavailable:
    return Unavailable(
        "Your workspace cannot be asked who you are right now: try again in a moment.",
        retry_after=_KEEP_FAILURE_SECONDS,
    )
