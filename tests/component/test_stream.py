"""Reading the agent server's streams: however they are cut, whatever is between the events."""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.component.conftest import IN_BROWSER, Visitor

pytestmark = IN_BROWSER

STREAM = (
    b": ping\r\n\r\n"
    b'data: {"type": "a", "text": "\xc3\xa9"}\r\n\r\n'
    b'data: {"type":\ndata: "b"}\n\n'
    b": ping\n\n"
    b'event: ignored\nid: 7\nretry: 10\ndata:{"type": "c"}\r\r'
    b'data: {"type": "done", "trace_id": "tr-1"}\n\n'
    b'data: [DONE]\n\ndata: {"type": "never"}\n\n'
)

READ = """async (chunks) => {
  const { readAgentStream } = await import("/feedback/agent-feedback.js");
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk));
      controller.close();
    },
  });
  const events = [];
  for await (const event of readAgentStream(new Response(body))) events.push(event);
  return events;
}"""

ASK = """async (question) => {
  const { readAgentStream } = await import("/feedback/agent-feedback.js");
  const response = await fetch("/responses", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ stream: true, input: [{ role: "user", content: question }] }),
  });
  const events = [];
  for await (const event of readAgentStream(response)) events.push(event);
  return events;
}"""


async def empty(ann: Visitor) -> Page:
    """Open a page with nothing on it."""
    return await ann.open("")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
async def test_events_come_out_whole(ann: Visitor, size: int) -> None:
    """With any line ending and any cut, comments skipped, until [DONE]."""
    chunks = [list(STREAM[start : start + size]) for start in range(0, len(STREAM), size)]
    events = await (await empty(ann)).evaluate(READ, chunks)
    assert events == [
        {"type": "a", "text": "é"},
        {"type": "b"},
        {"type": "c"},
        {"type": "done", "trace_id": "tr-1"},
    ]


async def test_a_real_answer(ann: Visitor) -> None:
    """Tokens in order, and `done` with the trace at the end."""
    events: list[dict[str, Any]] = await (await empty(ann)).evaluate(ASK, "Is it kept?")
    assert "".join(event.get("delta", "") for event in events) == "It is kept."
    assert (events[-1]["type"], events[-1]["status"]) == ("done", "ok")
    assert events[-1]["trace_id"].startswith("tr-")


async def test_a_real_failure(ann: Visitor) -> None:
    """The error is an event among the others, and `done` still follows with the trace."""
    events: list[dict[str, Any]] = await (await empty(ann)).evaluate(ASK, "Please fail.")
    assert [event["type"] for event in events][-2:] == ["error", "done"]
    assert (events[-1]["status"], "secret" in str(events)) == ("error", False)
    assert events[-1]["trace_id"] == events[-2]["trace_id"]


async def test_a_refusal_is_an_error(ann: Visitor) -> None:
    """A response that is no stream at all throws, with its status."""
    status = await (await empty(ann)).evaluate(
        """async () => {
          const { readAgentStream } = await import("/feedback/agent-feedback.js");
          try {
            const refused = new Response("no", { status: 503 });
            for await (const event of readAgentStream(refused)) void event;
          } catch (error) {
            return error.status;
          }
        }"""
    )
    assert status == 503


async def test_leaving_the_loop_closes_the_connection(ann: Visitor) -> None:
    """Who has read enough leaves nothing open."""
    is_cancelled = await (await empty(ann)).evaluate(
        """async () => {
          const { readAgentStream } = await import("/feedback/agent-feedback.js");
          let isCancelled = false;
          const body = new ReadableStream({
            pull: (controller) => controller.enqueue(new TextEncoder().encode("data: {}\\n\\n")),
            cancel: () => (isCancelled = true),
          });
          for await (const event of readAgentStream(new Response(body))) break;
          return isCancelled;
        }"""
    )
    assert is_cancelled is True
