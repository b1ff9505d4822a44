/** <agent-feedback trace-id="tr-…"></agent-feedback>: see docs/widget.md and agent-feedback.d.ts. */

import { Answer, NO_ANSWER, NOTHING, TEXTS, pollPending } from "./agent-feedback/answer.js";
import {
  CHIP, RADIO, SCALE, STYLES, WHOLE, fill, labelsOf, make, named, textOf,
} from "./agent-feedback/appearance.js";
import { settings } from "./agent-feedback/routes.js";

export { readAgentStream } from "./agent-feedback/routes.js";

const TARGET = ["trace-id", "client-request-id"];
const CORRECTION = "expected_response";
const SAVING_SHOWS_AFTER_MS = 300;

export class AgentFeedback extends HTMLElement {
  static observedAttributes = [...TARGET, "mode", "unavailable", "labels"];

  #answer = NO_ANSWER;
  #settings = { dimensions: [], reasons: [], limits: { rationale: 4_000, correction: 8_000 } };
  #labels;
  #stars = {};
  #isOpen = false;
  #slowly;
  #view = { show: () => this.#show(), tell: (...told) => this.#tell(...told) };

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLES];
    root.append(make(WHOLE));
    this.#on("up", () => this.#takeBack(() => this.#rate(true)));
    this.#on("down", () => this.#takeBack(() => this.#rate(false)));
    this.#on("more", () => (this.#isOpen ? this.#close() : this.#open()));
    this.#on("again", () => this.#answer.status.again());
    this.#on("send", (event) => {
      event.preventDefault();
      return this.#send();
    });
    this.#on("drop", () => this.#takeBack(() => this.withdraw({ dimension: CORRECTION })));
    this.#on("discard", () => this.#answer.discard());
    this.#find("form").addEventListener("input", ({ target: { name, value } }) =>
      this.#answer.type({ [name]: value, undo: undefined }));
    this.#find("form").addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
      if (key === "Escape") this.#close();
      if (key === "Enter" && (ctrlKey || metaKey)) this.#find(".send").click();
    });
  }

  async rate(value, { dimension, ...parts } = {}) {
    return this.#say(dimension, dimension ? value : { ...NOTHING, ...parts, value });
  }

  async withdraw({ dimension } = {}) {
    const { thumb } = this.#target().slots;
    if (dimension === CORRECTION) return this.#say("", { ...thumb, correction: "" });
    return this.#say(dimension, dimension ? null : { ...NOTHING, correction: thumb.correction });
  }

  async signal(name) {
    const answer = this.#target();
    const isTaken = (await settings()).implicit_signals.includes(name);
    if (isTaken) await answer.say(`signal:${name}`, true);
    return isTaken;
  }

  get state() {
    if (this.hasAttribute("unavailable")) return "unavailable";
    return this.#answer.status.state;
  }

  get #isDisabled() {
    return ["unavailable", "disabled"].includes(this.state);
  }

  connectedCallback() {
    this.#relabel();
    this.#retarget();
  }

  disconnectedCallback() {
    this.#answer.leave(this.#view);
  }

  attributeChangedCallback(name, before, now) {
    if (before === now || !this.isConnected || !this.#labels) return;
    if (TARGET.includes(name)) this.#retarget();
    else if (name === "labels") this.#relabel();
    this.#show();
  }

  #retarget() {
    const [trace_id, client_request_id] = TARGET.map((name) => this.getAttribute(name));
    const target = trace_id ? { trace_id } : client_request_id && { client_request_id };
    const former = this.#answer;
    this.#answer = target ? Answer.of(target, former) : NO_ANSWER;
    if (this.#answer !== former) {
      former.leave(this.#view);
      this.#isOpen = false;
      const now = this.#answer;
      // Unless the page goes on to name another request: then it is another answer.
      if (trace_id && client_request_id && former.target?.client_request_id === client_request_id) {
        queueMicrotask(() => {
          const isStill = this.getAttribute(TARGET[1]) === client_request_id;
          if (isStill && this.#answer === now) now.inherit(former);
        });
      }
    }
    if (target) {
      this.#answer.join(this.#view);
      settings(true).then((known) => known === this.#settings || this.#furnish(known), () => {});
    }
    this.#show();
  }

  #relabel() {
    const labels = (this.#labels = labelsOf(this));
    for (const node of this.shadowRoot.querySelectorAll("[data-label]")) {
      node.textContent = labels[node.dataset.label];
    }
    for (const node of this.shadowRoot.querySelectorAll("[data-name]")) {
      call(node, labels[node.dataset.name]);
    }
    this.#find("[role=group]").lang = labels.lang;
    this.#furnish(this.#settings);
  }

  #furnish(known) {
    this.#settings = known;
    this.#find(".chips").replaceChildren(...known.reasons.map((reason) => {
      const chip = make(CHIP);
      chip.dataset.reason = reason;
      chip.textContent = named(reason, this.#labels.reasons);
      this.#on(chip, () => this.#choose(reason));
      return chip;
    }));
    this.#find(".stars").replaceChildren(...known.dimensions.map((name) => this.#makeStars(name)));
    for (const name of TEXTS) this.#find("form")[name].maxLength = known.limits[name];
    this.#show();
  }

  #makeStars(dimension) {
    let chosen = null;
    const { scale } = this.#settings;
    const name = named(dimension, this.#labels.dimensions);
    const row = make(SCALE);
    const [label, group, clear] = row.children;
    label.textContent = group.ariaLabel = name;
    call(clear, fill(this.#labels.clear, { dimension: name }));
    for (let stars = 1; stars <= scale; stars += 1) group.append(make(RADIO));
    const inputs = [...group.querySelectorAll("input")];
    inputs.forEach((input, index) => {
      input.name = dimension;
      input.ariaLabel = fill(this.#labels.stars, { stars: index + 1, scale });
      this.#on(input, () => this.#say(dimension, index + 1 === chosen ? null : index + 1));
    });
    this.#on(clear, () => {
      inputs[chosen - 1].focus();
      return this.#say(dimension, null);
    });
    group.addEventListener("keydown", (event) => {
      if (!event.target.checked || ![" ", "Delete", "Backspace"].includes(event.key)) return;
      event.preventDefault();
      clear.click();
    });
    this.#stars[dimension] = (value) => {
      chosen = value && Math.round(value);
      inputs.forEach((input, index) => {
        input.checked = index + 1 === chosen;
        input.disabled = this.#isDisabled;
        input.parentNode.classList.toggle("on", index < chosen);
      });
      clear.hidden = !chosen || this.#isDisabled;
    };
    return row;
  }

  #find(selector) {
    return this.shadowRoot.querySelector(selector);
  }

  /** A double click is one click; failures are told already. */
  #on(node, act) {
    (node.tagName ? node : this.#find(`.${node}`)).addEventListener("click", (event) => {
      if (event.detail < 2) act(event)?.catch(() => {});
    });
  }

  #target() {
    if (this.#isDisabled) throw new Error("There is nothing to rate: set trace-id or client-request-id.");
    return this.#answer;
  }

  #say(dimension, wanted) {
    return this.#target().say(dimension ? `stars:${dimension}` : "thumb", wanted, this.#view);
  }

  #rate(value) {
    const { thumb } = this.#answer.slots;
    if (thumb.value === value) return this.withdraw();
    // The other thumb's correction goes with it.
    const correction = thumb.value === null ? thumb.correction : thumb.correction && "";
    const saving = this.#say("", { ...NOTHING, value, correction });
    this.#open();
    return saving;
  }

  #takeBack(act) {
    const { thumb } = this.#answer.slots;
    const saving = act();
    this.#answer.salvage(thumb);
    return saving;
  }

  #choose(reason) {
    const { thumb } = this.#answer.slots;
    const reasons = new Set(thumb.reasons);
    if (!reasons.delete(reason)) reasons.add(reason);
    return this.#say("", { ...thumb, reasons: [...reasons] });
  }

  #send() {
    const { slots: { thumb }, typed } = this.#answer;
    this.#close();
    this.#answer.type(typed);
    return Object.keys(typed)[0] && this.#say("", { ...thumb, ...typed });
  }

  #open() {
    this.#isOpen = true;
    this.#show();
  }

  #close() {
    this.#isOpen = false;
    this.#find(".more").focus();
    this.#show();
  }

  #show() {
    const [up, down, more, form, reasons, correction, kept, discard] =
      [".up", ".down", ".more", "form", ".reasons", ".correction", ".kept", ".discard"]
        .map((each) => this.#find(each));
    const labels = this.#labels;
    const focused = this.shadowRoot.activeElement;
    const { slots: { thumb, ...others }, draft, typed } = this.#answer;
    const { value } = thumb;
    const isTyped = Object.keys(typed)[0];
    up.disabled = down.disabled = this.#isDisabled;
    up.ariaPressed = value === true;
    down.ariaPressed = value === false;
    this.#find(".stars").hidden = this.getAttribute("mode") !== "detailed";
    for (const name of this.#settings.dimensions) this.#stars[name](others[`stars:${name}`] ?? null);
    kept.hidden = this.#isDisabled || value === false || !thumb.correction;
    this.#find("q").textContent = thumb.correction;
    more.hidden = this.#isDisabled || value === null;
    form.hidden = more.hidden || !this.#isOpen;
    more.ariaExpanded = !form.hidden;
    const isTold = thumb.rationale || (!value && thumb.correction);
    more.textContent = labels[
      this.#isOpen ? "close" : isTyped ? "draft" : isTold ? "editDetails" : "addDetails"];
    this.#find(".why").textContent = value ? labels.whyGood : labels.whyBad;
    for (const chip of this.#find(".chips").children) {
      const { reason } = chip.dataset;
      const isChosen = thumb.reasons.includes(reason);
      chip.ariaPressed = isChosen;
      chip.hidden = !isChosen && (value ? labels.badReasons : labels.goodReasons).includes(reason);
    }
    reasons.hidden = !this.#settings.reasons.length;
    correction.hidden = value !== false;
    for (const name of TEXTS) form[name].value = draft[name] ?? thumb[name] ?? "";
    discard.hidden = !isTyped && !draft.undo;
    discard.textContent = draft.undo ? labels.undo : labels.discard;
    this.#showStatus();
    // The focus does not go with what had it.
    if (focused && !focused.getClientRects().length) (more.hidden ? up : more).focus();
  }

  #showStatus() {
    const status = this.#find(".status");
    const now = this.state === "unavailable" ? { note: "unavailable" } : this.#answer.status;
    const say = (note) => {
      const text = textOf(this.#labels, { ...now, note });
      if (status.textContent !== text) status.textContent = text;
    };
    clearTimeout(this.#slowly);
    say(now.note);
    if (now.state === "saving") this.#slowly = setTimeout(say, SAVING_SHOWS_AFTER_MS, "saving");
    status.classList.toggle("failed", now.state === "failed");
    this.#find(".again").hidden = !now.again;
  }

  #tell(type, detail) {
    const { wanted } = this.#answer.status;
    if (wanted?.rationale || wanted?.correction) this.#open();
    if (type === "feedback-error") detail = { message: this.#find(".status").textContent, ...detail };
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

function call(node, name) {
  node.ariaLabel = name;
  if (node.localName === "button") node.title = name;
}

if (!customElements.get("agent-feedback")) {
  customElements.define("agent-feedback", AgentFeedback);
  pollPending();
}
