/** Small helpers for making elements: text stays text, and nothing is parsed. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with these properties (attributes where the name has a dash) and children. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

/** A picture from the sprite; the words beside it, or the button's label, say what it means. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Makes `parent` hold these nodes, and leaves alone those that are there already. */
export function replaceChanged(parent, nodes) {
  const wanted = [...nodes];
  wanted.forEach((node, position) => {
    const present = parent.childNodes[position];
    if (!present) parent.append(node);
    // A selection in a paragraph outlives the paragraphs that stream in below it.
    else if (!present.isEqualNode(node)) present.replaceWith(node);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}
