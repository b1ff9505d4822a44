/** What can be said about an answer, and what has to be sent so that the server says the same. */

/** The thumb's slot before anything was said. */
export const NOTHING = Object.freeze({
  value: null, reasons: Object.freeze([]), rationale: "", correction: "",
});

/** The server's list of one answer's ratings, by slot. */
export function asSlots(ratings) {
  const named = Object.fromEntries(ratings.map((rating) => [rating.name, rating]));
  const {
    user_feedback: thumb, user_comment: comment, expected_response: correction, ...others
  } = named;
  const said = thumb ?? comment;
  const slots = { thumb: NOTHING };
  if (said || correction) {
    slots.thumb = {
      value: thumb?.value ?? null,
      reasons: said?.reasons ?? [],
      rationale: said?.rationale ?? "",
      correction: correction?.value ?? "",
    };
  }
  for (const [name, { value }] of Object.entries(others)) {
    if (name.startsWith("user_")) slots[`stars:${name.slice(5)}`] = value;
  }
  return slots;
}

/** Which of the server's three ratings a thumb's slot makes. */
export function whatThereIs({ value, rationale, correction }) {
  return {
    ...(value !== null && { thumb: true }),
    ...(value === null && rationale && { comment: true }),
    ...(correction && { correction: true }),
  };
}

/**
 * The requests that make the server say what a click says, whatever it says now: what there is
 * according to the click, and what clicks before it may have made, is withdrawn unless it is
 * said again.
 */
export function requestsFor({ target, slot, wanted }, clicks) {
  const [kind, name] = slot.split(":");
  const post = (body) => ["POST", "", { ...target, ...body }];
  const withdraw = (dimension) =>
    ["DELETE", `?${new URLSearchParams({ ...target, ...(dimension && { dimension }) })}`];
  if (kind === "signal") return [post({ signal: name })];
  if (kind === "stars") {
    return [wanted ? post({ dimension: name, value: wanted }) : withdraw(name)];
  }
  const wants = whatThereIs(wanted);
  const had = Object.assign({}, ...clicks.flatMap((click) =>
    [click.had, whatThereIs(click.wanted)]));
  const requests = [];
  if (Object.keys(wants).length) requests.push(post(bodyOf(wanted)));
  else if (!had.comment || had.thumb) requests.push(withdraw());
  if (wants.comment && had.thumb) requests.push(withdraw());
  if (had.comment && !wants.comment) requests.push(withdraw("comment"));
  if (had.correction && !wants.correction) requests.push(withdraw("expected_response"));
  return requests;
}

function bodyOf({ value, reasons, rationale, correction }) {
  return {
    ...(value !== null && { value }),
    ...(rationale && { rationale }),
    ...(reasons.length && (value !== null || rationale) && { reasons }),
    ...(correction && { correction }),
  };
}
