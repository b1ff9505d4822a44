/**
 * What is said about one answer, in slots: `thumb` (with reasons, comment and correction),
 * `stars:accuracy`, `signal:copy`.
 */

import {
  entries, exclusively, isOf, keep, knownPerson, onOtherTabs, put, ratingsOf, remove, request,
  settings, settle,
} from "./server.js";

export const NOTHING = { value: null, reasons: [], rationale: "", correction: "" };

const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;
const REPLACED = { status: "replaced" }; // or sent by another tab

const answers = new Map();
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const isSilent = (slot) => slot.startsWith("signal:");

export class Answer {
  status = { state: "ready" };
  slots = { thumb: NOTHING }; // what the person chose
  #saved = { thumb: NOTHING }; // what the server confirmed
  #isRead = false;
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
    // Until it is read, there may be a correction to withdraw.
    const had = !this.#isRead || this.#saved.thumb.correction;
    return this.#send(put({ target: this.target, slot, wanted, had }));
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
    if (!ratings) return undefined;
    if (clicks !== this.#clicks) return this.read(); // it is older
    const shown = { ...this.slots };
    const found = slotsOf(ratings);
    const waiting = this.#waiting().map(({ slot }) => slot);
    for (const slot of Object.keys({ ...shown, ...found })) {
      this.#saved[slot] = found[slot];
      if (!waiting.includes(slot)) this.slots[slot] = found[slot];
    }
    this.#isRead = true;
    if (this.#underWay.size || this.#showWaiting()) return undefined;
    const told = same(this.slots, shown) && this.status.state;
    if (["failed", "saved"].includes(told)) return undefined;
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
        retryLater(error.retryAfter);
        const detail = detailOf(entry, { status: "waiting" });
        if (isHeard()) this.#tell(WAITING, "feedback-change", detail);
        return detail;
      }
      remove(entry);
      if (isHeard()) {
        this.slots[slot] = this.#saved[slot];
        const again = () => this.say(slot, wanted, this.#speaker);
        this.#tell({ state: "failed", note: "failed", message, status, again, wanted }, "feedback-error");
      }
      throw error;
    } finally {
      this.#forget();
    }
  }

  #settle(entry, answer, isHeard) {
    this.#saved[entry.slot] = entry.wanted;
    const isGone = !entry.wanted || entry.wanted.value === null;
    const isPending = answer.status === "pending" && !isGone;
    const detail = detailOf(entry, isGone ? { ...answer, status: "withdrawn" } : answer);
    const state = isPending ? "pending" : "saved";
    const note = isGone ? "withdrawn" : state;
    if (isHeard) this.#tell({ state, note }, "feedback-change", detail);
    for (const other of answers.values()) {
      if (other !== this && isOf(answer, other.target)) other.read();
    }
    return detail;
  }

  #waiting() {
    return entries().filter(({ slot, target, person }) => same(target, this.target)
      && !isSilent(slot) && [undefined, person].includes(knownPerson()));
  }

  #showWaiting(state) {
    const kept = this.#waiting();
    for (const { slot, wanted, id } of kept) {
      this.slots[slot] = wanted;
      this.#newest[slot] = id;
    }
    if (!kept.length) return false;
    this.#tell(state ? { state } : WAITING);
    retryLater();
    return true;
  }

  #tell(status, event, detail = status) {
    this.status = status;
    for (const view of this.#views) view.show();
    if (!event) return;
    const view = this.#views.has(this.#speaker) ? this.#speaker : [...this.#views][0];
    if (view) view.tell(event, detail);
    else document.dispatchEvent(new CustomEvent(event, { detail }));
  }

  #forget() {
    if (!this.#views.size && !this.#underWay.size) answers.delete(this.key);
  }
}

const WAITING = { state: "waiting", note: "waiting", again: flush };

function detailOf({ slot, wanted, target }, { status, trace_id, client_request_id, assessment_id }) {
  const [kind, dimension = null] = slot.split(":");
  return {
    ...NOTHING, ...(kind === "thumb" ? wanted : { value: wanted }), dimension, status,
    traceId: target.trace_id ?? trace_id ?? null,
    clientRequestId: target.client_request_id ?? client_request_id ?? null,
    assessmentId: assessment_id ?? null,
  };
}

function slotsOf(ratings) {
  const slots = { thumb: NOTHING };
  for (const { name, value, reasons, rationale } of ratings) {
    if (name === "user_feedback") {
      slots.thumb = { ...slots.thumb, value, reasons, rationale: rationale ?? "" };
    } else if (name === "expected_response") slots.thumb = { ...slots.thumb, correction: value };
    else slots[name.replace("user_", "stars:")] = value;
  }
  return slots;
}

/** Makes the server say what a click says, whatever those before it said. */
function requestsFor({ target, slot, wanted }, clicks) {
  const post = (body) => ["POST", "", { ...target, ...body }];
  const withdraw = (dimension) =>
    ["DELETE", `?${new URLSearchParams({ ...target, ...(dimension && { dimension }) })}`];
  const [kind, name] = slot.split(":");
  if (kind === "signal") return [post({ signal: name })];
  if (kind === "stars") return [wanted ? post({ dimension: name, value: wanted }) : withdraw(name)];
  const said = Object.entries(wanted).filter(([, part]) => part === !!part || part?.length);
  const had = clicks.some((each) => each.had || each.wanted.correction);
  return [
    wanted.value === null ? withdraw() : post(Object.fromEntries(said)),
    ...(had && !wanted.correction ? [withdraw("expected_response")] : []),
  ];
}

/** Clicks on one answer take turns; a slot's newest one counts. */
function carryOut(entry, hasWaited) {
  const { target, slot } = entry;
  return exclusively(JSON.stringify(target), async () => {
    if (hasWaited) await settle();
    const clicks = entries().filter((each) =>
      each.slot === slot && each.person === entry.person && same(each.target, target));
    if (clicks.at(-1)?.id !== entry.id) return REPLACED;
    let answer;
    for (const step of requestsFor(entry, clicks)) {
      const said = await request(...step);
      answer ??= said;
    }
    clicks.forEach(remove);
    return answer;
  });
}

let timer;
let pause = RETRY_MS;
let flushing;

function retryLater(seconds) {
  timer ??= setTimeout(() => {
    pause = Math.min(pause * 2, LONGEST_RETRY_MS);
    flush();
  }, seconds ? seconds * 1000 : pause);
}

function flush() {
  clearTimeout(timer);
  timer = undefined;
  flushing ??= sendAll().finally(() => (flushing = undefined));
}

async function sendAll() {
  if (!entries().length) return;
  const before = knownPerson();
  try {
    await settings(true);
  } catch (error) {
    retryLater(error.retryAfter);
    return;
  }
  const person = knownPerson();
  for (const entry of entries().filter(keep)) {
    const sent = await Answer.of(entry.target).resend(entry, person);
    if (sent?.status === "waiting") return;
  }
  pause = RETRY_MS;
  if (![undefined, person].includes(before)) for (const each of answers.values()) each.read();
}

export function lookAfterWhatWaits() {
  flush();
  addEventListener("online", flush);
  onOtherTabs(({ target }) => {
    answers.get(JSON.stringify(target))?.follow();
    retryLater();
  });
}
