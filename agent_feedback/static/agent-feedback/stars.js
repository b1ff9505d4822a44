/** One dimension in stars: a radio group whose choice can be taken back. */

import { fill, named } from "./labels.js";
import { icon, make } from "./look.js";

const STEP = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * @param dimension The dimension's name, as the server knows it.
 * @param scale How many stars there are.
 * @param choose Called with a number of stars, or null when they are withdrawn.
 */
export function makeStars(dimension, scale, labels, choose) {
  const name = named(dimension, labels.dimensions);
  let chosen = null;
  const inputs = Array.from({ length: scale }, (_, index) => make("input", {
    type: "radio",
    name: dimension,
    "aria-label": fill(labels.stars, { stars: index + 1, scale }),
    onclick: (event) => {
      if (event.detail > 1) return; // the second half of a double click
      choose(index + 1 === chosen ? null : index + 1);
    },
  }));
  const clear = make("button", {
    type: "button", class: "clear", part: "clear", hidden: true,
    "aria-label": fill(labels.clear, { dimension: name }),
    title: fill(labels.clear, { dimension: name }),
    onclick: () => {
      choose(null);
      inputs[0].focus();
    },
  }, icon("cross"));
  const stars = inputs.map((input) => make("span", { class: "star", part: "star" }, icon("star"), input));
  const scaleNode = make("div", {
    class: "scale", role: "radiogroup", "aria-label": name, onkeydown: onKey,
  }, ...stars);

  function onKey(event) {
    const at = inputs.indexOf(event.target);
    if (["Delete", "Backspace"].includes(event.key) && chosen !== null) choose(null);
    else if (STEP[event.key] && getComputedStyle(scaleNode).direction === "rtl") {
      // Browsers take "right" for "next" in every language; here it is what the eye sees.
      const next = inputs[(at - STEP[event.key] + inputs.length) % inputs.length];
      next.focus();
      next.click();
    } else return;
    event.preventDefault();
  }

  return {
    node: make("div", { class: "dimension", part: "dimension" },
      make("span", { class: "name", text: name, "aria-hidden": "true" }), scaleNode, clear),
    show(value, isDisabled) {
      chosen = value === null ? null : Math.round(value);
      inputs.forEach((input, index) => {
        input.checked = index + 1 === chosen;
        input.disabled = isDisabled;
        stars[index].classList.toggle("on", index < chosen);
      });
      clear.hidden = chosen === null || isDisabled;
    },
  };
}
