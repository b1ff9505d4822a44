/** What the page knows of a question and its answer: plain data, which is also what is kept. */

// A page of this app, or one on the web; no other scheme becomes a link.
const ADDRESS = /^(https?:\/)?\//;

/**
 * @typedef {object} Turn
 * @property {string} id the request's own id: what can be rated by it needs no trace id
 * @property {string} question
 * @property {number} askedAt
 * @property {string} text the answer so far, in Markdown
 * @property {{title: string, url: string}[]} sources
 * @property {"running" | "done" | "failed" | "stopped" | "interrupted" | "unreached"} state
 *   interrupted: by the network, or because the page was left
 * @property {string | null} traceId
 * @property {string} problem what the server said about its failure
 * @property {number | undefined} endedAt
 */

/** @returns {Turn} */
export function newTurn(question) {
  return {
    id: newId(), question, askedAt: Date.now(), text: "", sources: [], state: "running",
    traceId: null, problem: "",
  };
}

/** Adds one event of the stream to the turn. */
export function take(turn, event) {
  switch (event.type) {
    case "response.created":
      turn.traceId = event.response?.metadata?.trace_id ?? null;
      break;
    case "response.output_text.delta":
      turn.text += event.delta;
      break;
    case "response.output_text.annotation.added": {
      const { title, url } = event.annotation;
      const isNew = !turn.sources.some((source) => source.url === url);
      if (isNew && ADDRESS.test(url)) turn.sources.push({ title, url });
      break;
    }
    case "error":
      turn.problem = event.message ?? "";
      break;
    case "done":
      turn.traceId = event.trace_id;
      turn.state = event.status === "error" ? "failed" : "done";
      break;
  }
}

/**
 * What the rating is for, as the component's attributes; nothing while there is nothing to rate.
 * Where tracing makes no traces, an answer cannot be rated.
 *
 * A stream's last event names the trace. An answer that never got there is known to the server by
 * the request's own id.
 */
export function ratingTarget(turn) {
  switch (turn.state) {
    case "done":
    case "failed":
      return turn.traceId ? { "trace-id": turn.traceId } : { unavailable: "" };
    case "stopped":
    case "interrupted":
      return { "client-request-id": turn.id };
    default:
      return {};
  }
}

/** What went before, as the agent's requests take it, for a server that may have been restarted. */
export function asInput(turns, most = 5) {
  return turns
    .filter((turn) => turn.text)
    .slice(-most)
    .flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.text },
    ]);
}

/** `crypto.randomUUID` is missing on plain HTTP from another machine; this works there too. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
