"""HTTP in and out, nothing else: requests become operations, receipts and errors become answers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from agent_feedback.errors import FeedbackError, IdentityRequired, InvalidFeedback
from agent_feedback.identity.resolver import IdentityResolver
from agent_feedback.model import CORRECTION, THUMB, Identity
from agent_feedback.service.forms import MAX_CORRECTION, MAX_RATIONALE, RatingForm
from agent_feedback.service.receipts import Receipt, Submission
from agent_feedback.service.service import Service
from agent_feedback.service.targets import Target
from agent_feedback.service.waiting import Waiting
from agent_feedback.settings import Settings
from agent_feedback.web.openapi import (
    RequestId,
    RequestIds,
    TraceId,
    TraceIds,
    amending,
    creating,
    listing,
    operation_id,
    settings_of,
    telling,
    withdrawing,
)
from agent_feedback.web.request_guard import RequestGuard, refuse_unknown
from agent_feedback.web.schemas import (
    AmendBody,
    DetailedAnswer,
    DetailedBody,
    FeedbackAnswer,
    FeedbackBody,
    SettingsBody,
)
from agent_feedback.web.widget_files import Component

T = TypeVar("T")

# A person's ratings, and who they are, are for no cache, shared or not.
_PRIVATE = {"Cache-Control": "private, no-store"}
_MAX_THREADS = 64
_MAX_TARGETS = 100


class Routes:
    """The feedback routes of one application.

    Args:
        service: The operations.
        resolver: Says who sends a request.
        settings: Prefix, limits and what the widget needs to know.
        waiting: How long to wait for what.
        status: What ``GET …/status`` answers.
    """

    def __init__(
        self,
        service: Service,
        resolver: IdentityResolver,
        settings: Settings,
        waiting: Waiting,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._service = service
        self._resolver = resolver
        self._settings = settings
        self._status = status
        self._guard = RequestGuard(settings)
        self._waiting = waiting
        self._threads = anyio.CapacityLimiter(_MAX_THREADS)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes one by one: an included router is hidden from MLflow's chat proxy."""
        prefix = self._settings.prefix
        for path, methods, endpoint, description in self._table():
            app.add_api_route(
                prefix + path,
                endpoint,
                methods=methods,
                tags=["feedback"],
                operation_id=operation_id(endpoint.__name__),
                **description,
            )
        Component().add_to(app, prefix)
        app.add_exception_handler(FeedbackError, _error_answer)

    def _table(self) -> list[tuple[str, list[str], Callable[..., Any], dict[str, Any]]]:
        one = "/{assessment_id}"
        settings = self._settings
        return [
            ("/settings", ["GET"], self.settings, settings_of(SettingsBody)),
            ("/status", ["GET"], self.status, telling()),
            ("", ["POST"], self.submit, creating(FeedbackAnswer, settings, FeedbackBody)),
            (
                "/detailed",
                ["POST"],
                self.submit_detailed,
                creating(DetailedAnswer, settings, DetailedBody),
            ),
            ("", ["GET"], self.mine, listing()),
            (one, ["PATCH"], self.amend, amending(settings, AmendBody)),
            (one, ["DELETE"], self.withdraw_one, withdrawing()),
            ("", ["DELETE"], self.withdraw, withdrawing()),
        ]

    # -- writing ------------------------------------------------------------------------------

    async def submit(
        self, request: Request, trace_id: TraceId = None, client_request_id: RequestId = None
    ) -> Response:
        """Create or change my rating of an answer."""
        person = await self._writer(request)
        body = await self._guard.read(request, FeedbackBody)
        form = RatingForm(
            value=body.value,
            dimension=body.dimension,
            rationale=body.rationale,
            reasons=tuple(body.reasons or ()),
            correction=body.correction,
            signal=body.signal,
        )
        target = _target(body, trace_id, client_request_id)
        receipts = await self._carry_out(
            request, partial(self._service.submit, target, form, person)
        )
        answer = _body(receipts[0])
        for receipt in receipts:
            if receipt.name == CORRECTION:
                answer["correction"] = _body(receipt)
        # New or changed: the rating is what is asked about, its correction comes along.
        created = receipts[0].created
        return JSONResponse(answer, _status(receipts, created=created))

    async def submit_detailed(
        self, request: Request, trace_id: TraceId = None, client_request_id: RequestId = None
    ) -> Response:
        """Create or change my ratings of several dimensions at once."""
        person = await self._writer(request)
        body = await self._guard.read(request, DetailedBody, self._settings.dimensions)
        form = RatingForm(
            ratings=self._ratings(body),
            rationale=body.rationale,
            reasons=tuple(body.reasons or ()),
        )
        target = _target(body, trace_id, client_request_id)
        receipts = await self._carry_out(
            request, partial(self._service.submit, target, form, person)
        )
        answer = {
            "status": _overall(receipts),
            "trace_id": receipts[0].trace_id,
            "ratings": [_body(receipt) for receipt in receipts],
        }
        created = any(receipt.created for receipt in receipts)
        return JSONResponse(answer, _status(receipts, created=created))

    async def amend(
        self,
        request: Request,
        assessment_id: str,
        trace_id: TraceId = None,
        client_request_id: RequestId = None,
    ) -> Response:
        """Change a part of my rating in place: what is absent is kept, null clears."""
        person = await self._writer(request)
        body = await self._guard.read(request, AmendBody)
        changes = {name: getattr(body, name) for name in body.model_fields_set}
        target = Target(trace_id, client_request_id)
        operation = partial(self._service.amend, target, assessment_id, changes, person)
        return _changed(await self._carry_out(request, operation))

    async def withdraw_one(
        self,
        request: Request,
        assessment_id: str,
        trace_id: TraceId = None,
        client_request_id: RequestId = None,
    ) -> Response:
        """Withdraw my rating by its id; twice is fine. A thumb's correction stays."""
        person = await self._writer(request)
        target = Target(trace_id, client_request_id)
        operation = partial(self._service.withdraw, target, person, assessment_id=assessment_id)
        return _withdrawn(await self._carry_out(request, operation))

    async def withdraw(
        self,
        request: Request,
        trace_id: TraceId = None,
        client_request_id: RequestId = None,
        dimension: Annotated[str | None, Query(description="Absent: the thumb.")] = None,
    ) -> Response:
        """Withdraw my rating by what it rates; twice is fine. A thumb's correction stays."""
        person = await self._writer(request)
        # Without its dimension, this would withdraw something else: the thumb.
        refuse_unknown(request.query_params, _named_by(self.withdraw))
        target = Target(trace_id, client_request_id)
        operation = partial(self._service.withdraw, target, person, dimension=dimension)
        return _withdrawn(await self._carry_out(request, operation))

    # -- reading ------------------------------------------------------------------------------

    async def mine(
        self,
        request: Request,
        trace_id: TraceIds = None,
        client_request_id: RequestIds = None,
        session_id: Annotated[str | None, Query(description="A conversation.")] = None,
    ) -> Response:
        """My own ratings, for a page that is loaded again."""
        person = await self._resolver.resolve(request.headers.raw)
        if len(trace_id or ()) + len(client_request_id or ()) > _MAX_TARGETS:
            raise InvalidFeedback(f"Ask for at most {_MAX_TARGETS} answers at once.")
        if not (trace_id or client_request_id or session_id):
            raise InvalidFeedback(
                "Say which answers: send trace_id, client_request_id or session_id."
            )
        receipts = await self._in_thread(
            partial(
                self._service.mine,
                person,
                trace_ids=trace_id or (),
                client_request_ids=client_request_id or (),
                session_id=session_id,
            )
        )
        return JSONResponse([_body(receipt) for receipt in receipts], headers=_PRIVATE)

    async def settings(self, request: Request) -> Response:
        """What a widget needs to know."""
        settings = self._settings
        body = SettingsBody(
            dimensions=list(settings.dimensions),
            scale=settings.scale,
            reasons=list(settings.reasons),
            implicit_signals=list(settings.implicit_signals),
            limits={"rationale": MAX_RATIONALE, "correction": MAX_CORRECTION},
            person=await self._person_key(request),
        )
        return JSONResponse(body.model_dump(), headers=_PRIVATE)

    async def status(self) -> Response:
        """How delivery is doing, for operators; no user's data."""
        return JSONResponse(await self._in_thread(self._status))

    # -- the common way -----------------------------------------------------------------------

    async def _writer(self, request: Request) -> Identity:
        self._guard.check_site(request)
        headers, peer = request.headers.raw, request.client.host if request.client else None
        person = await self._resolver.resolve(headers)
        self._guard.check_rate(self._resolver.counted_as(person, headers, peer))
        return person

    async def _person_key(self, request: Request) -> str | None:
        try:
            person = await self._resolver.resolve(request.headers.raw)
        except IdentityRequired:
            return None  # a page may show its controls before anybody has signed in
        return await self._in_thread(partial(self._service.person_key, person))

    async def _carry_out(
        self, request: Request, operation: Callable[[], Submission]
    ) -> list[Receipt]:
        submission = await self._waiting.for_trace(lambda: self._in_thread(operation))
        if "respond-async" not in preferences(request):
            await self._waiting.for_delivery(submission)
        return submission.receipts()

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(step, limiter=self._threads)

    def _ratings(self, body: DetailedBody) -> dict[str, Any]:
        flat, nested = body.model_extra or {}, body.ratings or {}
        if flat.keys() & nested.keys():
            raise InvalidFeedback("A dimension is rated twice: name it in ratings or beside them.")
        ratings = {**flat, **nested}
        if not ratings:
            known = ", ".join(self._settings.dimensions)
            raise InvalidFeedback(f"Rate at least one dimension: {known}.")
        return ratings


def preferences(request: Request) -> set[str]:
    """The names of RFC 7240's preferences, which may come in one header or in several."""
    sent = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return {preference.partition(";")[0].strip() for preference in sent}


def _named_by(endpoint: Callable[..., Any]) -> list[str]:
    """What an endpoint's query may name."""
    return [name for name in inspect.signature(endpoint).parameters if name != "request"]


def _target(
    body: FeedbackBody | DetailedBody, trace_id: str | None, client_request_id: str | None
) -> Target:
    """The target of a body and a query, which may name it both."""
    named = body.model_dump(include={"trace_id", "client_request_id"})
    for name, queried in (("trace_id", trace_id), ("client_request_id", client_request_id)):
        if None not in (queried, named[name]) and queried != named[name]:
            raise InvalidFeedback(f"The body's {name} and the query's are two different answers.")
    return Target(named["trace_id"] or trace_id, named["client_request_id"] or client_request_id)


def _body(receipt: Receipt) -> dict[str, Any]:
    body = asdict(receipt)
    del body["created"], body["correction"], body["is_correction_known"]
    return body


def _overall(receipts: Sequence[Receipt]) -> str:
    return "ok" if all(receipt.status == "ok" for receipt in receipts) else "pending"


def _status(receipts: Sequence[Receipt], *, created: bool) -> int:
    if _overall(receipts) == "pending":
        return 202
    return 201 if created else 200


def _changed(receipts: Sequence[Receipt]) -> Response:
    return JSONResponse(_body(receipts[0]), 202 if receipts[0].status == "pending" else 200)


def _withdrawn(receipts: Sequence[Receipt]) -> Response:
    (receipt,) = receipts
    answer = _body(receipt)
    if receipt.name == THUMB and receipt.is_correction_known:
        answer["correction"] = receipt.correction and _body(receipt.correction)
    return JSONResponse(answer, 202 if receipt.status == "pending" else 200)


async def _error_answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, FeedbackError)
    retry_after = getattr(error, "retry_after", None)
    headers = {"Retry-After": str(math.ceil(retry_after))} if retry_after is not None else None
    return JSONResponse({"detail": str(error)}, error.status_code, headers)
