// @ts-check
/** `<shop-chat>`: puts the parts together. Light DOM: the page is ours alone, and its style sheet is there before it. */

import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { el, icon } from "./dom.js";
import * as keep from "./keep.js";
import { Line } from "./line.js";
import { List } from "./list.js";
import { Photos } from "./photos.js";
import { welcome } from "./welcome.js";
import { DRAGGED, Window } from "./window.js";
import { changes, label, language, retranslate, setup, speak, worded, words } from "./words.js";
import { Zoom } from "./zoom.js";

const WIDE = matchMedia("(min-width: 1100px)");
/** Where the focus in the input opens no keyboard over half the page. */
const FINE = matchMedia("(pointer: fine)");
/** Milliseconds without a line before a way to a person is shown; before «connecting» is worth a word. */
const LONG = 20_000;
const BRIEF = 1_500;

class Page {
  /** @param {HTMLElement} root @param {any} page what the server says of the shop */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    /** @type {string | null} */
    this.token = keep.get("token");
    setup(page.words, keep.get("language") ?? page.shop.language);
    const limits = { ...page.limits, megabytes: Math.floor(page.limits.bytes / 1_000_000) };

    this.line = new Line();
    this.photos = new Photos(() => this.token, page.limits);
    this.chat = new Conversation(this.line, this.photos);
    this.zoom = new Zoom();
    this.composer = new Composer(this.photos, limits);
    this.list = new List(this.chat, {
      photos: this.photos,
      shop: page.shop,
      limits,
      patience: page.patience * 1000,
      zoom: (images, index) => this.zoom.open(images, index),
      ask: (offer) => this.composer.propose(words("askText", { name: offer.name })),
      choose: (choice) => this.#say(choice.label, [], choice.id),
      again: (event) => this.chat.again(event),
      discard: (event) => this.chat.discard(event),
    });
    this.window = page.demonstration && !new URLSearchParams(location.search).has("plain") ? this.#window() : null;
    this.fresh = worded(el("button", { type: "button", class: "round", onclick: () => this.#askNew() }, icon("fresh")), { label: "new" });
    this.label = el("span", { class: "label" });
    this.tongue = el("button", { type: "button", class: "tongue", onclick: () => this.#switch() });
    this.banner = el("div", { class: "banner", role: "status", hidden: true });
    this.spoken = el("div", { class: "hidden", "aria-live": "polite" });
    this.dropzone = el("div", { class: "dropzone", hidden: true }, icon("drop"), worded(el("span"), { text: "drop" }));
    this.yes = worded(el("button", { class: "strong", value: "yes" }), { text: "newYes" });
    this.confirm = el(
      "dialog",
      { class: "confirm" },
      worded(el("p"), { text: "newAsk" }),
      el(
        "form",
        { method: "dialog" },
        worded(el("button", { class: "plain", value: "no" }), { text: "no" }),
        this.yes,
      ),
    );
    this.#build();
    this.#listen();
    this.#draw();
  }

  /** What was left from before, and the line. */
  open() {
    this.composer.restore();
    this.chat.restore();
    this.line.open(() => ({ type: "hello", token: this.token, language: language(), after: this.chat.newest, conversation: this.chat.id }));
    performance.mark("interactive");
  }

  #window() {
    const shown = new Window(this.page, {
      attach: (picture) => this.#attach(picture),
      ask: (name) => this.composer.propose(words("askText", { name })),
    });
    const load = () => WIDE.matches && !shown.products.length && shown.load();
    WIDE.addEventListener("change", load);
    load();
    return shown;
  }

  #build() {
    const { shop } = this.page;
    const header = el(
      "header",
      {},
      el("span", { class: "avatar", "aria-hidden": "true" }, [...shop.name][0]),
      el("h1", {}, el("span", { class: "shop" }, shop.name), this.label),
      this.tongue,
      this.fresh,
    );
    const main = el("main", {}, header, this.banner, this.list.node, this.composer.node, this.dropzone);
    this.root.replaceChildren(main, ...(this.window ? [this.window.node] : []), this.zoom.node, this.confirm, this.spoken);
    this.root.classList.toggle("windowed", this.window !== null);
    this.root.classList.toggle("demonstration", this.page.demonstration);
  }

  #listen() {
    this.chat.addEventListener("change", () => this.#draw());
    this.chat.addEventListener("row", (event) => {
      const row = /** @type {CustomEvent} */ (event).detail;
      if (row.speaker !== "customer") this.spoken.textContent = row.text;
    });
    this.line.addEventListener("frame", (event) => {
      const frame = /** @type {CustomEvent} */ (event).detail;
      if (frame.type === "welcome") this.#known(frame.token);
      else if (frame.type === "notice") this.spoken.textContent = frame.text;
      else if (frame.type === "preparing") this.spoken.textContent = words("preparing");
    });
    this.list.node.addEventListener("late", () => (this.spoken.textContent = words("late")));
    this.line.addEventListener("state", () => this.line.state === "open" && this.photos.resume());
    this.composer.addEventListener("say", (event) => {
      const { text, shots } = /** @type {CustomEvent} */ (event).detail;
      this.#say(text, shots);
    });
    this.composer.addEventListener("stop", () => this.chat.stop());
    let told = 0;
    this.composer.addEventListener("typing", (event) => {
      const photos = /** @type {CustomEvent} */ (event).detail;
      if (!photos.length || Date.now() - told < 2000) return;
      told = Date.now();
      this.line.send({ type: "typing", photos });
    });
    this.confirm.addEventListener("close", () => {
      if (this.confirm.returnValue === "yes") this.chat.begin(language());
      this.confirm.returnValue = "";
      this.composer.input.focus();
    });
    changes.addEventListener("language", () => this.#redraw());
    keep.watch((name) => {
      // Two tabs that were opened at once made two customers: the one that was kept last is who we are.
      if (name === "token" && keep.get("token") !== this.token) this.#become(keep.get("token"));
    });
    setInterval(() => (this.list.tick(), this.#drawBanner()), 1000);
    this.#drop();
  }

  /** @param {string} token */
  #known(token) {
    const kept = keep.get("token");
    if (!this.token && kept && kept !== token) return this.#become(kept);
    this.token = token;
    keep.set("token", token);
    this.photos.next();
  }

  /** @param {string | null} token */
  #become(token) {
    this.token = token;
    this.chat.rows.clear();
    this.chat.id = 0;
    this.line.reset();
  }

  /** @param {string} text @param {import("./photos.js").Shot[]} shots @param {string} [choice] */
  #say(text, shots, choice) {
    this.list.follow();
    // What was tapped goes away with the tap: who works with keys goes on writing.
    const keys = document.activeElement?.matches(":focus-visible");
    this.chat.say(text, shots, language(), choice);
    if (keys || FINE.matches) this.composer.input.focus();
  }

  /** A picture of the shop's, as if the customer had taken it. @param {string} picture */
  async #fetch(picture) {
    const response = await fetch(new URL(picture, document.baseURI));
    return response.ok ? response.blob() : null;
  }

  /** @param {string} picture */
  async #attach(picture) {
    const blob = await this.#fetch(picture);
    if (blob) this.composer.attach([blob]);
    if (blob && !this.composer.input.value) this.composer.propose(words("askThis"));
  }

  /** An example: photo and question in one tap. @param {string} picture @param {string} text */
  async #show(picture, text) {
    const blob = await this.#fetch(picture);
    if (blob) this.#say(text, [this.photos.add(blob)]);
  }

  #askNew() {
    if (this.chat.said.length) this.confirm.showModal();
    else this.composer.input.focus();
  }

  #switch() {
    const other = language() === "zh" ? "en" : "zh";
    keep.set("language", other);
    speak(other);
  }

  // ---------------------------------------------------------------------------------------------- what is drawn

  #draw() {
    const { said, sending, working, online } = this.chat;
    const empty = !said.length && !sending.size;
    if (empty !== (this.list.before.childElementCount > 0)) this.#drawWelcome(empty);
    this.list.draw();
    this.composer.busy = working;
    // Messages wait for the line; these would be lost without a word.
    for (const button of [this.fresh, this.yes, this.composer.halt]) button.disabled = !online;
    this.window?.show(said.filter((row) => row.trace).at(-1)?.trace ?? null);
    this.tongue.textContent = words("language");
    this.#drawBanner();
    this.label.textContent = label(this.page.shop.label);
    document.title = `${this.page.shop.name} · ${this.label.textContent}`;
  }

  /** @param {boolean} shown */
  #drawWelcome(shown) {
    const act = { say: (/** @type {string} */ text) => this.#say(text, []), show: (/** @type {string} */ picture, /** @type {string} */ text) => void this.#show(picture, text) };
    this.list.before.replaceChildren(...(shown ? [welcome(this.page, act)] : []));
    if (shown) this.list.scroller.scrollTop = 0;
  }

  #drawBanner() {
    const { state, downSince } = this.line;
    const down = downSince ? Date.now() - downSince : 0;
    let text = "";
    if (state === "offline") text = words("offline");
    else if (down > LONG) text = words("unreachable", { contact: this.page.shop.contact });
    else if (down > BRIEF) text = words("connecting");
    this.banner.hidden = !text;
    if (this.banner.textContent !== text) this.banner.textContent = text;
  }

  #redraw() {
    retranslate(this.root);
    this.#drawWelcome(!this.chat.said.length && !this.chat.sending.size);
    this.list.redraw();
    this.composer.redraw();
    this.window?.draw();
    this.#draw();
  }

  /** Files and products may be dropped anywhere. */
  #drop() {
    let depth = 0;
    const wanted = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.some((type) => type === "Files" || type === DRAGGED) ?? false;
    const show = (/** @type {number} */ to) => {
      depth = Math.max(0, to);
      this.dropzone.hidden = depth === 0;
    };
    addEventListener("dragenter", (event) => wanted(event) && show(depth + 1));
    addEventListener("dragleave", (event) => wanted(event) && show(depth - 1));
    addEventListener("dragend", () => show(0));
    addEventListener("dragover", (event) => {
      if (!wanted(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    });
    addEventListener("drop", (event) => {
      if (!wanted(event)) return;
      event.preventDefault();
      show(0);
      const picture = event.dataTransfer?.getData(DRAGGED);
      if (picture) this.#attach(picture);
      else this.composer.attach([...(event.dataTransfer?.files ?? [])]);
    });
  }
}

class ShopChat extends HTMLElement {
  connectedCallback() {
    new Page(this, JSON.parse(this.dataset.page ?? "{}")).open();
  }
}

customElements.define("shop-chat", ShopChat);
