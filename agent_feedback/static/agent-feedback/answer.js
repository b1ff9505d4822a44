/**
 * What this person says about one answer: shown at once, kept until the server has confirmed it,
 * taken back where it refused. All components of one answer share it.
 *
 * There is one slot for the thumb with its reasons, comment and correction, one for each
 * dimension's stars (`stars:accuracy`) and one for each signal (`signal:copy`).
 */

import { ENGLISH, textOf } from "./labels.js";
import * as outbox from "./outbox.js";
import { isRatingOf, knownPerson, ratingsOf, request, settings } from "./server.js";
import { NOTHING, asSlots, requestsFor, whatThereIs } from "./slots.js";

const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;
const GONE = "replaced"; // by a later click, or sent by another tab

const answers = new Map(); // key → Answer, as long as somebody looks or something is under way

export class Answer {
  /** `{state, note, reason, again}`; state is ready, saving, saved, pending, waiting or failed. */
  status = { state: "ready" };
  slots = { thumb: NOTHING }; // what the person chose, shown at once
  #saved = { thumb: NOTHING }; // what the server confirmed, to go back to
  #isRead = false;
  #newest = {}; // slot → the id of its newest click
  #underWay = new Set();
  #views = new Set();

  /** The one answer that `target` means on this page; `former`, if it is and nobody else has. */
  static of(target, former) {
    const key = JSON.stringify(target);
    if (!answers.has(key)) {
      answers.set(key, former?.key === key ? former : new Answer(key, target));
    }
    return answers.get(key);
  }

  constructor(key, target) {
    this.key = key;
    this.target = target;
  }

  isSending(entry) {
    return this.#underWay.has(entry.id);
  }

  /** Tells `view` of every change: `view.show()`, `view.tell(event name, detail)`. */
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

  /** States a slot anew; settles when it is saved, or kept until the server can be reached. */
  say(slot, wanted) {
    const had = { ...whatThereIs(this.#saved.thumb), ...(!this.#isRead && { correction: true }) };
    const person = knownPerson();
    return this.#send(outbox.put({ target: this.target, slot, wanted, had, person }));
  }

  /** Sends a click that waited. */
  resend(entry) {
    return this.#send(entry, { waited: true }).catch(() => {}); // said already
  }

  /** Someone else is signed in: a click of theirs was never made. */
  drop(entry) {
    outbox.remove(entry);
    this.#rollBack(entry.slot);
    this.#tell({ state: "failed", note: "someoneElse" });
    this.#emit("feedback-error", { status: 0 });
  }

  /** Asks the server what this person said before; what is being said now stands. */
  async read() {
    const before = { ...this.#newest };
    let ratings;
    try {
      ratings = await ratingsOf(this.target);
    } catch {
      return; // nothing is known: thumbs work all the same
    }
    const found = asSlots(ratings);
    const shown = JSON.stringify(this.slots);
    const isQuiet = (slot) => this.#newest[slot] === before[slot] && !this.#isWaiting(slot);
    for (const slot of new Set([...Object.keys(this.#saved), ...Object.keys(found)])) {
      this.#saved[slot] = found[slot];
      if (isQuiet(slot)) this.slots[slot] = found[slot];
    }
    this.#isRead = true;
    if (this.#underWay.size || this.#showWaiting()) return;
    const isToldAlready = ["failed", "saved"].includes(this.status.state)
      && shown === JSON.stringify(this.slots);
    if (isToldAlready) return;
    const isPending = ratings.some((rating) => rating.status === "pending");
    this.#tell(isPending ? { state: "pending", note: "pending" } : { state: "ready" });
  }

  /** Another tab stored a click or was done with one. */
  follow() {
    if (!this.#underWay.size && !this.#showWaiting("saving")) this.read();
  }

  // -- sending ------------------------------------------------------------------------------------

  async #send(entry, { waited = false } = {}) {
    const { slot, wanted, id } = entry;
    this.#newest[slot] = id;
    this.#underWay.add(id);
    this.slots[slot] = wanted;
    if (!isSilent(slot)) this.#tell({ state: "saving" });
    const isNewest = () => this.#newest[slot] === id;
    try {
      const answer = await carryOut(entry, waited);
      this.#underWay.delete(id);
      if (answer !== GONE) return this.#settle(entry, answer, isNewest());
      if (isNewest()) this.follow();
      return { status: GONE };
    } catch (error) {
      this.#underWay.delete(id);
      if (error.isAway && outbox.keep(entry)) {
        retryLater(error.retryAfter);
        if (isNewest()) this.#wait(entry, error);
        return { status: "waiting" };
      }
      outbox.remove(entry);
      if (isNewest()) this.#fail(entry, error);
      throw error;
    } finally {
      this.#forget();
    }
  }

  #settle({ slot, wanted }, answer, isNewest) {
    this.#saved[slot] = wanted;
    const isGone = slot === "thumb" ? !Object.keys(whatThereIs(wanted)).length : !wanted;
    const status = isGone ? "withdrawn" : answer.status ?? "ok";
    const detail = { ...this.#detail(slot, wanted), status, assessmentId: answer.assessment_id ?? null };
    detail.traceId ??= answer.trace_id;
    if (isNewest && !isSilent(slot)) {
      const state = answer.status === "pending" && !isGone ? "pending" : "saved";
      this.#tell({ state, note: isGone ? "withdrawn" : state });
      this.#emit("feedback-change", detail);
    }
    for (const other of answers.values()) {
      // The same answer may be on the page by its trace and by its request.
      if (other !== this && answer.trace_id && isRatingOf(answer, other.target)) other.read();
    }
    return detail;
  }

  #wait({ slot, wanted }, { reason }) {
    if (isSilent(slot)) return;
    this.#tell({ state: "waiting", note: "waiting", reason, again: flush });
    const detail = this.#detail(slot, wanted);
    this.#emit("feedback-change", { ...detail, status: "waiting", assessmentId: null });
  }

  #fail({ slot, wanted }, { reason, status }) {
    this.#rollBack(slot);
    if (isSilent(slot)) return;
    const again = () => this.say(slot, wanted).catch(() => {});
    this.#tell({ state: "failed", note: "notSaved", reason, code: status, again, wanted });
    this.#emit("feedback-error", { status });
  }

  #rollBack(slot) {
    this.slots[slot] = this.#saved[slot];
  }

  #isWaiting(slot) {
    return this.#waiting().some((entry) => entry.slot === slot);
  }

  #waiting() {
    return outbox.entries().filter((entry) => JSON.stringify(entry.target) === this.key);
  }

  /** Shows the clicks that were kept, also before a reload; says whether there are any. */
  #showWaiting(state = "waiting") {
    const kept = this.#waiting().filter(({ slot, person }) =>
      !isSilent(slot) && [undefined, person].includes(knownPerson()));
    for (const { slot, wanted, id } of kept) {
      this.slots[slot] = wanted;
      this.#newest[slot] = id;
    }
    if (kept.length) {
      this.#tell({ state, note: state, again: state === "waiting" ? flush : undefined });
      retryLater();
    }
    return kept.length > 0;
  }

  // -- telling ------------------------------------------------------------------------------------

  #detail(slot, said) {
    const { trace_id: traceId, client_request_id: clientRequestId } = this.target;
    const about = slot === "thumb" ? said : { value: said ?? null };
    const dimension = slot === "thumb" ? null : slot.slice(slot.indexOf(":") + 1);
    return { ...NOTHING, ...about, dimension, traceId, clientRequestId };
  }

  #tell(status) {
    this.status = status;
    this.#show();
  }

  #show() {
    for (const view of this.#views) view.show();
  }

  #emit(name, detail) {
    for (const view of this.#views) view.tell(name, detail);
    if (this.#views.size) return;
    const message = textOf(ENGLISH, this.status);
    document.dispatchEvent(new CustomEvent(name, { detail: { message, ...detail } }));
  }

  #forget() {
    if (!this.#views.size && !this.#underWay.size) answers.delete(this.key);
  }
}

const isSilent = (slot) => slot.startsWith("signal:");

/** Sends the newest click of a slot for all that wait there; clicks on one answer take turns. */
function carryOut(entry, waited) {
  const { target, slot, person } = entry;
  const isRival = (other) => other.slot === slot && other.person === person
    && JSON.stringify(other.target) === JSON.stringify(target);
  return outbox.exclusively(JSON.stringify(target), async () => {
    if (waited) await outbox.settle();
    const rivals = outbox.entries().filter(isRival);
    const position = rivals.findIndex(({ id }) => id === entry.id);
    if (position < 0 || position < rivals.length - 1) return GONE;
    let answer;
    for (const [method, path, body] of requestsFor(entry, rivals)) {
      const said = await request(method, path, body);
      answer ??= said;
    }
    for (const rival of rivals) outbox.remove(rival);
    return answer;
  });
}

// -- sending what waited --------------------------------------------------------------------------

let timer;
let pause = RETRY_MS;
let flushing;

function retryLater(seconds) {
  timer ??= setTimeout(() => {
    pause = Math.min(pause * 2, LONGEST_RETRY_MS);
    flush();
  }, seconds ? seconds * 1000 : pause);
}

/** Sends what waits, in the order of the clicks, each under the name of who made it. */
export function flush() {
  clearTimeout(timer);
  timer = undefined;
  return (flushing ??= sendAll().finally(() => (flushing = undefined)));
}

async function sendAll() {
  if (!outbox.entries().length) return;
  const before = knownPerson();
  let person;
  try {
    ({ person } = await settings({ fresh: true }));
  } catch (error) {
    retryLater(error.retryAfter);
    return;
  }
  for (const entry of outbox.entries()) {
    if (!outbox.keep(entry)) continue;
    const answer = Answer.of(entry.target);
    if (entry.person !== person) answer.drop(entry);
    else if (!answer.isSending(entry)) {
      const sent = await answer.resend(entry);
      if (sent?.status === "waiting") return;
    }
  }
  pause = RETRY_MS;
  if (before !== undefined && before !== person) for (const each of answers.values()) each.read();
}

/** Looks after what waits from now on: after a reload, back online, beside other tabs. */
export function lookAfterWhatWaits() {
  flush();
  const now = () => {
    pause = RETRY_MS;
    flush();
  };
  addEventListener("online", now);
  addEventListener("pageshow", (event) => event.persisted && now());
  document.addEventListener("visibilitychange", () => document.hidden || now());
  outbox.onOtherTabs((entry) => {
    answers.get(JSON.stringify(entry.target))?.follow();
    retryLater(); // in case that tab is closed before it is done
  });
}
