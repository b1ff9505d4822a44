/**
 * <agent-feedback trace-id="tr-…"></agent-feedback>            (or client-request-id="…")
 *
 * Thumbs for one answer of an agent behind `agent_feedback`. Load this file from the server that
 * takes the ratings, `<script type="module" src="/feedback/agent-feedback.js"></script>`: where it
 * came from is where it sends them. It needs no build step, loads nothing, and runs under a
 * Content-Security-Policy of `default-src 'self'`.
 *
 * Attributes: `trace-id` or `client-request-id` (the first wins); without either it is disabled.
 * Methods: `rate(value, comment?)` with true, false; `withdraw()`. Both settle when it is saved.
 * Events: `feedback-change`, detail `{value, rationale, status, traceId, assessmentId}` with status
 * "ok", "pending" (safe, not in MLflow yet) or "withdrawn"; `feedback-error`, detail
 * `{message, status}` with the HTTP status, or 0 where the server was not reached.
 * Styling: the custom properties on `:host` below, and `::part(thumb)`, `::part(comment)`,
 * `::part(status)`.
 */

const ROUTES = new URL(".", import.meta.url).href.replace(/\/$/, "");
const PATIENCE_MS = 20_000;
const LONGEST_COMMENT = 4_000;

const STYLES = new CSSStyleSheet();
STYLES.replaceSync(`
  :host {
    --_ink: var(--agent-feedback-color, inherit);
    --_muted: var(--agent-feedback-muted-color, color-mix(in srgb, currentColor 68%, transparent));
    --_line: var(--agent-feedback-border-color, color-mix(in srgb, currentColor 25%, transparent));
    --_accent: var(--agent-feedback-accent-color, #1d5fbf);
    --_error: var(--agent-feedback-error-color, #b3261e);
    --_size: var(--agent-feedback-size, 2rem);
    display: block;
    color: var(--_ink);
    font: inherit;
    font-size: .875rem;
  }
  :host([hidden]), [hidden] { display: none !important; }
  .row, form { display: flex; flex-wrap: wrap; align-items: center; gap: .375rem; }
  form { margin-block-start: .5rem; }
  button, input { font: inherit; color: inherit; border: 1px solid var(--_line);
    border-radius: .5rem; background: transparent; min-block-size: var(--_size); }
  button { cursor: pointer; padding-inline: .75rem; }
  button.thumb { inline-size: var(--_size); padding: 0; display: grid; place-items: center; }
  button.link { border: 0; padding: 0 .25rem; min-block-size: 1.5rem;
    text-decoration: underline; color: var(--_accent); }
  button:hover:not(:disabled) { border-color: currentColor; }
  button:disabled { cursor: default; opacity: .45; }
  button[aria-pressed="true"] { color: var(--_accent); border-color: var(--_accent); }
  button[aria-pressed="true"] svg { fill: color-mix(in srgb, currentColor 25%, transparent); }
  :focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  input { flex: 1 1 12rem; min-inline-size: 0; padding-inline: .625rem; }
  svg { inline-size: 1.125rem; block-size: 1.125rem; fill: none; stroke: currentColor;
    stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
  .down svg { transform: rotate(180deg); }
  .status { margin: 0; color: var(--_muted); }
  .status.error { color: var(--_error); }
`);

const THUMB = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 10.5v9.5H4v-9.5zm0 0
  4.2-7.3a2 2 0 0 1 2.8 2.3L13.2 9h5.3a2 2 0 0 1 2 2.4l-1.3 7a2 2 0 0 1-2 1.6H7"/></svg>`;

const TEMPLATE = document.createElement("template");
TEMPLATE.innerHTML = `
  <div class="row" role="group" aria-label="Rate this answer">
    <button type="button" class="thumb up" part="thumb" aria-pressed="false"
      aria-label="Good answer" title="Good answer">${THUMB}</button>
    <button type="button" class="thumb down" part="thumb" aria-pressed="false"
      aria-label="Bad answer" title="Bad answer">${THUMB}</button>
    <p class="status" part="status" role="status"></p>
    <button type="button" class="link again" hidden>Try again</button>
  </div>
  <form part="comment" hidden>
    <input type="text" maxlength="${LONGEST_COMMENT}" aria-label="Comment, optional"
      placeholder="Say why (optional)" autocomplete="off">
    <button type="submit">Send</button>
  </form>`;

const NOTHING = { value: null, rationale: null, assessmentId: null };

class AgentFeedback extends HTMLElement {
  static observedAttributes = ["trace-id", "client-request-id"];

  #parts;
  #wanted = NOTHING; // what the person chose, shown at once
  #saved = NOTHING; // what the server confirmed, to go back to
  #lastWrite = Promise.resolve(); // writes go one after another, in the order of the clicks
  #target = 0; // counts targets: an answer about a former one is not shown on this one
  #write = 0; // counts writes: only the newest one's answer is shown

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLES];
    root.append(TEMPLATE.content.cloneNode(true));
    const find = (selector) => root.querySelector(selector);
    this.#parts = {
      up: find(".up"), down: find(".down"), status: find(".status"), again: find(".again"),
      form: find("form"), comment: find("input"),
    };
    this.#parts.up.addEventListener("click", () => this.#click(true));
    this.#parts.down.addEventListener("click", () => this.#click(false));
    this.#parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#quietly(this.rate(this.#wanted.value, this.#parts.comment.value.trim()));
    });
    this.#show();
  }

  attributeChangedCallback(_name, before, now) {
    if (before === now) return;
    this.#target += 1;
    this.#wanted = this.#saved = NOTHING;
    this.#parts.comment.value = "";
    this.#say("");
    this.#show();
  }

  /** Saves a thumb: true is up, false is down. A comment that is left out is removed. */
  rate(value, comment = "") {
    const rationale = comment || null;
    const change = { value, ...(rationale && { rationale }) };
    return this.#change({ ...this.#wanted, value, rationale }, (target) =>
      request("POST", "", { ...target, ...change }));
  }

  /** Takes the rating back. */
  withdraw() {
    return this.#change(NOTHING, (target) =>
      request("DELETE", `?${new URLSearchParams(target)}`));
  }

  #click(value) {
    // A change of mind starts afresh: the comment was about the other thumb.
    this.#parts.comment.value = "";
    this.#quietly(this.#wanted.value === value ? this.withdraw() : this.rate(value));
  }

  #quietly(promise) {
    promise.catch(() => {}); // said already, on the page and as an event
  }

  async #change(wanted, send) {
    const target = this.#readTarget();
    if (!target) throw new Error("There is no answer to rate yet: set trace-id.");
    const [targetNumber, writeNumber] = [this.#target, (this.#write += 1)];
    const isCurrent = () => targetNumber === this.#target && writeNumber === this.#write;
    this.#wanted = wanted;
    this.#say("Saving…");
    this.#show();
    const writing = this.#lastWrite.then(() => send(target));
    this.#lastWrite = writing.catch(() => {});
    try {
      const answer = await writing;
      if (targetNumber === this.#target) {
        this.#saved = { ...wanted, assessmentId: answer.assessment_id ?? null };
      }
      if (isCurrent()) this.#settle(wanted, answer);
    } catch (error) {
      if (isCurrent()) this.#fail(error, () => this.#change(wanted, send));
      throw error;
    }
  }

  #settle(wanted, answer) {
    this.#wanted = this.#saved;
    const status = wanted.value === null ? "withdrawn" : answer.status ?? "ok";
    const messages = {
      withdrawn: "Rating withdrawn.",
      pending: "Thank you. Saved, on its way.",
      ok: "Thank you. Saved.",
    };
    this.#say(messages[status] ?? messages.ok);
    this.#show();
    this.#emit("feedback-change", {
      value: wanted.value, rationale: wanted.rationale, status,
      traceId: answer.trace_id ?? this.getAttribute("trace-id"),
      assessmentId: answer.assessment_id ?? null,
    });
  }

  #fail(error, again) {
    this.#wanted = this.#saved;
    this.#say(error.message, () => this.#quietly(again()));
    this.#show();
    this.#emit("feedback-error", { message: error.message, status: error.status ?? 0 });
  }

  #readTarget() {
    const [trace, turn] = AgentFeedback.observedAttributes.map((name) => this.getAttribute(name));
    if (trace) return { trace_id: trace };
    return turn ? { client_request_id: turn } : null;
  }

  #say(text, again) {
    const { status, again: button } = this.#parts;
    status.textContent = text;
    status.classList.toggle("error", Boolean(again));
    button.hidden = !again;
    button.onclick = again ?? null;
  }

  #show() {
    const { up, down, form } = this.#parts;
    const { value, rationale } = this.#wanted;
    up.disabled = down.disabled = !this.#readTarget();
    up.setAttribute("aria-pressed", String(value === true));
    down.setAttribute("aria-pressed", String(value === false));
    form.hidden = value === null || Boolean(rationale);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

async function request(method, path, body) {
  let response;
  try {
    response = await fetch(ROUTES + path, {
      method,
      headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Error("Not saved: the server was not reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const reason = typeof answer.detail === "string" ? answer.detail : `error ${response.status}`;
  throw Object.assign(new Error(`Not saved: ${reason}`), { status: response.status });
}

/**
 * The events of a streaming answer of the agent server, as parsed JSON, up to `[DONE]`.
 *
 *     for await (const event of readAgentStream(await fetch("/responses", …))) …
 *
 * Reads server-sent events wherever the network cut them, with any line ending; comments (pings)
 * and fields other than `data` are passed over. Leaving the loop closes the connection.
 */
export async function* readAgentStream(response) {
  if (!response.ok || !response.body) {
    throw Object.assign(new Error(`The agent answered ${response.status}.`), {
      status: response.status,
    });
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A carriage return at the end may be one half of a line ending.
      const held = !done && rest.endsWith("\r") ? "\r" : "";
      const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
      rest = lines.pop() + held;
      for (const line of lines) {
        if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        } else if (line === "" && data.length) {
          const frame = data.join("\n");
          data = [];
          if (frame === "[DONE]") return;
          yield JSON.parse(frame);
        }
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

// Two scripts may load this file by different addresses; the first one defines the element.
if (!customElements.get("agent-feedback")) customElements.define("agent-feedback", AgentFeedback);
