/** The chat page: asks, shows the answer as it streams, and lets the person rate it. */

import { readAgentStream } from "/feedback/agent-feedback.js";
import { Turn } from "/static/turn.js";

const page = Object.fromEntries(
  ["conversation", "welcome", "suggestions", "composer", "question", "send", "stop", "new-chat"]
    .map((id) => [id, document.getElementById(id)]),
);

let sessionId = newId();
let running = null; // the AbortController of the answer that is being streamed

async function ask(question) {
  const turn = new Turn(question, newId());
  const controller = new AbortController();
  running = controller;
  page.welcome.hidden = true;
  page.conversation.append(turn.element);
  turn.element.scrollIntoView({ block: "start" });
  showRunning();
  let response;
  try {
    response = await fetch("/responses", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        stream: true,
        input: [{ role: "user", content: question }],
        custom_inputs: { session_id: sessionId, client_request_id: turn.clientRequestId },
      }),
      signal: controller.signal,
    });
    for await (const event of readAgentStream(response)) whileReading(() => turn.take(event));
    turn.end();
  } catch (error) {
    if (controller.signal.aborted) turn.stop();
    else turn.fail(response ? error.message : "The server was not reached.", response?.ok);
  } finally {
    if (running === controller) running = null;
    showRunning();
  }
}

/** Keeps the newest text in view for a person who is at the end, and in place for one who reads. */
function whileReading(change) {
  const view = document.scrollingElement;
  const isAtEnd = view.scrollHeight - view.scrollTop - view.clientHeight < 80;
  change();
  if (isAtEnd) view.scrollTop = view.scrollHeight;
}

function showRunning() {
  page.send.hidden = running !== null;
  page.stop.hidden = running === null;
}

function submit() {
  const question = page.question.value.trim();
  if (!question || running) return;
  page.question.value = "";
  ask(question);
}

/** `crypto.randomUUID` is missing on plain HTTP from another machine; this works there too. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

page.question.addEventListener("keydown", (event) => {
  // While a word is being composed (Japanese, Chinese), Enter belongs to the input method.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});

page.stop.addEventListener("click", () => {
  running?.abort();
  page.question.focus();
});

page.suggestions.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && !running) ask(button.textContent);
});

page["new-chat"].addEventListener("click", () => {
  running?.abort();
  sessionId = newId();
  for (const turn of page.conversation.querySelectorAll(".turn")) turn.remove();
  page.welcome.hidden = false;
  page.question.focus();
});
