"""The agent behind MLflow's agent server, with ratings: what a team's own `agent.py` looks like."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import uuid4

from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
    create_annotation_added,
    create_text_delta,
    create_text_output_item,
)

from agent_feedback import AgentFeedback, Turn
from examples.agent_app.assistant import Assistant, Found
from examples.agent_app.conversation import read_conversation, session_of
from examples.agent_app.environment import PROJECT
from examples.agent_app.model_writer import writer_from_environment
from examples.agent_app.passages import load_passages
from examples.agent_app.search import Hit, Search
from examples.agent_app.sessions import Sessions

feedback = AgentFeedback()

assistant = Assistant(
    Search(load_passages(PROJECT)), writer_from_environment(os.environ), Sessions()
)


@feedback.invoke
async def answer(request: ResponsesAgentRequest) -> ResponsesAgentResponse:
    """Answers in one piece."""
    items = [
        event.model_dump()["item"]
        async for event in _events(request, session_of(request))
        if event.type == "response.output_item.done"
    ]
    return ResponsesAgentResponse(output=items)


@feedback.stream
async def answer_stream(
    request: ResponsesAgentRequest, turn: Turn
) -> AsyncGenerator[ResponsesAgentStreamEvent, None]:
    """Answers as a stream of Responses events; the turn has the session and the person.

    The first event has the trace's id, so that the page can link to it also from an answer that was
    stopped, which sends no `done`.
    """
    yield _created(turn.trace_id)
    # Closed with this generator: when the client disconnects, the spans below end at once.
    async with aclosing(_events(request, turn.session_id)) as events:
        async for event in events:
            yield event


async def _events(
    request: ResponsesAgentRequest, session_id: str | None
) -> AsyncGenerator[ResponsesAgentStreamEvent, None]:
    conversation = read_conversation(request)
    item_id = f"msg_{uuid4().hex}"
    citations: list[dict[str, str]] = []
    pieces: list[str] = []
    answering = assistant.answer(conversation.question, session_id, conversation.earlier)
    async with aclosing(answering) as parts:
        async for part in parts:
            if isinstance(part, Found):
                citations = _citations(part.hits)
                for index, citation in enumerate(citations):
                    added = create_annotation_added(item_id, citation, index)
                    yield ResponsesAgentStreamEvent(**added)
            else:
                pieces.append(part.piece)
                yield ResponsesAgentStreamEvent(**create_text_delta(part.piece, item_id))
    item = create_text_output_item("".join(pieces), item_id, citations)
    yield ResponsesAgentStreamEvent.model_validate(
        {"type": "response.output_item.done", "item": item}
    )


def _created(trace_id: str | None) -> ResponsesAgentStreamEvent:
    response = {"object": "response", "status": "in_progress", "metadata": {"trace_id": trace_id}}
    return ResponsesAgentStreamEvent.model_validate(
        {"type": "response.created", "response": response}
    )


def _citations(hits: Sequence[Hit]) -> list[dict[str, str]]:
    """The passages as Responses annotations; their addresses are pages of this app."""
    return [
        {
            "type": "url_citation",
            "title": hit.passage.title,
            "url": hit.passage.page,
        }
        for hit in hits
    ]
