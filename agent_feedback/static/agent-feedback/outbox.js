/**
 * Clicks that the server has not confirmed yet, in `localStorage`: they survive a reload, and all
 * tabs of this site see the same ones. One key for each click, so that no tab overwrites another's.
 */

import { ROUTES, knownPerson } from "./server.js";

const PREFIX = `agent-feedback ${ROUTES} `;
const LOCK = `agent-feedback-lock ${ROUTES} `;
const LEASE_MS = 5_000;
const RENEW_MS = 1_500;
const SETTLE_MS = 50; // until what one tab stored or removed is seen by the others

const memory = new Map(); // what must not, or cannot, be stored

/** Keep a click: `{target, slot, wanted, had}`. It is later than every click before it. */
export function put(click) {
  const at = Math.max(Date.now(), ...entries().map((each) => each.at + 1));
  const entry = { ...click, at, id: `${at}-${newId()}` };
  memory.set(entry.id, entry);
  keep(entry);
  return entry;
}

/** Whether a click can wait for the server: only under the key of the person who made it. */
export function keep(entry) {
  if (entry.person === undefined) entry.person = knownPerson(); // null is nobody's key
  if (entry.person === undefined) return false;
  try {
    localStorage.setItem(PREFIX + entry.id, JSON.stringify(entry));
    memory.delete(entry.id);
  } catch {} // no storage here: it waits as long as the page lives
  return true;
}

export function remove(entry) {
  memory.delete(entry.id);
  try {
    localStorage.removeItem(PREFIX + entry.id);
  } catch {}
}

/** Every click that waits, in the order in which they were made. */
export function entries() {
  const found = [...memory.values()];
  try {
    for (const key of Object.keys(localStorage)) {
      const entry = key.startsWith(PREFIX) && entryIn(localStorage.getItem(key));
      if (entry) found.push(entry);
    }
  } catch {}
  return found.sort((one, other) => one.at - other.at);
}

/** Calls back with each click that another tab stored or removed. */
export function onOtherTabs(hear) {
  addEventListener("storage", ({ key, oldValue, newValue }) => {
    const entry = key?.startsWith(PREFIX) && entryIn(newValue ?? oldValue);
    if (entry) hear(entry);
  });
}

function entryIn(text) {
  try {
    const entry = JSON.parse(text);
    return entry?.target && entry.slot && entry.id ? entry : undefined;
  } catch {
    return undefined;
  }
}

// -- one after another, across tabs ---------------------------------------------------------------

export const settle = () => pause(SETTLE_MS);

/** Runs `work` while no other `work` of this name runs in any tab of this site. */
export async function exclusively(name, work) {
  let hasBegun = false;
  if (navigator.locks) {
    try {
      return await navigator.locks.request(LOCK + name, () => {
        hasBegun = true;
        return work();
      });
    } catch (error) {
      if (hasBegun) throw error; // else this frame has no locks: an opaque origin
    }
  }
  return inTurn(LOCK + name, work);
}

const turns = new Map(); // name → the last work of this page

function inTurn(name, work) {
  const turn = (turns.get(name) ?? Promise.resolve()).then(() => withLease(name, work));
  turns.set(name, turn.catch(() => {}));
  return turn;
}

/** The same where the browser has no locks (a page on plain HTTP): a lease in the storage. */
async function withLease(name, work) {
  const me = newId();
  const take = () => {
    try {
      localStorage.setItem(name, JSON.stringify({ id: me, until: Date.now() + LEASE_MS }));
    } catch {}
  };
  const holder = () => {
    try {
      return JSON.parse(localStorage.getItem(name));
    } catch {
      return null;
    }
  };
  while (holder()?.id !== me) {
    if (!(holder()?.until > Date.now())) take();
    await pause(SETTLE_MS * (1 + Math.random())); // of two that take it at once, the last one has it
    if (!holder()) break; // nothing is stored here, so there is nobody to wait for
  }
  const renewal = setInterval(take, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    if (holder()?.id === me) localStorage.removeItem(name);
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const newId = () => Math.random().toString(36).slice(2, 12);
