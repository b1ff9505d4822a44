/** What the component says. English is built in; a page may bring any other language. */

export const ENGLISH = {
  lang: "en",
  group: "Rate this answer",
  good: "Good answer",
  bad: "Bad answer",
  addDetails: "Add details",
  editDetails: "Edit details",
  whyGood: "What was good?",
  whyBad: "What was wrong?",
  comment: "Comment (optional)",
  correction: "What should it have said? (optional)",
  send: "Send",
  close: "Close",
  stars: "{stars} of {scale} stars",
  clear: "Withdraw the stars for {dimension}",
  saving: "Saving…",
  saved: "Thank you. Saved.",
  pending: "Thank you. Saved, on its way.",
  withdrawn: "Rating withdrawn.",
  waiting: "Not sent yet. It is kept here and sent once the server can be reached.",
  notSaved: "Not saved: {reason}",
  notReached: "the server was not reached.",
  someoneElse: "Not sent: someone else is signed in now.",
  again: "Try again",
  unavailable: "This answer cannot be rated.",
  dimensions: {}, // name → label; what is not here is shown as it is called
  reasons: {},
  errors: {}, // HTTP status → reason; else what the server says, in English
  goodReasons: ["correct", "complete", "easy to follow"],
  badReasons: ["incorrect", "incomplete", "out of date", "off topic", "unsafe"],
};

const isList = (name) => Array.isArray(ENGLISH[name]);

/** Attribute → label: `label-add-details` → `addDetails`, `good-reasons` → `goodReasons`. */
export const LABEL_ATTRIBUTES = new Map(
  Object.keys(ENGLISH).filter((name) => name !== "lang" && (isList(name) || text(name)))
    .map((name) => [`${isList(name) ? "" : "label-"}${name.replace(/[A-Z]/g, "-$&")}`.toLowerCase(), name]),
);

/**
 * The labels of one component. Attributes win over its JSON block, which is a
 * `<script type="application/json">` inside it, or the one whose id its `labels` attribute names,
 * or the page's own with the id `agent-feedback-labels`; English stands for what is missing.
 */
export function labelsOf(element) {
  const id = element.getAttribute("labels") ?? "agent-feedback-labels";
  const block = element.querySelector('script[type="application/json"]')
    ?? element.getRootNode().getElementById?.(id) ?? document.getElementById(id);
  const labels = { ...ENGLISH, ...(block && JSON.parse(block.textContent)) };
  for (const [attribute, name] of LABEL_ATTRIBUTES) {
    const said = element.getAttribute(attribute);
    if (said !== null) labels[name] = isList(name) ? said.split(",").map((each) => each.trim()) : said;
  }
  return labels;
}

/** The chips for a thumb; a reason that neither list names fits both. */
export function reasonsFor(value, reasons, { goodReasons, badReasons }) {
  const [own, others] = value ? [goodReasons, badReasons] : [badReasons, goodReasons];
  return reasons.filter((reason) => own.includes(reason) || !others.includes(reason));
}

/** What a status says. */
export function textOf(labels, { note, reason, code }) {
  if (!note || !labels[note]) return "";
  const why = labels.errors[code] ?? reason ?? "";
  return fill(labels[note], { reason: why || (code ? `${code}` : labels.notReached) });
}

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

/** `easy_to_follow` → `Easy to follow`. */
export function named(name, labels) {
  const words = labels[name] ?? name.replaceAll("_", " ");
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}

function text(name) {
  return typeof ENGLISH[name] === "string";
}
