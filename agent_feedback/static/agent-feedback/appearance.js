export const STYLES = new CSSStyleSheet();
STYLES.replaceSync(`
  :host {
    --_accent: var(--agent-feedback-accent-color, light-dark(#1d5fbf, #8ab8f8));
    --_on-accent: var(--agent-feedback-on-accent-color, light-dark(#fff, #10243f));
    --_error: var(--agent-feedback-error-color, light-dark(#b3261e, #f4a9a3));
    --_star: var(--agent-feedback-star-color, light-dark(#a86400, #f0b95a));
    --_muted: var(--agent-feedback-muted-color, color-mix(in srgb, currentColor 72%, transparent));
    --_line: var(--agent-feedback-border-color, color-mix(in srgb, currentColor 24%, transparent));
    --_tint: color-mix(in srgb, var(--_accent) 14%, transparent);
    --_size: var(--agent-feedback-size, 2rem);
    --_radius: var(--agent-feedback-radius, .5rem);
    display: block;
    font-size: .875rem;
    line-height: 1.4;
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; font: inherit; color: inherit; margin: 0; }
  .row, .scale { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .375rem; }
  button, textarea { background: none; border: 1px solid var(--_line); border-radius: var(--_radius); }
  button { cursor: pointer; min-block-size: var(--_size); padding: 0 .75rem; }
  button:enabled:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
  :disabled { cursor: default; opacity: .45; }
  :focus-visible, .star:has(:focus-visible) { outline: 2px solid var(--_accent); outline-offset: 1px; }
  svg { display: block; inline-size: 1.25em; fill: none; stroke: currentColor;
    stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
  .dimension { min-block-size: var(--_size); }
  .icon { inline-size: var(--_size); padding: 0; display: grid; place-items: center; color: var(--_muted); }
  .link, .clear { border-color: #0000; }
  .down svg { rotate: 180deg; }
  [aria-pressed="true"] { color: var(--_accent); border-color: var(--_accent); background: var(--_tint); }
  .icon[aria-pressed="true"] svg { fill: color-mix(in srgb, currentColor 30%, transparent); }
  .link { padding: 0 .375rem; color: var(--_accent); text-decoration: underline; }
  .status, .muted { color: var(--_muted); }
  .failed { color: var(--_error); }
  .name { inline-size: 7.5rem; }
  .scale { gap: 0; }
  .star { position: relative; padding: .3125rem; border-radius: var(--_radius); color: var(--_muted); }
  input { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; opacity: 0 !important; cursor: pointer; }
  .on, .star:has(:enabled):hover, .star:has(~ .star :enabled:hover) { color: var(--_star); }
  .on svg { fill: currentColor; }
  form { display: grid; gap: .75rem; max-inline-size: 34rem; margin-block-start: .375rem;
    padding: .75rem; border: 1px solid var(--_line); border-radius: .75rem; }
  .text { display: block; margin-block-end: .25rem; color: var(--_muted); }
  .kept { max-inline-size: 34rem; max-block-size: 12rem; overflow: auto; padding: .25rem; margin: 0 -.25rem; }
  q { white-space: pre-wrap; overflow-wrap: anywhere; }
  .chip { border-radius: 2rem; min-block-size: 1.75rem; }
  textarea { display: block; inline-size: 100%; min-block-size: 2.25rem; max-block-size: 10rem;
    padding: .375rem .75rem; resize: vertical; field-sizing: content;
    border-color: var(--_muted); }
  .send, .send:enabled:hover { border-color: var(--_accent); background: var(--_accent); color: var(--_on-accent); }
  @media (pointer: coarse) {
    :host { --_size: var(--agent-feedback-size, 2.75rem); }
    .chip { min-block-size: 2.25rem; }
    .star { padding: .5rem; }
    textarea { font-size: max(1rem, 1em); }
  }
  @media (prefers-reduced-motion: no-preference) {
    button, .star { transition: .15s; }
    [aria-pressed="true"] svg { animation: press .25s; }
    @keyframes press { 40% { scale: 1.2; } }
  }
  @media (forced-colors: active) {
    [aria-pressed="true"], .on { color: Highlight; outline: 1px solid; }
  }
`);

const icon = (path) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`;
const THUMB = icon("M7 10.5V20H4v-9.5zm0 0 4.2-7.3a2 2 0 0 1 2.8 2.3L13.2 9h5.3a2 2 0 0 1 2 2.4l-1.3 7a2 2 0 0 1-2 1.6H7");
const STAR = icon("m12 3.6 2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8-4.2-4.1 5.8-.8z");

const template = (html) => Object.assign(document.createElement("template"), { innerHTML: html }).content;

export const WHOLE = template(`<div role="group" data-name="group">
  <div class="row" part="row">
    <button type="button" class="icon up" part="thumb up" data-name="good">${THUMB}</button>
    <button type="button" class="icon down" part="thumb down" data-name="bad">${THUMB}</button>
    <button type="button" class="link more" part="more"></button>
    <p class="status" part="status" role="status"></p>
    <button type="button" class="link again" part="again" data-label="again"></button>
  </div>
  <div class="kept" part="kept"><div class="row"><span class="muted" data-label="yourCorrection"></span>
    <button type="button" class="link drop" part="drop" data-label="withdrawCorrection"></button></div>
    <q></q></div>
  <div class="stars" part="stars"></div>
  <form part="form">
    <div role="group" aria-labelledby="why" class="reasons" part="reasons">
      <span class="text why" id="why"></span><div class="row chips"></div></div>
    <label class="comment" part="comment"><span class="text" data-label="comment"></span>
      <textarea rows="1" part="field" name="rationale"></textarea></label>
    <label class="correction" part="correction"><span class="text" data-label="correction"></span>
      <textarea rows="1" part="field" name="correction"></textarea></label>
    <div class="row"><button class="send" part="send" data-label="send"></button>
      <button type="button" class="link discard" part="discard"></button></div>
  </form></div>`);
export const CHIP = template(`<button type="button" class="chip" part="chip"></button>`);
export const SCALE = template(`<div class="row dimension" part="dimension">
  <span class="name" aria-hidden="true"></span><div class="scale" role="radiogroup"></div>
  <button type="button" class="icon clear" part="clear">${icon("m7 7 10 10M17 7 7 17")}</button></div>`);
export const RADIO = template(`<span class="star" part="star">${STAR}<input type="radio"></span>`);

export const make = (kind) => kind.firstElementChild.cloneNode(true);

export const ENGLISH = {
  lang: "en",
  group: "Rate this answer",
  good: "Good answer",
  bad: "Bad answer",
  addDetails: "Add details",
  editDetails: "Edit details",
  draft: "Continue your draft",
  whyGood: "What was good?",
  whyBad: "What was wrong?",
  comment: "Comment (optional)",
  correction: "What should it have said? (optional)",
  send: "Send",
  discard: "Discard draft",
  undo: "Undo",
  close: "Close",
  stars: "{stars} of {scale} stars",
  clear: "Withdraw the stars: {dimension}",
  saving: "Saving…",
  saved: "Thank you. Saved.",
  pending: "Thank you. Saved, on its way.",
  withdrawn: "Rating withdrawn.",
  kept: "Rating withdrawn. Your correction stays.",
  yourCorrection: "Your correction",
  withdrawCorrection: "Withdraw the correction",
  waiting: "Not sent yet: kept here until the server can be reached.",
  failed: "Not saved: {reason}",
  notReached: "the server was not reached.",
  someoneElse: "Not sent: someone else is signed in now.",
  again: "Try again",
  unavailable: "This answer cannot be rated.",
  dimensions: {},
  reasons: {},
  errors: {},
  goodReasons: ["correct", "complete", "easy to follow"],
  badReasons: ["incorrect", "incomplete", "out of date", "off topic", "unsafe"],
};

/** The attribute `labels` is JSON, or the id of a block of it. */
export function labelsOf(element) {
  const labels = element.getAttribute("labels") ?? "agent-feedback-labels";
  const block = element.querySelector("script") ?? document.getElementById(labels);
  return { ...ENGLISH, ...JSON.parse(labels[0] === "{" ? labels : block?.textContent ?? "{}") };
}

export const textOf = (labels, { note, message, status }) => fill(labels[note] ?? "",
  { reason: labels.errors[status] || message || status || labels.notReached });

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

export function named(name, labels) {
  const words = labels[name] ?? name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
