/**
 * Renders the little Markdown that answers use: paragraphs, lists, tables, code, emphasis, links.
 *
 * It makes nodes and sets their text; what an answer says is never parsed as HTML. A half-written
 * answer renders as well: a code block that has not ended yet runs to the end.
 */

import { make } from "/static/dom.js";

const INLINE =
  /`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]*)\)|\s?\[(\d{1,2})\]/g;
const FENCE = /^\s*(?:```|~~~)/;
const BULLET = /^\s*[-*+](?:\s+|$)/;
const NUMBER = /^\s*\d+[.)](?:\s+|$)/;
const HEADING = /^#{1,6}\s+/;
const ROW = /^\s*\|/;
// A question that the agent offers: the chat page asks it.
const QUESTION = /^\/\?ask=[\w%.~-]+$/;
const RULE = /^[\s|:-]+$/;

/**
 * The text as a list of nodes.
 *
 * @param {string} text
 * @param {(number: number) => Node | null} cite makes what stands for a citation such as `[1]`
 */
export function renderMarkdown(text, cite = () => null) {
  return new Renderer(cite).render(text);
}

class Renderer {
  #cite;
  #page = document.createDocumentFragment();
  #paragraph = null; // what a line without a mark continues
  #list = null;
  #table = null;
  #code = null;

  constructor(cite) {
    this.#cite = cite;
  }

  render(text) {
    for (const line of text.split("\n")) this.#line(line);
    return this.#page.childNodes;
  }

  #line(line) {
    if (FENCE.test(line)) this.#fence();
    else if (this.#code) this.#code.append(this.#code.childNodes.length ? `\n${line}` : line);
    else if (!line.trim()) this.#paragraph = this.#list = this.#table = null;
    else if (ROW.test(line)) this.#row(line);
    else if (BULLET.test(line)) this.#item("ul", line.replace(BULLET, ""));
    else if (NUMBER.test(line)) this.#item("ol", line.replace(NUMBER, ""));
    else if (HEADING.test(line)) this.#heading(line.replace(HEADING, ""));
    else this.#continue(line.trim());
  }

  #fence() {
    const isEnd = this.#code !== null;
    this.#code = isEnd ? null : make("code");
    // What scrolls sideways has to take the keyboard's focus, and so a name.
    if (!isEnd) this.#add(make("pre", { tabIndex: 0, role: "region", "aria-label": "Code" }, this.#code));
    this.#paragraph = this.#list = this.#table = null;
  }

  #item(name, text) {
    if (this.#list?.localName !== name) this.#list = this.#add(make(name));
    this.#paragraph = make("li", {}, ...this.#inline(text));
    this.#list.append(this.#paragraph);
  }

  #heading(text) {
    this.#add(make("p", { className: "heading" }, make("strong", {}, ...this.#inline(text))));
    this.#paragraph = this.#list = null;
  }

  #row(line) {
    const cells = line.trim().replace(/^\||\|$/g, "").split("|");
    if (!this.#table) {
      this.#table = make("tbody");
      const names = cells.map((cell) => make("th", {}, ...this.#inline(cell.trim())));
      const table = make("table", {}, make("thead", {}, make("tr", {}, ...names)), this.#table);
      this.#add(make("div", { className: "table", tabIndex: 0, role: "region", "aria-label": "Table" }, table));
    } else if (!RULE.test(line)) {
      this.#table.append(
        make("tr", {}, ...cells.map((cell) => make("td", {}, ...this.#inline(cell.trim())))),
      );
    }
  }

  #continue(text) {
    if (this.#paragraph) this.#paragraph.append(" ");
    else this.#paragraph = this.#add(make("p"));
    this.#paragraph.append(...this.#inline(text));
  }

  #add(node) {
    this.#page.append(node);
    return node;
  }

  #inline(text) {
    const nodes = [];
    let end = 0;
    for (const match of text.matchAll(INLINE)) {
      nodes.push(text.slice(end, match.index), ...this.#marked(match));
      end = match.index + match[0].length;
    }
    nodes.push(text.slice(end));
    return nodes.filter((node) => node !== "");
  }

  #marked([all, code, strong, emphasis, words, address, number]) {
    if (code) return [make("code", { textContent: code })];
    if (strong) return [make("strong", {}, ...this.#inline(strong))];
    if (emphasis) return [make("em", {}, ...this.#inline(emphasis))];
    if (number) return [this.#cite(Number(number)) ?? all];
    if (QUESTION.test(address)) return [make("a", { href: address }, ...this.#inline(words))];
    // A document's own links are relative to the document, not to this page: the words stay.
    if (!/^https?:\/\//.test(address)) return this.#inline(words);
    const link = { href: address, target: "_blank", rel: "noreferrer" };
    return [make("a", link, ...this.#inline(words))];
  }
}
