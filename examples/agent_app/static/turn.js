/** One question with its answer on the page: text, sources, problems, and the rating. */

import { renderMarkdown } from "/static/markdown.js";

export class Turn {
  #text = "";
  #sources = new Map(); // title → address; one passage may be announced twice
  #isDone = false;
  #parts;

  constructor(question, clientRequestId) {
    this.clientRequestId = clientRequestId;
    this.#parts = {
      question: make("p", "question", question),
      answer: make("div", "answer"),
      problem: make("p", "problem"),
      sources: make("section", "sources"),
      rating: document.createElement("agent-feedback"),
    };
    const { answer, problem, sources } = this.#parts;
    answer.append(make("p", "thinking", "Reading the documentation…"));
    answer.setAttribute("aria-live", "polite");
    // Read out once, when it is complete, not word by word.
    answer.setAttribute("aria-busy", "true");
    problem.setAttribute("role", "alert");
    problem.hidden = sources.hidden = true;
    this.element = make("article", "turn");
    this.element.append(...Object.values(this.#parts));
  }

  /** Shows one event of the stream. */
  take(event) {
    switch (event.type) {
      case "response.output_text.delta":
        this.#text += event.delta;
        this.#parts.answer.replaceChildren(renderMarkdown(this.#text));
        break;
      case "response.output_text.annotation.added":
        this.#sources.set(event.annotation.title, event.annotation.url);
        break;
      case "error":
        this.#showProblem(event.message);
        break;
      case "done":
        this.#isDone = true;
        this.#open(event.trace_id && { "trace-id": event.trace_id });
        break;
    }
  }

  /** The stream is over; without its last event the connection was cut. */
  end() {
    if (!this.#isDone) this.fail("The connection was cut.", true);
  }

  /** The person stopped the stream. */
  stop() {
    if (this.#isDone) return;
    const note = make("p", "note", "You stopped this answer.");
    this.element.insertBefore(note, this.#parts.sources);
    this.#open({ "client-request-id": this.clientRequestId });
  }

  /** There is no more to come. What never began has no trace, and cannot be rated. */
  fail(message, hasBegun) {
    this.#showProblem(message);
    this.#open(hasBegun && { "client-request-id": this.clientRequestId });
  }

  #showProblem(message) {
    this.#parts.problem.textContent = `This answer failed. ${message ?? ""}`;
    this.#parts.problem.hidden = false;
  }

  /** What there is to rate is complete: the thumbs get their target, the reader the sources. */
  #open(target) {
    this.#parts.answer.querySelector(".thinking")?.remove();
    this.#parts.answer.setAttribute("aria-busy", "false");
    if (this.#text) this.#showSources();
    for (const [name, value] of Object.entries(target || {})) {
      this.#parts.rating.setAttribute(name, value);
    }
  }

  #showSources() {
    if (!this.#sources.size) return;
    const list = document.createElement("ol");
    for (const [title, url] of this.#sources) {
      const link = make("a", "", title);
      Object.assign(link, { href: url, target: "_blank", rel: "noreferrer" });
      list.appendChild(document.createElement("li")).append(link);
    }
    this.#parts.sources.append(make("h3", "", "Sources"), list);
    this.#parts.sources.hidden = false;
  }
}

function make(name, className, text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
