/** The server (this file's own) and what waits for it. */

const ROUTES = new URL("..", import.meta.url).href.slice(0, -1);

export const NOTHING = { value: null, reasons: [], rationale: "", correction: "" };
export const REPLACED = { status: "replaced" }; // or sent by another tab
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const PATIENCE_MS = 20_000;
const GATHER_MS = 10;
const MOST_TARGETS = 100;
const NOT_NOW = [0, 408, 425, 429, 502, 503, 504]; // but later

/** Throws `{status, message, isAway, retryAfter}`; the status is 0 where nobody answered. */
export async function request(method, path, body) {
  let response = { status: 0 };
  let answer;
  try {
    response = await fetch(ROUTES + path, {
      method,
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      keepalive: method !== "GET", // also on the way out
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    answer = await response.json();
    if (response.ok) return answer;
  } catch {}
  // Without JSON it was a login or a proxy that answered.
  const status = response.ok ? 0 : response.status;
  const message = typeof answer?.detail === "string" ? answer.detail : "";
  const retryAfter = Number(response.headers?.get("Retry-After"));
  throw Object.assign(new Error(message), { status, isAway: NOT_NOW.includes(status), retryAfter });
}

/** Makes the server hold what a click says, whatever the clicks before it said. */
function requestsFor({ target, slot, wanted }, clicks) {
  const post = (body) => ["POST", "", { ...target, ...body }];
  const withdraw = (dimension) =>
    ["DELETE", `?${new URLSearchParams({ ...target, ...(dimension && { dimension }) })}`];
  const [kind, name] = slot.split(":");
  if (kind === "signal") return [post({ signal: name })];
  if (kind === "stars") return [wanted ? post({ dimension: name, value: wanted }) : withdraw(name)];
  const given = Object.entries(wanted).filter(([, part]) => part === !!part || part?.length);
  const isGone = wanted.value === null;
  const { correction } = wanted;
  const steps = [isGone ? withdraw() : post(Object.fromEntries(given))];
  if (correction === "" && clicks.some((each) => each.had || each.wanted.correction)) {
    steps.unshift(withdraw("expected_response"));
  }
  // It stays, and may not have been sent.
  if (correction && isGone && clicks.length > 1) steps.unshift(post({ correction }));
  return steps;
}

let known;
let asking;

export function settings(fresh = false) {
  if (known && !fresh) return Promise.resolve(known);
  asking ??= request("GET", "/settings")
    .then((found) => (known = same(found, known) ? known : found))
    .finally(() => (asking = undefined));
  return asking;
}

/** Null for nobody, undefined while it is unknown. */
export const knownPerson = () => known?.person;

const questions = [];

export function ratingsOf(target) {
  return new Promise((resolve, reject) => {
    if (!questions.length) setTimeout(() => {
      while (questions.length) ask(questions.splice(0, MOST_TARGETS));
    }, GATHER_MS);
    questions.push({ target, resolve, reject });
  });
}

export function isOf({ trace_id: id, client_request_id: turn }, target) {
  const trace = target.trace_id;
  if (!trace) return turn === target.client_request_id;
  return id === trace || id === `tr-${trace}` || id?.endsWith(`/${trace}`);
}

async function ask(batch) {
  try {
    const query = new URLSearchParams(batch.flatMap(({ target }) => Object.entries(target)));
    const found = await request("GET", `?${query}`);
    for (const { target, resolve } of batch) resolve(found.filter((each) => isOf(each, target)));
  } catch (error) {
    const half = batch.length >> 1;
    if (half && [414, 422, 431].includes(error.status)) {
      ask(batch.slice(0, half));
      ask(batch.slice(half));
    } else for (const { reject } of batch) reject(error);
  }
}

// Clicks that are not confirmed, where all tabs see them.

const BOX = `agent-feedback ${ROUTES} `;
const LEASE_MS = 5_000;
const SETTLE_MS = 50; // until all tabs see it

const storage = attempt(() => localStorage) ?? {};
const memory = new Map(); // what must not be stored
const newId = () => Math.random().toString(36).slice(2);

export function put(click) {
  const at = Math.max(Date.now(), ...entries().map((each) => each.at + 1));
  const entry = { ...click, at, id: newId() };
  memory.set(entry.id, entry);
  keep(entry);
  return entry;
}

/** Whether a click can wait: only under the key of the person who made it. */
export function keep(entry) {
  if (entry.person === undefined) entry.person = knownPerson(); // null is nobody's key
  if (entry.person === undefined) return false;
  if (store(BOX + entry.id, entry)) memory.delete(entry.id);
  return true;
}

export function remove({ id }) {
  memory.delete(id);
  store(BOX + id);
}

export function entries() {
  const keys = Object.keys(storage).filter((key) => key.startsWith(BOX));
  return [...memory.values(), ...keys.map(stored)].filter((entry) => entry?.slot)
    .sort((one, other) => one.at - other.at);
}

export function onOtherTabs(hear) {
  addEventListener("storage", ({ key, oldValue, newValue }) => {
    if (key?.startsWith(BOX)) hear(JSON.parse(newValue ?? oldValue));
  });
}

const settle = (times = 1) => new Promise((done) => setTimeout(done, SETTLE_MS * times));

/** Runs `work` while no other runs in any tab. */
async function exclusively(what, work) {
  let begun;
  await navigator.locks?.request(BOX + what, () => (begun = work())).catch(() => {});
  if (begun) return begun;
  // No locks on plain HTTP, nor in other sites' frames: a lease.
  const name = `lease ${BOX}${what}`;
  const id = newId();
  const take = () => store(name, { id, until: Date.now() + LEASE_MS });
  while (stored(name)?.id !== id) {
    if (!(stored(name)?.until > Date.now()) && !take()) break;
    await settle(1 + Math.random()); // of two, the last one has it
  }
  const renewal = setInterval(take, LEASE_MS / 3);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    store(name);
  }
}

/** Clicks on one answer take turns; a slot's newest one counts. */
export function carryOut(entry, hasWaited) {
  const { target, slot } = entry;
  return exclusively(JSON.stringify(target), async () => {
    if (hasWaited) await settle();
    const clicks = entries().filter((each) =>
      each.slot === slot && each.person === entry.person && same(each.target, target));
    if (clicks.at(-1)?.id !== entry.id) return REPLACED;
    let answer;
    for (const step of requestsFor(entry, clicks)) answer = await request(...step);
    clicks.forEach(remove);
    return answer;
  });
}

export function detailOf({ slot, wanted, target }, { status, trace_id, client_request_id, assessment_id }) {
  const [kind, dimension = null] = slot.split(":");
  return {
    ...NOTHING, ...(kind === "thumb" ? wanted : { value: wanted }), dimension, status,
    traceId: target.trace_id ?? trace_id ?? null,
    clientRequestId: target.client_request_id ?? client_request_id ?? null,
    assessmentId: assessment_id ?? null,
  };
}

export function slotsOf(ratings) {
  const slots = { thumb: NOTHING };
  for (const { name, value, reasons, rationale } of ratings) {
    if (name === "user_feedback") {
      slots.thumb = { ...slots.thumb, value, reasons, rationale: rationale ?? "" };
    } else if (name === "expected_response") slots.thumb = { ...slots.thumb, correction: value };
    else slots[name.replace("user_", "stars:")] = value;
  }
  return slots;
}

// What is typed and not sent, oldest first.

const DRAFTS = `drafts ${BOX}`;
const MOST_DRAFTS = 20;

export const draftOf = (name) => stored(DRAFTS)?.[name];

/** Writes what changed here: another tab may have typed the rest, or more. */
export function keepDraft(name, before, now) {
  const { [name]: draft = {}, ...others } = stored(DRAFTS) ?? {};
  const changed = Object.keys({ ...before, ...now }).filter((each) => before[each] !== now[each]);
  if (!changed.length) return;
  for (const each of changed) {
    if (each in now) draft[each] = now[each];
    else if (draft[each] === before[each]) delete draft[each];
  }
  const all = Object.entries(Object.keys(draft)[0] ? { ...others, [name]: draft } : others);
  store(DRAFTS, all[0] && Object.fromEntries(all.slice(-MOST_DRAFTS)));
}

function attempt(what) {
  try {
    return what();
  } catch {}
}

const stored = (key) => attempt(() => JSON.parse(storage[key]));

const store = (key, value) => attempt(() => {
  if (value) storage[key] = JSON.stringify(value);
  else delete storage[key];
  return true;
});

export async function* readAgentStream(response) {
  const { ok, status, body } = response;
  if (!ok || !body) throw Object.assign(new Error(`The agent answered ${status}.`), { status });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (let isOver = false; !isOver;) {
      const { done, value } = await reader.read();
      isOver = done;
      rest += decoder.decode(value, { stream: !done });
      // A carriage return may be one half of a line ending.
      const held = !done && rest.endsWith("\r") ? "\r" : "";
      const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
      rest = lines.pop() + held;
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (!line && data.length) {
          const frame = data.join("\n");
          data = [];
          if (frame === "[DONE]") return;
          yield JSON.parse(frame);
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
