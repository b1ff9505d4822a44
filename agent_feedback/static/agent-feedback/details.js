/** The form behind a thumb: reasons, a comment, and what the answer should have said. */

import { named, reasonsFor } from "./labels.js";
import { make, set } from "./look.js";

const ONE_OF_MANY = 1;

/**
 * @param actions `choose(reasons)`, `send({rationale, correction})`, `close()`.
 */
export function makeDetails(actions) {
  const legend = make("legend");
  const chips = make("div", { class: "chips" });
  const reasons = make("fieldset", { part: "reasons" }, legend, chips);
  const [comment, commentLabel] = makeField("comment");
  const [correction, correctionLabel] = makeField("correction");
  const send = make("button", { type: "submit", class: "send", part: "send" });
  const close = make("button", { type: "button", class: "close link", part: "close", onclick: () => actions.close() });
  const node = make("form", {
    id: "details", part: "details", hidden: true, onsubmit: submit, onkeydown: onKey,
  }, reasons, comment, correction, make("div", { class: "actions" }, send, close));
  let drawn = "";
  let shown = {};

  function submit(event) {
    event.preventDefault();
    actions.send({
      rationale: fieldOf(comment).value.trim(),
      correction: correction.hidden ? "" : fieldOf(correction).value.trim(),
    });
  }

  function onKey(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      actions.close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      node.requestSubmit();
    }
  }

  function drawChips(value, known, labels) {
    const wanted = JSON.stringify([value, known, labels]);
    if (wanted === drawn) return;
    drawn = wanted;
    const names = value === null ? [] : reasonsFor(value, known, labels);
    chips.replaceChildren(...names.map((reason) => make("button", {
      type: "button", class: "chip", part: "reason", "data-reason": reason,
      text: named(reason, labels.reasons),
      onclick: (event) => event.detail > ONE_OF_MANY || actions.choose(reason),
    })));
    reasons.hidden = !names.length;
  }

  return {
    node,
    /** Fills the fields with what is saved, or with a text that could not be. */
    fill({ rationale, correction: text }) {
      fieldOf(comment).value = rationale;
      fieldOf(correction).value = text;
    },
    show(said, { reasons: known, limits }, labels) {
      drawChips(said.value, known, labels);
      for (const chip of chips.children) {
        set(chip, { "aria-pressed": String(said.reasons.includes(chip.dataset.reason)) });
      }
      set(legend, { text: said.value === false ? labels.whyBad : labels.whyGood });
      set(commentLabel, { text: labels.comment });
      set(correctionLabel, { text: labels.correction });
      correction.hidden = said.value !== false && !said.correction;
      fieldOf(comment).maxLength = limits.rationale;
      fieldOf(correction).maxLength = limits.correction;
      set(send, { text: labels.send });
      set(close, { text: labels.close });
      // What is saved replaces what is shown, unless the person has written something else.
      for (const [field, name] of [[comment, "rationale"], [correction, "correction"]]) {
        const area = fieldOf(field);
        if (area.value === (shown[name] ?? "")) area.value = said[name];
      }
      shown = said;
    },
  };
}

function makeField(name) {
  const label = make("span");
  return [make("label", { class: name, part: name }, label, make("textarea", { rows: 1 })), label];
}

const fieldOf = (label) => label.querySelector("textarea");
