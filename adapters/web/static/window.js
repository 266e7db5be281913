// @ts-check
/** Beside the chat, on wide screens and in a demonstration only: the shop's shelf, and the way of the last message. */

import { reason } from "./bubbles.js";
import { el } from "./dom.js";
import { duration, known, price, words } from "./words.js";

/** What a product that is dragged carries. */
export const DRAGGED = "application/x-shop-picture";

export class Window {
  /**
   * @param {any} page
   * @param {{ attach: (picture: string) => void, ask: (name: string) => void }} act
   */
  constructor(page, act) {
    this.page = page;
    this.act = act;
    /** @type {any[]} */
    this.products = [];
    /** @type {any} */
    this.trace = null;
    this.shelf = el("div", { class: "shelf" });
    this.way = el("section", { class: "way" });
    this.title = el("h2");
    this.note = el("p", { class: "quiet" });
    this.node = el("aside", { class: "window" }, el("section", { class: "goods" }, this.title, this.note, this.shelf), this.way);
  }

  async load() {
    const response = await fetch(new URL("shop.json", document.baseURI));
    if (response.ok) this.products = (await response.json()).products;
    this.draw();
  }

  /** @param {any} trace of the newest answer */
  show(trace) {
    if (trace === this.trace) return;
    this.trace = trace;
    this.#drawWay();
  }

  draw() {
    const { shop } = this.page;
    this.node.setAttribute("aria-label", words("window", { shop: shop.name }));
    this.title.textContent = words("window", { shop: shop.name });
    this.note.textContent = words("windowNote");
    this.shelf.replaceChildren(...this.products.map((product) => this.#card(product)));
    this.#drawWay();
  }

  /** @param {any} product */
  #card(product) {
    const picture = product.picture
      ? el("img", { src: product.picture, alt: "", width: 160, height: 160, loading: "lazy", draggable: "false" })
      : el("span", { class: "blank" }, [...product.name][0]);
    const open = el(
      "button",
      { type: "button", class: "pick", draggable: product.picture ? "true" : undefined, title: product.about, disabled: !product.picture, onclick: () => this.act.attach(product.picture) },
      picture,
      el("span", { class: "title" }, product.name),
      el("span", {}, el("span", { class: "price" }, price(product.price)), product.stock > 0 ? null : el("span", { class: "stock" }, ` ${words("soldOut")}`)),
    );
    open.addEventListener("dragstart", (event) => {
      event.dataTransfer?.setData(DRAGGED, product.picture);
      if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
    });
    const ask = el("button", { type: "button", class: "pill", "aria-label": `${words("ask")}: ${product.name}`, onclick: () => this.act.ask(product.name) }, words("ask"));
    return el("article", { class: product.stock > 0 ? "good" : "good out" }, open, ask);
  }

  #drawWay() {
    const title = el("h2", {}, words("way"));
    const { trace } = this;
    if (!trace) {
      this.way.replaceChildren(title, el("p", { class: "quiet" }, words("wayEmpty")));
      return;
    }
    this.way.replaceChildren(title, el("ol", {}, ...this.#steps()), ...this.#found());
  }

  /** The steps with their times. A prompt that follows neither the first facts nor a look-up is another attempt. */
  #steps() {
    /** @type {{ steps: [string, number][], stopped: string[] }} */
    const { steps, stopped } = this.trace;
    const longest = Math.max(0.001, ...steps.map(([, seconds]) => seconds));
    let [tries, stops] = [0, 0];
    return steps.flatMap(([name, seconds]) => {
      if (name === "look_up") tries = 0;
      if (name === "prompt") tries += 1;
      const bar = el("span", { class: "bar" });
      bar.style.width = `${Math.max(2, (100 * seconds) / longest)}%`;
      const step = el("li", {}, el("span", { class: "step" }, known(`step.${name}`) ? words(`step.${name}`) : name), el("span", { class: "track" }, bar), el("span", { class: "seconds" }, duration(seconds)));
      if (name !== "prompt" || tries < 2) return [step];
      return [el("li", { class: "attempt" }, words("attempt", { n: tries, why: reason(stopped[stops++] ?? "form") })), step];
    });
  }

  /** What was seen, used and stopped on the way. */
  #found() {
    const { seen, facts, stopped, model, prompt, reused, reply } = this.trace;
    /** @type {HTMLElement[]} */
    const lines = [];
    if (seen) {
      const defects = seen.defects.map((/** @type {string[]} */ defect) => defect.join(" "));
      const quality = known(`quality.${seen.quality}`) ? words(`quality.${seen.quality}`) : seen.quality;
      lines.push(line("seen", [seen.colour, seen.pattern, seen.kind, words("count", { n: seen.count }), ...defects, quality].filter(Boolean).join(" · ")));
    }
    lines.push(line("step.facts", ...(facts.length ? facts.map((/** @type {any} */ fact) => fact.text) : [words("noFacts")])));
    if (stopped.length) lines.push(line("guard", ...stopped.map(reason)));
    if (model) lines.push(line("step.answer", `${model} · ${words("reused", { n: reused, of: prompt })} · +${reply}`));
    return lines;

    /** @param {string} key @param {...string} texts */
    function line(key, ...texts) {
      return el("div", { class: key === "guard" ? "found warn" : "found" }, el("span", { class: "step" }, words(key)), el("div", {}, ...texts.map((text) => el("div", {}, text))));
    }
  }
}
