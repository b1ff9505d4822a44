"""What users call: registers handlers, mounts the routes, and offers the operations in Python."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar, overload
from weakref import WeakSet

import mlflow
from fastapi import FastAPI
from mlflow.genai import agent_server
from mlflow.genai.agent_server import AgentServer

from agent_feedback import handler_registry
from agent_feedback.agent.wire.middleware import AgentRoutesMiddleware
from agent_feedback.application import Application
from agent_feedback.environment_variables import check_variables
from agent_feedback.errors import ConfigurationError
from agent_feedback.identity.headers import normalise
from agent_feedback.lifecycle import Lifecycle
from agent_feedback.model import Identity, Turn
from agent_feedback.service.forms import RatingForm
from agent_feedback.service.receipts import Receipt, Submission
from agent_feedback.service.targets import Target
from agent_feedback.settings import Settings
from agent_feedback.web.cors import CrossOriginMiddleware
from agent_feedback.web.lifespan import LifespanMiddleware
from agent_feedback.web.routes import Routes

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])


class HasApp(Protocol):
    """What MLflow's ``AgentServer`` is to us."""

    app: FastAPI


class AgentFeedback:
    """Feedback for one application.

    Decorate the handlers with :meth:`invoke` and :meth:`stream`, and :meth:`mount` it on the
    server. Nothing is opened or started before the server starts, or a method is first used.

    Args:
        settings: Else they come from ``AGENT_FEEDBACK_*`` variables.

    Raises:
        ConfigurationError: a setting cannot work.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        check_variables(os.environ)
        self._parts = Application(settings or Settings())
        self._mounted: WeakSet[FastAPI] = WeakSet()

    @property
    def settings(self) -> Settings:
        """What was chosen."""
        return self._parts.settings

    # -- decorators ---------------------------------------------------------------------------

    @overload
    def invoke(self, handler: F) -> F: ...
    @overload
    def invoke(self) -> Callable[[F], F]: ...
    def invoke(self, handler: F | None = None) -> F | Callable[[F], F]:
        """Register a handler that answers in one piece, and return it as it is.

        The handler takes ``(request)`` or ``(request, turn)``, and may be a function or a
        generator, synchronous or not; of a generator's pieces the last one is the answer, or for
        a Responses agent what its events amount to.

        Raises:
            ConfigurationError: there is an invoke handler already, or this can be none.
        """
        wrap = self._parts.wrappers.invoke
        return self._decorator("invoke", agent_server.invoke, wrap, handler)  # type: ignore[no-any-return]

    @overload
    def stream(self, handler: F) -> F: ...
    @overload
    def stream(self) -> Callable[[F], F]: ...
    def stream(self, handler: F | None = None) -> F | Callable[[F], F]:
        """Register a handler that answers in events, and return it as it is.

        The handler takes ``(request)`` or ``(request, turn)``. It yields events, or returns an
        iterable of them, synchronous or not.

        Raises:
            ConfigurationError: there is a stream handler already, or this can be none.
        """
        wrap = self._parts.wrappers.stream
        return self._decorator("stream", agent_server.stream, wrap, handler)  # type: ignore[no-any-return]

    def _decorator(
        self,
        name: str,
        register: Callable[[], Callable[[Any], Any]],
        wrap: Callable[[Any], Any],
        handler: F | None,
    ) -> Any:
        if handler is None:
            return partial(self._decorator, name, register, wrap)
        registered = wrap(handler)
        handler_registry.mark(registered, self, handler)
        try:
            register()(registered)
        except ValueError:
            raise ConfigurationError(handler_registry.already_registered(name, self)) from None
        return handler

    # -- mounting -----------------------------------------------------------------------------

    def mount(self, server: HasApp | FastAPI) -> None:
        """Add the feedback routes, and treat the agent's answers so that they can be rated.

        Args:
            server: MLflow's ``AgentServer``, or the FastAPI app that hosts its routes. The app's
                own lifespan is kept, whenever it is set.

        Raises:
            ConfigurationError: MLflow's server has no handler, or those of another
                ``AgentFeedback``; the app has started already or has feedback already; or this is
                something else. Whatever else keeps answers from being rated is logged at start.
        """
        app = getattr(server, "app", server)
        if not isinstance(app, FastAPI):
            raise ConfigurationError(
                "mount takes MLflow's AgentServer or a FastAPI app: a router or sub-application"
                " would be hidden from MLflow's chat proxy."
            )
        if app in self._mounted:
            raise ConfigurationError("This app has feedback already: mount it once.")
        if isinstance(server, AgentServer) and (error := handler_registry.mount_error(self)):
            raise ConfigurationError(error)
        self._attach(app, lambda: handler_registry.problems(self))

    def app(self) -> FastAPI:
        """An app with the feedback routes and no agent: a sidecar for agents elsewhere."""
        app = FastAPI(title="Agent feedback")
        self._attach(app, lambda: ())
        if self.settings.raters == "asker":
            logger.warning(
                "agent_feedback: this sidecar refuses traces that agent_feedback did not mark:"
                " set AGENT_FEEDBACK_RATERS=anyone, or let the agent run with agent_feedback."
            )
        return app

    def _attach(self, app: FastAPI, problems: Callable[[], Iterable[str]]) -> None:
        parts = self._parts
        routes = Routes(parts.service, parts.resolver, parts.settings, parts.waiting, parts.status)
        chosen = parts.settings
        try:
            app.add_middleware(
                CrossOriginMiddleware,
                prefix=chosen.prefix,
                allowed_origins=chosen.allowed_origins,
            )
            app.add_middleware(AgentRoutesMiddleware, current=parts.current)
            hooks = Lifecycle(parts, app, problems)
            app.add_middleware(LifespanMiddleware, hooks=hooks)
        except RuntimeError:
            raise ConfigurationError("Mount feedback before the app has started.") from None
        routes.add_to(app)
        self._mounted.add(app)

    # -- the operations, from Python ----------------------------------------------------------

    @contextmanager
    def turn(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        client_request_id: str | None = None,
    ) -> Iterator[Turn]:
        """Record a turn of a host without our HTTP routes: a Slack bot, a WebSocket handler.

        The turn belongs to the active trace, or to a new one of its own. The ``user_id`` is
        trusted: the application has verified it. A ``client_request_id`` that MLflow cannot keep is
        replaced, and such a ``session_id`` left out; the turn says what counts.
        """
        in_span = mlflow.get_current_active_span() is not None
        with nullcontext() if in_span else mlflow.start_span("turn"):
            live = self._parts.turns.open_app(
                normalise(user_id) if user_id else None, session_id, client_request_id
            )
            try:
                yield live.turn
            except Exception as error:
                live.fail(error)
                raise
            except BaseException:
                live.interrupt(None)
                raise
            live.finish()

    def submit(
        self,
        *,
        trace_id: str | None = None,
        client_request_id: str | None = None,
        value: bool | float | None = None,
        dimension: str | None = None,
        rationale: str | None = None,
        reasons: Sequence[str] = (),
        correction: str | None = None,
        signal: str | None = None,
        ratings: Mapping[str, float] | None = None,
        user_id: str | None = None,
    ) -> list[Receipt]:
        """Create or change a person's rating, as ``POST /feedback`` and ``…/detailed`` do.

        Blocks until the rating is durable, and up to ``wait_seconds`` for MLflow; in a thread that
        runs an event loop it does not wait for MLflow. From asynchronous code, prefer
        ``await asyncio.to_thread(feedback.submit, …)``.

        Args:
            trace_id: The answer's trace, or
            client_request_id: the id of its request.
            value: A thumb's bool, or with ``dimension`` its stars.
            dimension: One of the settings' dimensions.
            rationale: Why; alone it is a comment.
            reasons: Some of the settings' reasons.
            correction: What the answer should have been.
            signal: An implicit signal, instead of a value.
            ratings: Stars by dimension, instead of a value.
            user_id: The person, as the application verified it; ``None`` for an anonymous one.

        Returns:
            The receipt of each assessment that this makes: the rating first.

        Raises:
            FeedbackError: one of :mod:`agent_feedback.errors`, with a sentence for its reader.
        """
        form = RatingForm(
            value, dimension, rationale, tuple(reasons), correction, signal, dict(ratings or {})
        )
        target = Target(trace_id, client_request_id)
        return self._carry_out(lambda: self._parts.service.submit(target, form, _person(user_id)))

    def withdraw(
        self,
        *,
        trace_id: str | None = None,
        client_request_id: str | None = None,
        dimension: str | None = None,
        assessment_id: str | None = None,
        user_id: str | None = None,
    ) -> Receipt:
        """Withdraw a person's rating, as ``DELETE /feedback`` does. Waits as :meth:`submit` does.

        Args:
            trace_id: The answer's trace, or
            client_request_id: the id of its request.
            dimension: What was rated; the thumb where neither this nor the id is given.
            assessment_id: The rating's id.
            user_id: The person, as the application verified it; ``None`` for an anonymous one.

        Returns:
            The receipt of the withdrawal. A thumb's ``correction`` is the receipt of the one that
            stays, ``None`` where there is none; ``dimension="expected_response"`` withdraws it.

        Raises:
            FeedbackError: one of :mod:`agent_feedback.errors`.
        """
        target = Target(trace_id, client_request_id)
        return self._carry_out(
            lambda: self._parts.service.withdraw(
                target, _person(user_id), dimension=dimension, assessment_id=assessment_id
            )
        )[0]

    def mine(
        self,
        *,
        trace_ids: Sequence[str] = (),
        client_request_ids: Sequence[str] = (),
        session_id: str | None = None,
        user_id: str | None = None,
    ) -> list[Receipt]:
        """A person's own ratings, as ``GET /feedback`` lists them.

        Raises:
            FeedbackError: one of :mod:`agent_feedback.errors`.
        """
        return self._parts.service.mine(
            _person(user_id),
            trace_ids=trace_ids,
            client_request_ids=client_request_ids,
            session_id=session_id,
        )

    def _carry_out(self, operation: Callable[[], Submission]) -> list[Receipt]:
        if _in_event_loop():
            return operation().receipts()
        submission = self._parts.waiting.for_trace_blocking(operation)
        self._parts.waiting.for_delivery_blocking(submission)
        return submission.receipts()


def _person(user_id: str | None) -> Identity:
    return Identity(normalise(user_id), "app", is_human=True) if user_id else Identity(how="app")


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
