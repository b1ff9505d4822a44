"""Lets a language model write the answer: any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import cache

from databricks.sdk.core import Config
from mlflow.entities import SpanType
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from examples.agent_app.search import Hit
from examples.agent_app.sessions import PastTurn
from examples.agent_app.writers import ExtractingWriter, Writer

DEFAULT_MODEL = "gpt-4o-mini"
_TIMEOUT_SECONDS = 60.0

_INSTRUCTIONS = (
    "You answer questions about the Python package agent_feedback for the people who use it. "
    "Use only the numbered passages of its documentation. Cite them as [1], [2]. "
    "If they do not answer the question, say so in one sentence. "
    "Be brief: a few sentences of Markdown, and code only where it helps."
)


class ModelWriter:
    """Writes with a model, from the passages and the session so far."""

    span_type = SpanType.CHAT_MODEL

    def __init__(self, new_client: Callable[[], AsyncOpenAI], model: str, description: str) -> None:
        self._new_client = new_client
        self._model = model
        self.description = description

    def choose(self, found: Sequence[Hit]) -> tuple[Hit, ...]:
        """All of them: the model selects by itself."""
        return tuple(found)

    async def write(
        self,
        question: str,
        hits: Sequence[Hit],
        earlier: Sequence[PastTurn],
        instead: Sequence[str] = (),  # noqa: ARG002 - a model words it by itself
    ) -> AsyncGenerator[str, None]:
        """Yields the model's tokens as they come."""
        # One client for each answer, so that a stopped answer closes its connection. Making one
        # loads certificates, and may ask the workspace: not on the event loop.
        async with await asyncio.to_thread(self._new_client) as client:
            stream = await client.chat.completions.create(
                model=self._model, messages=_messages(question, hits, earlier), stream=True
            )
            async for chunk in stream:
                if chunk.choices and (text := chunk.choices[0].delta.content):
                    yield text


def writer_from_environment(environ: Mapping[str, str]) -> Writer:
    """The model that the environment names, else the writer that needs none."""
    if endpoint := environ.get("DATABRICKS_MODEL_ENDPOINT"):
        description = f"the Databricks model endpoint {endpoint}"
        return ModelWriter(_databricks_clients(), endpoint, description)
    if environ.get("OPENAI_BASE_URL") or environ.get("OPENAI_API_KEY"):
        model = environ.get("OPENAI_MODEL") or DEFAULT_MODEL
        where = environ.get("OPENAI_BASE_URL") or "OpenAI"
        return ModelWriter(_openai_clients(environ), model, f"{model} at {where}")
    return ExtractingWriter(float(environ.get("AGENT_APP_WORDS_PER_SECOND", "40")))


def _openai_clients(environ: Mapping[str, str]) -> Callable[[], AsyncOpenAI]:
    return lambda: AsyncOpenAI(
        base_url=environ.get("OPENAI_BASE_URL") or None,
        # Servers on one's own machine need no key, the client needs one.
        api_key=environ.get("OPENAI_API_KEY") or "none",
        timeout=_TIMEOUT_SECONDS,
    )


def _databricks_clients() -> Callable[[], AsyncOpenAI]:
    """Clients of the workspace's model serving, signed in as the app."""
    # Made when the first answer asks for it, and kept: it asks the workspace for its settings.
    workspace = cache(Config)

    async def access_token() -> str:
        headers = await asyncio.to_thread(workspace().authenticate)
        return headers["Authorization"].removeprefix("Bearer ")

    return lambda: AsyncOpenAI(
        base_url=f"{workspace().host}/serving-endpoints",
        api_key=access_token,
        timeout=_TIMEOUT_SECONDS,
    )


def _messages(
    question: str, hits: Sequence[Hit], earlier: Sequence[PastTurn]
) -> list[ChatCompletionMessageParam]:
    passages = "\n\n".join(
        f"[{number}] {hit.passage.title}\n{hit.passage.text}" for number, hit in enumerate(hits, 1)
    )
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": _INSTRUCTIONS}]
    for turn in earlier:
        messages.append({"role": "user", "content": turn.question})
        messages.append({"role": "assistant", "content": turn.answer})
    found = passages or "No passage was found."
    messages.append({"role": "user", "content": f"{found}\n\nQuestion: {question}"})
    return messages
