// @ts-check
/** The page's own words in both languages. Elements carry the key of theirs, so that a switch needs no reload. */

/** @typedef {"zh" | "en"} Language */

/** @type {Record<Language, Record<string, any>>} */
let all;
/** @type {Language} */
let current = "zh";

/** Changes that every word must follow. */
export const changes = new EventTarget();

/**
 * @param {Record<Language, Record<string, any>>} words
 * @param {Language} language
 */
export function setup(words, language) {
  all = words;
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

/** @returns {Language} */
export function language() {
  return current;
}

/** @param {Language} language */
export function speak(language) {
  setup(all, language);
  changes.dispatchEvent(new Event("language"));
}

/**
 * The words of a key, their `{names}` filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function words(key, values = {}) {
  const text = all[current][key];
  if (typeof text !== "string") return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there are words for this key. @param {string} key */
export function known(key) {
  return key in all[current];
}

/** What says that a machine answers: a label that is some language's usual one is told in the reader's. @param {string} own the shop's */
export function label(own) {
  return Object.values(all).some((each) => each.label === own) ? words("label") : own;
}

/** @param {string} key @returns {string[]} */
export function list(key) {
  return all[current][key];
}

/**
 * Gives an element its words, now and after every switch: `{ text, label, placeholder }` → key.
 * @template {HTMLElement} T
 * @param {T} node
 * @param {{ text?: string, label?: string, placeholder?: string }} keys
 * @returns {T}
 */
export function worded(node, keys) {
  if (keys.text) node.dataset.text = keys.text;
  if (keys.label) node.dataset.label = keys.label;
  if (keys.placeholder) node.dataset.placeholder = keys.placeholder;
  translate(node);
  return node;
}

/** @param {HTMLElement} node */
function translate(node) {
  const { text, label, placeholder } = node.dataset;
  if (text) node.textContent = words(text);
  if (label) {
    node.setAttribute("aria-label", words(label));
    if (node instanceof HTMLButtonElement) node.title = words(label);
  }
  if (placeholder) node.setAttribute("placeholder", words(placeholder));
}

/** All words below a node anew. @param {HTMLElement} root */
export function retranslate(root) {
  for (const node of root.querySelectorAll("[data-text],[data-label],[data-placeholder]")) {
    if (node instanceof HTMLElement) translate(node);
  }
}

/** Seconds as a person reads them: 12 ms, 0.4 s, 1 min 5 s. What rounds to the next unit is told in it. @param {number} seconds */
export function duration(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds < 100) return `${milliseconds} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** @param {number} at milliseconds */
export function clock(at) {
  return new Date(at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** @param {number} at milliseconds */
export function day(at) {
  const date = new Date(at);
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return words("today");
  now.setDate(now.getDate() - 1);
  if (date.toDateString() === now.toDateString()) return words("yesterday");
  return date.toLocaleDateString(document.documentElement.lang, { year: "numeric", month: "long", day: "numeric" });
}

/** @param {string} amount as a price tag has it */
export function price(amount) {
  return `¥${amount}`;
}
