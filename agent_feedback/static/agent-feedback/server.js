/** HTTP to the feedback routes. Where this file came from is where ratings are sent. */

export const ROUTES = new URL("..", import.meta.url).href.replace(/\/$/, "");

const PATIENCE_MS = 20_000;
const GATHER_MS = 10; // components that appear together share one request
const MOST_TARGETS = 100; // the server's limit
const LONGEST_QUERY = 6_000; // what any proxy lets pass

/** Answers that say: not now. What was sent is worth keeping and sending again. */
const NOT_NOW = [408, 425, 429, 502, 503, 504];

/**
 * The request was not carried out. `status` is HTTP's, 0 where the server was not reached;
 * `isAway` says whether waiting will help, `retryAfter` (seconds) how long to wait.
 */
export class RequestFailed extends Error {
  constructor(status, reason, retryAfter) {
    super(reason);
    Object.assign(this, { status, retryAfter, isAway: !status || NOT_NOW.includes(status) });
  }
}

export async function request(method, path, body) {
  let response, answer;
  try {
    response = await fetch(ROUTES + path, {
      method,
      headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      cache: "no-store",
      keepalive: method !== "GET", // a click on the way out is still a click
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    answer = parse(text);
  } catch {
    throw new RequestFailed(0, "");
  }
  if (response.ok && answer) return answer;
  // A page instead of JSON comes from something that stands in for the server: a login, a proxy.
  const status = response.ok ? 0 : response.status;
  const reason = typeof answer?.detail === "string" ? answer.detail : "";
  throw new RequestFailed(status, reason, Number(response.headers.get("Retry-After")) || undefined);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// -- settings -----------------------------------------------------------------------------------

let known; // the newest settings
let asking; // the request that is under way

/** The server's settings: as they are known, or asked for now. */
export function settings({ fresh = false } = {}) {
  if (known && !fresh) return Promise.resolve(known);
  asking ??= request("GET", "/settings")
    .then((found) => (known = found))
    .finally(() => (asking = undefined));
  return asking;
}

/** The opaque key of who is signed in: null for nobody, undefined while it is unknown. */
export const knownPerson = () => known?.person;

// -- reading ratings back -------------------------------------------------------------------------

let questions = [];

/** This person's ratings of one answer. Questions that come together are one request. */
export function ratingsOf(target) {
  return new Promise((resolve, reject) => {
    if (!questions.length) setTimeout(askAll, GATHER_MS);
    questions.push({ target, resolve, reject });
  });
}

/** Whether a rating that the server tells of is one of this target. */
export function isRatingOf(rating, { trace_id: trace, client_request_id: turn }) {
  if (!trace) return rating.client_request_id === turn;
  // A bare id comes back with its location in front.
  return [trace, `tr-${trace}`].includes(rating.trace_id) || rating.trace_id.endsWith(`/${trace}`);
}

function askAll() {
  let batch = [];
  for (const question of questions.splice(0)) {
    if (batch.length === MOST_TARGETS || query([...batch, question]).length > LONGEST_QUERY) {
      ask(batch);
      batch = [];
    }
    batch.push(question);
  }
  ask(batch);
}

async function ask(batch) {
  let found;
  try {
    found = await request("GET", query(batch));
  } catch (error) {
    if (error.status === 422 && batch.length > 1) {
      // One id without a form that the server knows would leave everybody without an answer.
      const half = batch.length >> 1;
      ask(batch.slice(0, half));
      ask(batch.slice(half));
    } else {
      for (const { reject } of batch) reject(error);
    }
    return;
  }
  const traces = batch.filter(({ target }) => target.trace_id);
  for (const question of batch) {
    const mine = found.filter((rating) => isRatingOf(rating, question.target));
    // A request's id may occur twice and means the newest answer: what was asked for by its
    // trace may be an older one.
    const isUnclear = question.target.client_request_id
      && mine.some((rating) => traces.some(({ target }) => isRatingOf(rating, target)));
    if (isUnclear) ask([question]);
    else question.resolve(mine);
  }
}

const query = (batch) => `?${new URLSearchParams(batch.flatMap((q) => Object.entries(q.target)))}`;
