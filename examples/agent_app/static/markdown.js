/**
 * Renders the little Markdown that answers use: paragraphs, lists, code, emphasis.
 *
 * It makes nodes and sets their text; what an answer says is never parsed as HTML. A half-written
 * answer renders as well: a code block that has not ended yet runs to the end.
 */

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\([^)\s]*\)/g;
const FENCE = /^\s*(?:```|~~~)/;
const BULLET = /^\s*[-*+](?:\s+|$)/;
const NUMBER = /^\s*\d+[.)](?:\s+|$)/;
const HEADING = /^#{1,6}\s+/;

/** The text as a fragment of elements. */
export function renderMarkdown(text) {
  const page = document.createDocumentFragment();
  let paragraph = null;
  let list = null;
  let code = null;
  for (const line of text.split("\n")) {
    if (FENCE.test(line)) {
      code = code ? null : page.appendChild(element("pre")).appendChild(element("code"));
      paragraph = list = null;
    } else if (code) {
      code.append(code.childNodes.length ? `\n${line}` : line);
    } else if (!line.trim()) {
      paragraph = list = null;
    } else if (BULLET.test(line) || NUMBER.test(line)) {
      const name = BULLET.test(line) ? "ul" : "ol";
      if (list?.localName !== name) list = page.appendChild(element(name));
      paragraph = list.appendChild(element("li"));
      paragraph.append(...inline(line.replace(BULLET, "").replace(NUMBER, "")));
    } else {
      if (!paragraph) paragraph = page.appendChild(element("p"));
      else paragraph.append(" ");
      paragraph.append(...inline(line.replace(HEADING, "")));
    }
  }
  return page;
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index));
    const [all, code, strong, emphasis, link] = match;
    if (code) nodes.push(element("code", code));
    else if (strong) nodes.push(withInline("strong", strong));
    else if (emphasis) nodes.push(withInline("em", emphasis));
    // A document's links are relative to the document, not to this page: the words stay.
    else nodes.push(...inline(link));
    end = match.index + all.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

function withInline(name, text) {
  const node = element(name);
  node.append(...inline(text));
  return node;
}

function element(name, text = "") {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}
