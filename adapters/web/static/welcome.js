// @ts-check
/** The first visit: a greeting, questions to tap, and photos that show the whole idea in one tap. */

import { el } from "./dom.js";
import { label, language, list, words } from "./words.js";

/**
 * @param {any} page
 * @param {{ say: (text: string) => void, show: (picture: string, text: string) => void }} act
 * @returns {HTMLElement}
 */
export function welcome(page, act) {
  const { shop } = page;
  const questions = page.questions[language()]?.length ? page.questions[language()] : list("questions");
  const note = page.demonstration ? page.note[language()] : "";
  return el(
    "section",
    { class: "welcome" },
    el("span", { class: "avatar large", "aria-hidden": "true" }, [...shop.name][0]),
    el("h2", {}, ...whole(words("greeting", { shop: shop.name, label: label(shop.label) }), shop.name)),
    el("p", {}, words("greetingMore")),
    note ? el("p", { class: "note" }, ...whole(note, shop.name)) : null,
    el("div", { class: "chips" }, ...questions.map((/** @type {string} */ text) => el("button", { type: "button", class: "chip", onclick: () => act.say(text) }, text))),
    page.examples.length
      ? el(
          "div",
          { class: "examples" },
          el("h3", {}, words("try")),
          el(
            "div",
            { class: "strip" },
            ...page.examples.map((/** @type {any} */ example) =>
              el(
                "button",
                { type: "button", class: "example", onclick: () => act.show(example.picture, example[language()]) },
                el("img", { src: example.picture, alt: "", width: 104, height: 104, draggable: "false" }),
                el("span", {}, example[language()]),
              ),
            ),
          ),
        )
      : null,
    shop.contact ? el("p", { class: "quiet" }, words("contact", { contact: shop.contact })) : null,
  );
}

/** A text in which a name does not break where another line would fit it. @param {string} text @param {string} name */
function whole(text, name) {
  for (const held of [`「${name}」`, name]) {
    const parts = text.split(held);
    if (parts.length > 1) return parts.flatMap((part, at) => (at ? [el("span", { class: "whole" }, held), part] : [part]));
  }
  return [text];
}
