// @ts-check
/** Photos over the whole screen: swipe, pinch, wheel, double tap, arrows, Esc. `<dialog>` keeps the focus and gives it back. */

import { el, icon } from "./dom.js";
import { worded, words } from "./words.js";

const MOST = 6;
/** Pixels of a swipe that turn the page. */
const SWIPE = 56;

export class Zoom {
  constructor() {
    this.image = el("img", { draggable: "false" });
    this.count = el("div", { class: "count", "aria-live": "polite" });
    this.previous = worded(el("button", { type: "button", class: "round previous", onclick: () => this.turn(-1) }, icon("left")), { label: "previous" });
    this.next = worded(el("button", { type: "button", class: "round next", onclick: () => this.turn(1) }, icon("right")), { label: "next" });
    const shut = worded(el("button", { type: "button", class: "round shut", onclick: () => this.node.close() }, icon("close")), { label: "close" });
    this.stage = el("div", { class: "stage" }, this.image);
    this.node = el("dialog", { class: "zoom", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event) }, this.stage, shut, this.previous, this.next, this.count);
    /** @type {{ src: string, alt: string }[]} */
    this.images = [];
    this.index = 0;
    /** @type {Map<number, { x: number, y: number }>} */
    this.fingers = new Map();
    this.start = { x: 0, y: 0 };
    this.moved = false;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.stage.addEventListener("pointerdown", (event) => this.#down(event));
    this.stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) this.stage.addEventListener(name, (event) => this.#up(event));
    this.stage.addEventListener("dblclick", (event) => this.#scaleTo(this.scale > 1 ? 1 : 2.5, event.clientX, event.clientY));
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#scaleTo(this.scale * Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
    }, { passive: false });
  }

  /** @param {HTMLImageElement[]} images @param {number} index */
  open(images, index) {
    this.images = images.filter((image) => image.src).map(({ src, alt }) => ({ src, alt }));
    if (!this.images.length) return;
    this.index = Math.min(index, this.images.length - 1);
    this.#show();
    this.node.showModal();
  }

  /** @param {number} by */
  turn(by) {
    const index = this.index + by;
    if (index < 0 || index >= this.images.length) return;
    this.index = index;
    this.#show();
  }

  #show() {
    const { src, alt } = this.images[this.index];
    this.image.src = src;
    this.image.alt = alt;
    const several = this.images.length > 1;
    this.count.textContent = several ? words("photoOf", { n: this.index + 1, of: this.images.length }) : "";
    this.previous.hidden = !several || this.index === 0;
    this.next.hidden = !several || this.index === this.images.length - 1;
    this.#reset();
  }

  #reset() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.#place();
  }

  #place() {
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }

  /** Scales around a point of the screen. @param {number} scale @param {number} x @param {number} y */
  #scaleTo(scale, x, y) {
    const to = Math.min(MOST, Math.max(1, scale));
    const box = this.stage.getBoundingClientRect();
    const fromX = x - box.left - box.width / 2;
    const fromY = y - box.top - box.height / 2;
    this.x = fromX - ((fromX - this.x) * to) / this.scale;
    this.y = fromY - ((fromY - this.y) * to) / this.scale;
    this.scale = to;
    if (to === 1) this.x = this.y = 0;
    this.#place();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "ArrowLeft") this.turn(-1);
    else if (event.key === "ArrowRight") this.turn(1);
    else if (event.key === "+" || event.key === "=") this.#scaleTo(this.scale * 1.4, innerWidth / 2, innerHeight / 2);
    else if (event.key === "-") this.#scaleTo(this.scale / 1.4, innerWidth / 2, innerHeight / 2);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.stage.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.fingers.size === 1) {
      this.start = { x: event.clientX, y: event.clientY };
      this.moved = false;
    } else {
      this.moved = true; // a pinch is neither a swipe nor a tap
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.fingers.size === 2) {
      const [other] = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, finger]) => finger);
      const part = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      this.#scaleTo(this.scale * part, (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      this.x += now.x - before.x;
      if (this.scale > 1) this.y += now.y - before.y;
      this.#place();
      if (Math.hypot(now.x - this.start.x, now.y - this.start.y) > 8) this.moved = true;
    }
    this.fingers.set(event.pointerId, now);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const pinched = this.fingers.size > 1;
    if (!this.fingers.delete(event.pointerId) || pinched || this.scale > 1) return;
    const by = event.clientX - this.start.x;
    this.#reset();
    if (Math.abs(by) > SWIPE) this.turn(by < 0 ? 1 : -1);
    else if (!this.moved && event.target === this.stage) this.node.close(); // beside the photo
  }
}
