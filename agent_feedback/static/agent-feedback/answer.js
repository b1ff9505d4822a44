/**
 * What is said about one answer, in slots: `thumb` (with reasons, comment and correction),
 * `stars:accuracy`, `signal:copy`.
 */

import {
  NOTHING, REPLACED, carryOut, detailOf, draftOf, entries, isOf, keep, keepDraft, knownPerson,
  onOtherTabs, put, ratingsOf, remove, same, settings, slotsOf,
} from "./routes.js";

export { NOTHING };
export const TEXTS = ["rationale", "correction"];

const PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
const MOST_QUESTIONS = 20; // a quarter of an hour

const answers = new Map();
const isSilent = (slot) => slot.startsWith("signal:");

export class Answer {
  status = { state: "ready" };
  // What the person chose. Until it is read, there may be a correction.
  slots = { thumb: { ...NOTHING, correction: undefined } };
  #saved = { ...this.slots }; // what the server confirmed
  #draft = {};
  #kept = {}; // of it, as this tab last read or wrote it
  #receipt;
  isIdentified = false; // whose it is was asked since it is shown
  #clicks = 0;
  #newest = {}; // slot → the id of its newest click
  #underWay = new Set();
  #views = new Set();
  #speaker;

  static of(target, former) {
    const key = JSON.stringify(target);
    if (!answers.has(key)) answers.set(key, former?.key === key ? former : new Answer(target, key));
    return answers.get(key);
  }

  constructor(target, key) {
    Object.assign(this, { target, key });
  }

  join(view) {
    this.#views.add(view);
    identify().catch(() => {});
    if (this.#views.size > 1 || this.#underWay.size) return;
    this.#showWaiting();
    this.read();
  }

  leave(view) {
    this.#views.delete(view);
    this.#forget();
  }

  say(slot, wanted, view) {
    this.#speaker = view;
    questions = 0;
    pause = PAUSE_MS;
    later(pause / 1000);
    const had = this.#saved.thumb.correction !== "";
    return this.#send(put({ target: this.target, slot, wanted, had }));
  }

  /** What this person typed and did not send; `undo` is what they discarded. */
  get draft() {
    const { person } = this.#draft;
    const now = this.isIdentified ? knownPerson() : undefined;
    if (person !== now) {
      const early = person === undefined && this.#draft;
      this.#kept = { ...draftOf(`${now} ${this.key}`) };
      this.#draft = { ...this.#kept, ...early, person: now };
      this.type();
    }
    return this.#draft;
  }

  /** What of it the form shows, and would change. */
  get typed() {
    const { thumb } = this.slots;
    const texts = {};
    for (const name of thumb.value ? ["rationale"] : TEXTS) {
      const text = this.draft[name]?.trim();
      if (text !== undefined && text !== (thumb[name] ?? "")) texts[name] = text;
    }
    return texts;
  }

  type(changes) {
    const draft = Object.assign(this.draft, changes);
    for (const name of TEXTS) {
      const isSaid = ({ thumb }) => draft[name] === (thumb[name] ?? "");
      if (isSaid(this.slots) && isSaid(this.#saved)) delete draft[name];
    }
    const { person, undo, ...texts } = draft;
    for (const name in texts) if (texts[name] === undefined) delete texts[name];
    if (person !== undefined) {
      keepDraft(`${person} ${this.key}`, this.#kept, texts);
      this.#kept = texts;
    }
    this.#show();
  }

  discard() {
    const { draft, typed } = this;
    const { undo } = draft;
    if (undo) return this.type({ ...undo, undo: undefined });
    for (const name in typed) {
      typed[name] = draft[name];
      delete draft[name];
    }
    return this.type({ undo: typed });
  }

  /** What no longer stands can be sent again. */
  salvage(sent) {
    const { draft } = this;
    for (const name of TEXTS) {
      if (!sent?.[name] || draft[name] !== undefined) continue;
      draft[name] = sent[name];
      draft.undo = undefined; // it would write over this
    }
    this.type();
  }

  /** The same answer, under another name until now. */
  inherit(former) {
    this.salvage(former.draft);
    former.type({ rationale: undefined, correction: undefined, undo: undefined });
  }

  async resend(entry, person) {
    if (this.#underWay.has(entry.id)) return undefined;
    if (entry.person === person) return this.#send(entry, true).catch(() => {});
    remove(entry);
    this.slots[entry.slot] = this.#saved[entry.slot];
    return this.#tell({ state: "failed", note: "someoneElse", status: 0 }, "feedback-error");
  }

  async read() {
    const clicks = this.#clicks;
    const ratings = await ratingsOf(this.target).catch(() => {});
    if (!ratings || ratings.some(({ status }) => status === "unknown")) return undefined;
    if (clicks !== this.#clicks) return this.read(); // it is older
    const found = slotsOf(ratings);
    this.slots.thumb.correction ??= found.thumb.correction;
    const shown = { ...this.slots };
    const waiting = this.#waiting().map(({ slot }) => slot);
    for (const slot of Object.keys({ ...shown, ...found })) {
      this.#saved[slot] = found[slot];
      if (!waiting.includes(slot)) this.slots[slot] = found[slot];
    }
    if (this.#underWay.size || this.#showWaiting()) return undefined;
    const isOurs = ({ name, revision }) =>
      name === this.#receipt?.name && revision === this.#receipt.revision;
    const { state: before, note } = this.status;
    // The server may have changed the text that it saved.
    const told = (same(this.slots, shown) || (before === "pending" && ratings.some(isOurs))) && before;
    // What a former person did not send is news to this one, whatever they have rated.
    if (["failed", "saved"].includes(told) || note === "someoneElse") return this.#show();
    let state = told === "pending" ? "saved" : "ready";
    if (ratings.some(({ status }) => status === "pending")) state = "pending";
    return this.#tell({ state, note: state });
  }

  /** Another tab stored or sent a click. */
  follow() {
    if (!this.#underWay.size && !this.#showWaiting("saving")) this.read();
  }

  async #send(entry, hasWaited) {
    const { slot, wanted, id } = entry;
    this.#clicks += 1;
    this.#newest[slot] = id;
    this.#underWay.add(id);
    this.slots[slot] = wanted;
    const isHeard = () => this.#newest[slot] === id && !isSilent(slot);
    if (isHeard()) this.#tell({ state: "saving" });
    try {
      const answer = await carryOut(entry, hasWaited).finally(() => {
        this.#clicks += 1;
        this.#underWay.delete(id);
      });
      if (answer !== REPLACED) return this.#settle(entry, answer, isHeard());
      if (isHeard()) this.follow();
      return REPLACED;
    } catch (error) {
      const { status, message } = error;
      if (error.isAway && keep(entry)) {
        later(error.retryAfter);
        const detail = detailOf(entry, { status: "waiting" });
        if (isHeard()) this.#tell(WAITING, "feedback-change", detail);
        return detail;
      }
      remove(entry);
      if (isHeard()) {
        this.slots[slot] = this.#saved[slot];
        this.salvage(wanted);
        const again = () => this.say(slot, wanted, this.#speaker);
        this.#tell({ state: "failed", note: "failed", message, status, again, wanted }, "feedback-error");
      }
      throw error;
    } finally {
      this.#forget();
    }
  }

  #settle(entry, answer, isHeard) {
    const { slot, wanted } = entry;
    const { status, correction } = answer;
    const isGone = !wanted || wanted.value === null;
    this.#receipt = answer;
    if (isGone && wanted && "correction" in answer) wanted.correction = correction?.value ?? "";
    this.#saved[slot] = wanted;
    this.type();
    const isPending = [status, correction?.status].includes("pending") && !isGone;
    const detail = detailOf(entry, isGone ? { ...answer, status: "withdrawn" } : answer);
    const state = isPending ? "pending" : "saved";
    const note = !isGone ? state : wanted?.correction ? "kept" : "withdrawn";
    if (isHeard) this.#tell({ state, note }, "feedback-change", detail);
    for (const other of answers.values()) {
      if (other !== this && isOf(answer, other.target)) other.read();
    }
    return detail;
  }

  #waiting() {
    return entries().filter(({ slot, target, person }) => same(target, this.target)
      && !isSilent(slot) && (person === undefined || [undefined, person].includes(knownPerson())));
  }

  #showWaiting(state) {
    const kept = this.#waiting();
    for (const { slot, wanted, id } of kept) {
      this.slots[slot] = wanted;
      this.#newest[slot] = id;
    }
    if (!kept.length) return false;
    this.#tell(state ? { state } : WAITING);
    later();
    return true;
  }

  #tell(status, event, detail = status) {
    this.status = status;
    if (status.state === "pending") later();
    this.#show();
    if (!event) return;
    const view = this.#views.has(this.#speaker) ? this.#speaker : [...this.#views][0];
    if (view) view.tell(event, detail);
    else document.dispatchEvent(new CustomEvent(event, { detail }));
  }

  #show() {
    for (const view of this.#views) view.show();
  }

  #forget() {
    if (!this.#views.size && !this.#underWay.size) answers.delete(this.key);
  }
}

export const NO_ANSWER = Object.assign(new Answer(), { status: { state: "disabled" } });

const WAITING = { state: "waiting", note: "waiting", again: flush };

let timer;
let pause = PAUSE_MS;
let flushing;
let identifying;
let questions = 0;

/** A number of seconds replaces what was planned. */
function later(seconds) {
  if (seconds) {
    clearTimeout(timer);
    timer = undefined;
  }
  timer ??= setTimeout(() => {
    pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS);
    flush();
  }, seconds ? seconds * 1000 : pause);
}

function flush() {
  clearTimeout(timer);
  timer = undefined;
  flushing ??= Promise.all([sendAll(), ask()]).finally(() => (flushing = undefined));
}

/** Whether what is on its way has arrived. */
async function ask() {
  const pending = [...answers.values()].filter(({ status }) => status.state === "pending");
  if (!pending.length || document.hidden || !navigator.onLine) return;
  if ((questions += 1) > MOST_QUESTIONS) return;
  await Promise.all(pending.map((each) => each.read()));
  later();
}

/** Whoever was signed in when the page was loaded may not be it now. */
function identify() {
  identifying ??= (async () => {
    const before = knownPerson();
    await settings(true);
    const isSame = [undefined, knownPerson()].includes(before);
    for (const each of answers.values()) {
      each.isIdentified = true;
      each.type();
      if (!isSame) each.read();
    }
  })().finally(() => (identifying = undefined));
  return identifying;
}

function wake() {
  questions = 0;
  pause = PAUSE_MS;
  if (!document.hidden) identify().catch(() => {});
  flush();
}

async function sendAll() {
  if (!entries().length) return;
  try {
    await identify();
  } catch (error) {
    later(error.retryAfter);
    return;
  }
  const person = knownPerson();
  for (const entry of entries().filter(keep)) {
    const sent = await Answer.of(entry.target).resend(entry, person);
    if (sent?.status === "waiting") return;
  }
  pause = PAUSE_MS;
}

export function pollPending() {
  flush();
  addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  onOtherTabs(({ target }) => {
    answers.get(JSON.stringify(target))?.follow();
    later();
  });
}
