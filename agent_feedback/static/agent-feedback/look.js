/** How the component looks, and the nodes it is made of. */

export const STYLES = new CSSStyleSheet();
STYLES.replaceSync(`
  :host {
    --_accent: var(--agent-feedback-accent-color, #1d5fbf);
    --_on-accent: var(--agent-feedback-on-accent-color, #fff);
    --_error: var(--agent-feedback-error-color, #b3261e);
    --_muted: var(--agent-feedback-muted-color, color-mix(in srgb, currentColor 72%, transparent));
    --_line: var(--agent-feedback-border-color, color-mix(in srgb, currentColor 24%, transparent));
    --_field: var(--agent-feedback-field-border-color, color-mix(in srgb, currentColor 54%, transparent));
    --_star: var(--agent-feedback-star-color, #a86400);
    --_size: var(--agent-feedback-size, 2rem);
    --_radius: var(--agent-feedback-radius, .5rem);
    display: block;
    color: var(--agent-feedback-color, inherit);
    font: inherit;
    font-size: var(--agent-feedback-font-size, .875rem);
    line-height: 1.4;
  }
  @supports (color: light-dark(#000, #fff)) {
    :host {
      --_accent: var(--agent-feedback-accent-color, light-dark(#1d5fbf, #8ab8f8));
      --_on-accent: var(--agent-feedback-on-accent-color, light-dark(#fff, #10243f));
      --_error: var(--agent-feedback-error-color, light-dark(#b3261e, #f4a9a3));
      --_star: var(--agent-feedback-star-color, light-dark(#a86400, #f0b95a));
    }
  }
  :host([theme="light"]) { color-scheme: light; }
  :host([theme="dark"]) { color-scheme: dark; }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  .row, .actions, .chips, .scale, .dimension { display: flex; flex-wrap: wrap; align-items: center; }
  .row { gap: .25rem .375rem; min-block-size: var(--_size); }
  button, textarea { font: inherit; color: inherit; margin: 0; background: transparent;
    border: 1px solid var(--_line); border-radius: var(--_radius); }
  button { cursor: pointer; min-block-size: var(--_size); padding: .125rem .75rem; }
  button:hover:not(:disabled) { background: color-mix(in srgb, currentColor 8%, transparent); }
  button:disabled { cursor: default; opacity: .45; }
  :focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  svg { display: block; inline-size: 1.125rem; block-size: 1.125rem; fill: none;
    stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }

  .thumb { inline-size: var(--_size); padding: 0; display: grid; place-items: center;
    border-color: transparent; color: var(--_muted); }
  .down svg { transform: rotate(180deg); }
  [aria-pressed="true"] { color: var(--_accent); }
  .thumb[aria-pressed="true"] { background: color-mix(in srgb, var(--_accent) 14%, transparent); }
  .thumb[aria-pressed="true"] svg { fill: color-mix(in srgb, currentColor 30%, transparent); }
  .link { border-color: transparent; padding-inline: .375rem; color: var(--_accent);
    text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: .2em; }
  .status { margin: 0; padding-inline: .25rem; color: var(--_muted); text-wrap: pretty; }
  .status.failed { color: var(--_error); }
  .status:empty { padding: 0; }

  .dimension { gap: 0 .75rem; min-block-size: var(--_size); }
  .dimension .name { flex: 0 1 7.5rem; overflow-wrap: anywhere; }
  .scale { position: relative; }
  .star { position: relative; display: grid; place-items: center; inline-size: 1.75rem;
    block-size: 1.75rem; border-radius: var(--_radius); color: var(--_muted); }
  .star input { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; margin: 0;
    opacity: 0; cursor: pointer; }
  .star input:disabled { cursor: default; }
  .star:has(:disabled) { opacity: .45; }
  .star:has(:focus-visible) { outline: 2px solid var(--_accent); outline-offset: -1px; }
  .star.on { color: var(--_star); }
  .star.on svg { fill: currentColor; }
  .star:hover:not(:has(:disabled)), .star:has(~ .star:hover):not(:has(:disabled)) {
    color: var(--_star); }
  .clear { border-color: transparent; padding: 0; inline-size: 1.75rem; min-block-size: 1.75rem;
    display: grid; place-items: center; color: var(--_muted); }
  .clear svg { inline-size: .875rem; block-size: .875rem; }

  form { display: grid; gap: .75rem; max-inline-size: 34rem; margin-block-start: .375rem;
    padding: .75rem; border: 1px solid var(--_line); border-radius: calc(var(--_radius) * 1.5); }
  fieldset { border: 0; margin: 0; padding: 0; min-inline-size: 0; }
  legend, label > span { padding: 0; margin-block-end: .25rem; color: var(--_muted); }
  label > span { display: block; }
  .chips { gap: .375rem; }
  .chip { border-radius: 2rem; padding-inline: .75rem; min-block-size: 1.75rem; }
  .chip[aria-pressed="true"] { border-color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 14%, transparent); }
  textarea { display: block; inline-size: 100%; min-block-size: 2.25rem; max-block-size: 10rem;
    padding: .4375rem .625rem; resize: vertical; field-sizing: content; line-height: inherit;
    border-color: var(--_field); }
  textarea:focus-visible { outline-offset: -1px; }
  .actions { gap: .5rem; }
  .send { border-color: var(--_accent); background: var(--_accent); color: var(--_on-accent); }
  .send:hover:not(:disabled) { background: color-mix(in srgb, var(--_accent) 88%, currentColor); }

  @media (pointer: coarse) {
    :host { --_size: var(--agent-feedback-size, 2.75rem); }
    .chip { min-block-size: 2.25rem; }
    .star { inline-size: 2.25rem; block-size: 2.25rem; }
    textarea { font-size: max(1rem, 1em); }
  }
  @media (prefers-reduced-motion: no-preference) {
    button, .star { transition: background-color .15s, color .15s, border-color .15s; }
    .thumb[aria-pressed="true"] svg { animation: press .25s ease-out; }
    form:not([hidden]) { animation: open .18s ease-out; }
    @keyframes press { 40% { scale: 1.22; } }
    @keyframes open { from { opacity: 0; translate: 0 -.25rem; } }
  }
  @media (forced-colors: active) {
    [aria-pressed="true"] { outline: 2px solid Highlight; outline-offset: -2px; }
    .star.on { color: Highlight; }
  }
`);

const ICONS = {
  thumb: "M7 10.5v9.5H4v-9.5zm0 0 4.2-7.3a2 2 0 0 1 2.8 2.3L13.2 9h5.3a2 2 0 0 1 2 2.4l-1.3 7a2 2 0 0 1-2 1.6H7",
  star: "m12 3.6 2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8-4.2-4.1 5.8-.8z",
  cross: "M6 6l12 12M18 6 6 18",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = svg.appendChild(document.createElementNS(space, "path"));
  path.setAttribute("d", ICONS[name]);
  return svg;
}

/** An element: attributes by their names, listeners as `onclick`, children last. */
export function make(name, { text, ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(attribute.slice(2), value);
    else if (value === true) node.setAttribute(attribute, "");
    else if (value !== false) node.setAttribute(attribute, value);
  }
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

/** Sets only what is different, so that nothing is announced or animated twice. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") {
      if (node.textContent !== value) node.textContent = value;
    } else if (node.getAttribute(name) !== value) {
      node.setAttribute(name, value);
    }
  }
}
