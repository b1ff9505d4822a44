/** One question with its answer on the page: text, sources, what went wrong, and the rating. */

import { icon, make, replaceChanged } from "/static/dom.js";
import { renderMarkdown } from "/static/markdown.js";
import { ratingTarget } from "/static/turns.js";

const NOTES = {
  stopped: "You stopped this answer.",
  interrupted: "This answer was interrupted before it was complete.",
  failed: "This answer failed.",
  unreached: "The agent was not reached.",
};
const COPIED_MS = 2_000;
// A trace has no page yet right after its answer: it takes MLflow about 5 s to store it.
export const STORED_AFTER_MS = 7_000;

export class TurnView {
  #turn;
  #parts;
  #isDrawing = false;
  #tracePage = null;
  #untilStored;

  /**
   * @param {import("/static/turns.js").Turn} turn
   * @param {{ again: () => void, signal: (name: string, rating: HTMLElement) => void,
   *           announce: (text: string) => void }} doing what the buttons do
   */
  constructor(turn, doing) {
    this.#turn = turn;
    const id = `question-${turn.id}`;
    this.#parts = {
      question: make("h2", { id, className: "question", textContent: turn.question }),
      answer: make("div", { className: "answer" }),
      note: make("p", { className: "note", hidden: true }),
      sources: make("section", { className: "sources", "aria-label": "Sources", hidden: true }),
      rating: make("agent-feedback"),
      copy: this.#button("copy", "Copy", () => this.#copy(doing)),
      again: this.#button("again", "Ask again", () => {
        doing.signal("regenerate", this.#parts.rating);
        doing.again();
      }),
      trace: make(
        "a",
        { className: "quiet", target: "_blank", rel: "noreferrer", hidden: true },
        icon("trace"), make("span", { textContent: "Trace" }),
      ),
    };
    const { question, answer, note, sources, rating, copy, again, trace } = this.#parts;
    const actions = make("div", { className: "actions" }, copy, again, trace);
    const verdict = make("footer", { className: "verdict" }, rating, actions);
    this.element = make(
      "article", { className: "turn", "aria-labelledby": id },
      question, answer, note, sources, verdict,
    );
    this.draw();
  }

  get turn() {
    return this.#turn;
  }

  get rating() {
    return this.#parts.rating;
  }

  /** Shows what the turn has become, with the next frame: a fast model sends many pieces in one. */
  update(turn = this.#turn) {
    this.#turn = turn;
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => this.draw());
  }

  /** The whole answer as it would be read out. */
  get spoken() {
    const { answer, note } = this.#parts;
    this.draw();
    return [answer.innerText, note.hidden ? "" : note.textContent].filter(Boolean).join("\n");
  }

  /** @param {string | null} tracePage the address of a trace, with `{trace_id}` for its id */
  linkTrace(tracePage) {
    this.#tracePage = tracePage;
    const { traceId, state, endedAt = 0 } = this.#turn;
    const { trace } = this.#parts;
    const missing = endedAt + STORED_AFTER_MS - Date.now();
    trace.hidden = !(tracePage && traceId) || state === "running" || missing > 0;
    clearTimeout(this.#untilStored);
    if (missing > 0) this.#untilStored = setTimeout(() => this.linkTrace(this.#tracePage), missing);
    if (!trace.hidden) trace.href = tracePage.replace("{trace_id}", encodeURIComponent(traceId));
  }

  setMode(isDetailed) {
    if (isDetailed) this.#parts.rating.setAttribute("mode", "detailed");
    else this.#parts.rating.removeAttribute("mode");
  }

  /** Shows what the turn has become, now. */
  draw() {
    this.#isDrawing = false;
    const { text, state, problem } = this.#turn;
    const { answer, note, rating, copy, again } = this.#parts;
    const isOver = state !== "running";
    answer.classList.toggle("running", !isOver);
    replaceChanged(answer, text ? renderMarkdown(text, (n) => this.#cite(n)) : this.#thinking());
    note.hidden = !(state in NOTES);
    note.classList.toggle("problem", ["failed", "unreached"].includes(state));
    note.textContent = [NOTES[state], problem].filter(Boolean).join(" ");
    this.#showSources(isOver && text);
    rating.hidden = state === "unreached";
    for (const [name, value] of Object.entries(ratingTarget(this.#turn))) {
      if (rating.getAttribute(name) !== value) rating.setAttribute(name, value);
    }
    copy.hidden = !isOver || !text || !navigator.clipboard;
    again.hidden = !isOver;
    this.linkTrace(this.#tracePage);
  }

  #thinking() {
    return this.#turn.state === "running"
      ? [make("p", { className: "thinking", textContent: "Reading the documentation…" })]
      : [];
  }

  #showSources(areWanted) {
    const { sources } = this.#parts;
    sources.hidden = !areWanted || !this.#turn.sources.length;
    if (sources.hidden || sources.childNodes.length) return;
    const links = this.#turn.sources.map(({ title, url }, position) => {
      const number = make("span", { className: "number", textContent: position + 1 });
      return make("li", {}, sourceLink(url, "", number, make("span", { textContent: title })));
    });
    sources.append(make("ol", {}, ...links));
  }

  /** `[1]` in an answer leads to its source. */
  #cite(number) {
    const source = this.#turn.sources[number - 1];
    if (!source) return null;
    const link = sourceLink(source.url, "citation", make("sup", { textContent: number }));
    link.setAttribute("aria-label", `Source ${number}: ${source.title}`);
    return link;
  }

  async #copy({ signal, announce }) {
    await navigator.clipboard.writeText(this.#turn.text);
    signal("copy", this.#parts.rating);
    announce("Copied.");
    const { copy } = this.#parts;
    copy.replaceChildren(icon("done"), make("span", { textContent: "Copied" }));
    setTimeout(() => copy.replaceChildren(icon("copy"), make("span", { textContent: "Copy" })), COPIED_MS);
  }

  #button(picture, label, onclick) {
    const words = make("span", { textContent: label });
    return make("button", { type: "button", className: "quiet", onclick }, icon(picture), words);
  }
}

function sourceLink(url, className, ...content) {
  return make("a", { href: url, className, target: "_blank", rel: "noreferrer" }, ...content);
}
