// @ts-check
/** Where the customer writes: words, photos by button, camera, paste and drop, and a draft that survives a reload. */

import { progress } from "./bubbles.js";
import { el, icon, square } from "./dom.js";
import * as keep from "./keep.js";
import { worded, words } from "./words.js";

/** @typedef {import("./photos.js").Shot} Shot */
/** @typedef {{ node: HTMLElement, draw: (index: number) => void }} Thumb */

export class Composer extends EventTarget {
  /**
   * @param {import("./photos.js").Photos} photos
   * @param {{ text: number, photos: number, megabytes: number }} limits
   */
  constructor(photos, limits) {
    super();
    this.photos = photos;
    this.limits = limits;
    /** @type {Shot[]} */
    this.shots = [];
    /** What stands in the tray. @type {Map<Shot, Thumb>} */
    this.thumbs = new Map();
    this.working = false;
    this.input = worded(el("textarea", { rows: 1, maxlength: limits.text, enterkeyhint: "send", autocomplete: "off" }), { label: "inputLabel", placeholder: "placeholder" });
    this.field = el("div", { class: "field" }, this.input);
    this.tray = el("div", { class: "tray", hidden: true });
    this.hint = el("div", { class: "hint", role: "alert" });
    this.send = worded(el("button", { type: "submit", class: "round send" }, icon("send")), { label: "send" });
    this.halt = worded(el("button", { type: "button", class: "round halt", hidden: true, onclick: () => this.dispatchEvent(new Event("stop")) }, square()), { label: "stop" });
    const buttons = [this.#picker("photo", "picture", {})];
    // On a computer the camera button would only open the same list of files.
    if (matchMedia("(pointer: coarse)").matches) buttons.unshift(this.#picker("camera", "photo", { capture: "environment" }));
    this.node = el(
      "form",
      { class: "composer", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), this.submit()) },
      this.hint,
      this.tray,
      el("div", { class: "row" }, ...buttons, this.field, el("div", { class: "act" }, this.send, this.halt)),
    );
    this.input.addEventListener("keydown", (event) => {
      // An input method's Enter takes a candidate: it must never send. 229 is how Safari says so.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.attach(files);
    });
    photos.addEventListener("shot", (event) => {
      const shot = /** @type {CustomEvent} */ (event).detail;
      if (!this.shots.includes(shot)) return;
      this.#draw();
      this.#keep();
      if (shot.state === "done") this.#told();
    });
  }

  /** The draft of before the reload. */
  async restore() {
    const draft = keep.get("draft");
    if (!draft) return;
    this.input.value = draft.text;
    this.#grow();
    this.shots = [...(await this.photos.restore(draft.photos)), ...this.shots].slice(0, this.limits.photos);
    this.#draw();
  }

  /** @param {boolean} working */
  set busy(working) {
    this.working = working;
    this.#draw();
  }

  /** Words for the customer to go on with, after those that he has written. @param {string} text */
  propose(text) {
    const before = this.input.value.trimEnd();
    const whole = before ? `${before}\n${text}` : text;
    if (before.split("\n").at(-1) !== text && whole.length <= this.limits.text) {
      this.input.value = whole;
      this.#typed();
    }
    this.input.focus();
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  /** @param {Iterable<Blob>} files */
  attach(files) {
    this.#say("");
    for (const file of files) {
      if (!file.type.startsWith("image/") && file.type !== "") this.#say("onlyPictures");
      else if (this.shots.length >= this.limits.photos) this.#say("mostPhotos");
      else this.shots.push(this.photos.add(file));
    }
    this.#draw();
    this.#keep();
    this.input.focus();
  }

  submit() {
    const text = this.input.value.trim();
    const shots = this.shots;
    if (!this.#ready()) return;
    this.input.value = "";
    this.shots = [];
    this.#say("");
    this.#grow();
    this.#draw();
    keep.set("draft", null);
    this.dispatchEvent(new CustomEvent("say", { detail: { text, shots } }));
  }

  redraw() {
    this.#say("");
    this.#draw();
  }

  #ready() {
    const usable = this.shots.every((shot) => shot.state !== "failed" || shot.hopeful);
    return usable && (this.input.value.trim() !== "" || this.shots.length > 0);
  }

  /** @param {string} label @param {string} picture @param {Record<string, any>} more */
  #picker(label, picture, more) {
    const input = el("input", { type: "file", accept: "image/*", multiple: !more.capture, hidden: true, tabindex: "-1", ...more });
    input.addEventListener("change", () => {
      this.attach([...(input.files ?? [])]);
      input.value = "";
    });
    return el("span", {}, input, worded(el("button", { type: "button", class: `round pick-${label}`, onclick: () => input.click() }, icon(picture)), { label }));
  }

  #typed() {
    this.#grow();
    this.#draw();
    this.#keep();
    this.#told();
  }

  /** Photos are up and words are coming: the model may look already. */
  #told() {
    this.dispatchEvent(new CustomEvent("typing", { detail: this.shots.map((shot) => shot.sha256).filter(Boolean) }));
  }

  #keep() {
    const text = this.input.value;
    const photos = this.shots.map((shot) => shot.kept);
    keep.set("draft", text || photos.length ? { text, photos } : null);
  }

  /** One to five lines; then it scrolls. The style sheet measures a copy: the list beside it sees no half-way size. */
  #grow() {
    this.field.dataset.typed = this.input.value;
  }

  #draw() {
    const ready = this.#ready();
    this.send.disabled = !ready;
    // While an answer is made the button stops it, unless there is something to say: one place, nothing moves.
    const stop = this.working && !ready;
    if (stop && document.activeElement === this.send) this.halt.hidden = false;
    this.send.hidden = stop;
    this.halt.hidden = !stop;
    this.tray.hidden = !this.shots.length;
    this.#drawTray();
    const failed = this.shots.find((shot) => shot.state === "failed");
    if (failed) this.hint.textContent = words(`reason.${failed.reason}`, this.limits);
    else if (this.hint.dataset.kind !== "said") this.hint.textContent = "";
  }

  /** A thumbnail's elements stay as long as its photo: a press and the focus on ✕ outlive every step of the upload. */
  #drawTray() {
    const thumbs = new Map(this.shots.map((shot) => [shot, this.thumbs.get(shot) ?? this.#thumb(shot)]));
    const same = thumbs.size === this.thumbs.size && [...thumbs.keys()].every((shot) => this.thumbs.has(shot));
    this.thumbs = thumbs;
    [...thumbs.values()].forEach((thumb, index) => thumb.draw(index));
    if (!same) this.tray.replaceChildren(...[...thumbs.values()].map((thumb) => thumb.node));
  }

  /** @param {Shot} shot @returns {Thumb} */
  #thumb(shot) {
    const image = el("img", { src: shot.url, draggable: "false" });
    // What is no picture shows as an empty tile under its sign; the hint says the rest.
    image.addEventListener("error", () => image.classList.add("blank"));
    const remove = worded(el("button", { type: "button", class: "remove", onclick: () => this.#remove(shot) }, icon("close")), { label: "removePhoto" });
    const node = el("div", {}, image, remove);
    /** @type {ReturnType<typeof progress> | null} */
    let veil = null;
    let shown = "";
    const draw = (/** @type {number} */ index) => {
      image.alt = words("yourPhoto", { n: index + 1 });
      const state = `${shot.state} ${shot.hopeful}`;
      if (state === shown) return veil?.set();
      shown = state;
      node.className = `thumb ${shot.state}`;
      veil?.node.remove();
      veil = shot.state === "done" ? null : shot.state === "failed" && shot.hopeful ? this.#retry(shot) : progress(shot);
      if (veil) image.after(veil.node);
    };
    return { node, draw };
  }

  /** @param {Shot} shot */
  #retry(shot) {
    const button = el("button", { type: "button", class: "veil failed", onclick: () => this.photos.upload(shot) }, icon("again"));
    return { node: worded(button, { label: "retryPhoto" }), set: () => {} };
  }

  /** @param {Shot} shot */
  #remove(shot) {
    this.shots = this.shots.filter((other) => other !== shot);
    this.photos.forget(shot);
    this.#say("");
    this.#draw();
    this.#keep();
    this.input.focus();
  }

  /** @param {string} key */
  #say(key) {
    this.hint.dataset.kind = key ? "said" : "";
    this.hint.textContent = key ? words(key, this.limits) : "";
  }
}
