/**
 * <agent-feedback trace-id="tr-…"></agent-feedback>            (or client-request-id="…")
 *
 * Rates one answer of an agent behind `agent_feedback`: thumbs with reasons, a comment and a
 * correction; with `mode="detailed"` stars as well. Load this file from the server that takes the
 * ratings, `<script type="module" src="/feedback/agent-feedback.js"></script>`: where it came from
 * is where it sends them. docs/widget.md has the attributes, events, labels and styling;
 * agent-feedback.d.ts the types.
 */

import { Answer, lookAfterWhatWaits } from "./agent-feedback/answer.js";
import { makeDetails } from "./agent-feedback/details.js";
import { LABEL_ATTRIBUTES, labelsOf, textOf } from "./agent-feedback/labels.js";
import { STYLES, icon, make, set } from "./agent-feedback/look.js";
import { settings } from "./agent-feedback/server.js";
import { NOTHING } from "./agent-feedback/slots.js";
import { makeStars } from "./agent-feedback/stars.js";

export { readAgentStream } from "./agent-feedback/stream.js";

const TARGET = ["trace-id", "client-request-id"];
const OTHERS = ["mode", "unavailable", "labels"];
const SAVING_SHOWS_AFTER_MS = 300; // a quick answer is not worth two messages
const UNTIL_KNOWN = {
  dimensions: [], scale: 5, reasons: [], implicit_signals: [],
  limits: { rationale: 4_000, correction: 8_000 },
};

export class AgentFeedback extends HTMLElement {
  static observedAttributes = [...TARGET, ...OTHERS, ...LABEL_ATTRIBUTES.keys()];

  #answer; // what is said about the present target; undefined without one
  #settings = UNTIL_KNOWN;
  #labels;
  #stars = new Map(); // dimension → its stars
  #isOpen = false;
  #slowly;
  #parts;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLES];
    this.#parts = this.#make();
    root.append(this.#parts.all);
  }

  // -- for pages ----------------------------------------------------------------------------------

  /**
   * Saves a thumb (true, false), stars (with `dimension`), or with null a comment alone.
   * What the options leave out is cleared.
   */
  async rate(value, options = {}) {
    const { dimension, ...said } = typeof options === "string" ? { rationale: options } : options;
    if (dimension) return this.#target().say(`stars:${dimension}`, value);
    const wanted = { ...NOTHING, ...said, value, rationale: said.rationale ?? said.comment ?? "" };
    delete wanted.comment;
    return this.#target().say("thumb", wanted);
  }

  /** Takes the thumb back with all that came with it, or the stars of a dimension. */
  async withdraw({ dimension } = {}) {
    return dimension
      ? this.#target().say(`stars:${dimension}`, null)
      : this.#target().say("thumb", NOTHING);
  }

  /** Reports "copy", "regenerate" or "stop", where the settings take it; says whether they do. */
  async signal(name) {
    const answer = this.#target();
    const { implicit_signals: taken } = await settings();
    if (!taken.includes(name)) return false;
    await answer.say(`signal:${name}`, true);
    return true;
  }

  /** disabled, unavailable, ready, saving, saved, pending, waiting or failed. */
  get state() {
    if (this.unavailable) return "unavailable";
    return this.#answer ? this.#answer.status.state : "disabled";
  }

  /** What is said now: `{value, reasons, rationale, correction}`, and `stars` by dimension. */
  get rating() {
    const { thumb, ...others } = this.#answer?.slots ?? { thumb: NOTHING };
    const stars = Object.entries(others).filter(([slot, n]) => n && slot.startsWith("stars:"));
    return { ...thumb, stars: Object.fromEntries(stars.map(([slot, n]) => [slot.slice(6), n])) };
  }

  // -- the element --------------------------------------------------------------------------------

  connectedCallback() {
    for (const name of ["traceId", "clientRequestId", "mode", "unavailable"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name]; // set before the element was defined
      delete this[name];
      this[name] = value;
    }
    this.#relabel();
    this.#retarget();
  }

  disconnectedCallback() {
    this.#answer?.leave(this.#view);
  }

  attributeChangedCallback(name, before, now) {
    if (before === now || !this.isConnected) return;
    if (TARGET.includes(name)) this.#retarget();
    else if (name === "mode" || name === "unavailable") this.#show();
    else this.#relabel();
  }

  #target() {
    if (!this.#answer || this.unavailable) {
      throw new Error("There is no answer to rate: set trace-id or client-request-id.");
    }
    return this.#answer;
  }

  #retarget() {
    const [trace, turn] = TARGET.map((name) => this.getAttribute(name));
    const target = trace ? { trace_id: trace } : turn ? { client_request_id: turn } : undefined;
    const former = this.#answer;
    this.#answer = target && Answer.of(target, former);
    if (this.#answer !== former) {
      former?.leave(this.#view);
      this.#isOpen = false;
      this.#parts.details.fill(NOTHING);
    }
    this.#answer?.join(this.#view);
    if (target) this.#learnSettings();
    this.#show();
  }

  async #learnSettings() {
    try {
      const known = await settings();
      if (known === this.#settings) return;
      this.#settings = known;
      this.#drawStars();
      this.#show();
    } catch {} // no chips and no stars, and thumbs all the same
  }

  #relabel() {
    this.#labels = labelsOf(this);
    this.#drawStars();
    this.#show();
  }

  // -- what the person does -----------------------------------------------------------------------

  #clickThumb(event, value) {
    if (event.detail > 1) return; // the second half of a double click
    const isBack = this.#answer.slots.thumb.value === value;
    this.#isOpen = !isBack;
    // A change of mind starts afresh: what was said was said about the other thumb.
    this.#parts.details.fill(NOTHING);
    this.#quietly(isBack ? this.withdraw() : this.rate(value));
  }

  #choose(reason) {
    const { thumb } = this.#answer.slots;
    const reasons = thumb.reasons.includes(reason)
      ? thumb.reasons.filter((each) => each !== reason) : [...thumb.reasons, reason];
    this.#quietly(this.#answer.say("thumb", { ...thumb, reasons }));
  }

  #send(texts) {
    const { thumb } = this.#answer.slots;
    const isNews = Object.entries(texts).some(([name, text]) => thumb[name] !== text);
    this.#close();
    if (isNews) this.#quietly(this.#answer.say("thumb", { ...thumb, ...texts }));
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    this.#show();
  }

  #close() {
    this.#isOpen = false;
    this.#parts.more.focus(); // the focus goes where the form can be opened again
    this.#show();
  }

  #quietly(promise) {
    promise.catch(() => {}); // said already, on the page and as an event
  }

  // -- showing ------------------------------------------------------------------------------------

  #view = {
    show: () => this.#show(),
    tell: (name, detail) => {
      const { wanted } = this.#answer.status;
      if (name === "feedback-error" && (wanted?.rationale || wanted?.correction)) {
        this.#parts.details.fill(wanted); // what was written is not lost with the click
        this.#isOpen = true;
        this.#show();
      }
      if (name === "feedback-error") detail = { message: this.#parts.status.textContent, ...detail };
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    },
  };

  #make() {
    const button = (attributes, ...children) => make("button", { type: "button", ...attributes }, ...children);
    const thumb = (name, value) => button({
      class: `thumb ${name}`, part: `thumb thumb-${name}`,
      onclick: (event) => this.#clickThumb(event, value),
    }, icon("thumb"));
    const up = thumb("up", true);
    const down = thumb("down", false);
    const more = button({
      class: "more link", part: "more", "aria-controls": "details", onclick: () => this.#toggle(),
    });
    const status = make("p", { class: "status", part: "status", role: "status" });
    const again = button({ class: "again link", part: "again", onclick: () => this.#answer.status.again() });
    const stars = make("div", { class: "stars", part: "stars" });
    const details = makeDetails({
      choose: (reason) => this.#choose(reason),
      send: (texts) => this.#send(texts),
      close: () => this.#close(),
    });
    const row = make("div", { class: "row", part: "row" }, up, down, more, status, again);
    const all = make("div", { role: "group" }, row, stars, details.node);
    return { all, up, down, more, status, again, stars, details };
  }

  #drawStars() {
    const { dimensions, scale } = this.#settings;
    this.#stars = new Map(dimensions.map((dimension) => [dimension,
      makeStars(dimension, scale, this.#labels, (stars) =>
        this.#quietly(this.#answer.say(`stars:${dimension}`, stars)))]));
    this.#parts.stars.replaceChildren(...[...this.#stars.values()].map(({ node }) => node));
  }

  #show() {
    if (!this.#labels) return;
    const labels = this.#labels;
    const { all, up, down, more, stars, details } = this.#parts;
    const { thumb, ...others } = this.#answer?.slots ?? { thumb: NOTHING };
    const isDisabled = !this.#answer || this.unavailable;
    const focused = this.shadowRoot.activeElement;
    set(all, { lang: labels.lang, "aria-label": labels.group });
    for (const [button, name, value] of [[up, "good", true], [down, "bad", false]]) {
      button.disabled = isDisabled;
      set(button, { "aria-pressed": String(thumb.value === value), "aria-label": labels[name], title: labels[name] });
    }
    stars.hidden = this.mode !== "detailed";
    for (const [dimension, each] of this.#stars) {
      each.show(others[`stars:${dimension}`] ?? null, isDisabled);
    }
    const isRated = thumb.value !== null || thumb.rationale || thumb.correction
      || (!stars.hidden && Object.values(others).some(Boolean));
    more.hidden = isDisabled || !isRated;
    details.node.hidden = more.hidden || !this.#isOpen;
    set(more, {
      "aria-expanded": String(!details.node.hidden),
      text: thumb.rationale || thumb.correction ? labels.editDetails : labels.addDetails,
    });
    details.show(thumb, this.#settings, labels);
    this.#showStatus();
    // Who used what is gone now finds the focus where they can go on.
    if (focused && !focused.getClientRects().length) {
      [more, down.ariaPressed === "true" ? down : up].find((each) => !each.hidden).focus();
    }
  }

  #showStatus() {
    const { status, again } = this.#parts;
    const now = this.unavailable ? { note: "unavailable" } : this.#answer?.status ?? {};
    const say = (note) => set(status, { text: textOf(this.#labels, { ...now, note }) });
    clearTimeout(this.#slowly);
    if (now.state === "saving") this.#slowly = setTimeout(say, SAVING_SHOWS_AFTER_MS, "saving");
    else say(now.note);
    status.classList.toggle("failed", now.state === "failed");
    again.hidden = !now.again;
    set(again, { text: this.#labels.again });
  }
}

// Attributes as properties, also where a framework sets them before this file is loaded.
for (const [property, attribute] of Object.entries({
  traceId: "trace-id", clientRequestId: "client-request-id", mode: "mode", unavailable: "unavailable",
})) {
  const isSwitch = property === "unavailable";
  Object.defineProperty(AgentFeedback.prototype, property, {
    configurable: true,
    enumerable: true,
    get() {
      return isSwitch ? this.hasAttribute(attribute) : this.getAttribute(attribute);
    },
    set(value) {
      if (isSwitch) this.toggleAttribute(attribute, Boolean(value));
      else if (value === null || value === undefined) this.removeAttribute(attribute);
      else this.setAttribute(attribute, value);
    },
  });
}

// Two scripts may load this file by different addresses; the first one defines the element.
if (!customElements.get("agent-feedback")) {
  customElements.define("agent-feedback", AgentFeedback);
  lookAfterWhatWaits();
}
