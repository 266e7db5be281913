// @ts-check
/** The conversation as a list: days and times between messages, and a place that never jumps under a reader. */

import { liveNode, rowNode, sendingNode } from "./bubbles.js";
import { el, icon } from "./dom.js";
import { clock, day, worded } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {{ key: string, stamp: string, theirs?: boolean, at?: number, make: () => HTMLElement }} Item */

/** Milliseconds of silence after which the time is told again. */
const QUIET = 5 * 60_000;
/** Pixels from the end that still count as the end. */
const NEAR = 48;

export class List {
  /** @param {Conversation} conversation @param {import("./bubbles.js").Around} around */
  constructor(conversation, around) {
    this.conversation = conversation;
    this.around = around;
    /** Whether the reader reads what is newest, and new messages may move what he sees. */
    this.following = true;
    /** What the place looked like last: where it stood, how much there is of it, how much of that is seen. */
    this.was = { scrollTop: 0, scrollHeight: 0, clientHeight: 0 };
    /** Whether the line for an answer that lets itself be waited for is shown. */
    this.late = false;
    /** @type {Map<string, { node: HTMLElement, stamp: string }>} */
    this.nodes = new Map();
    this.items = el("div", { class: "items" });
    this.before = el("div", { class: "before" });
    this.latest = el("button", { type: "button", class: "latest", hidden: true, onclick: () => this.toEnd() }, icon("down"), worded(el("span"), { text: "latest" }));
    this.scroller = worded(el("div", { class: "scroll", role: "log", "aria-live": "off", tabindex: "0" }, this.before, this.items), { label: "conversation" });
    this.node = el("div", { class: "list" }, this.scroller, this.latest);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Pictures that arrive, a keyboard that opens, an input that grows: who was at the end stays there.
    const sizes = new ResizeObserver(() => this.following && this.#snap());
    sizes.observe(this.items);
    sizes.observe(this.before);
    sizes.observe(this.scroller);
  }

  /** Everything anew: the language changed. */
  redraw() {
    for (const [key, kept] of this.nodes) this.nodes.set(key, { ...kept, stamp: "" });
    this.draw();
  }

  draw() {
    const wanted = this.#wanted();
    const keys = new Set(wanted.map((item) => item.key));
    const news = wanted.some((item) => item.theirs && !this.nodes.has(item.key)) && this.nodes.size > 0;
    for (const [key, { node }] of this.nodes) {
      if (!keys.has(key)) {
        node.remove();
        this.nodes.delete(key);
      }
    }
    let place = this.items.firstElementChild;
    for (const { key, stamp, make } of wanted) {
      let kept = this.nodes.get(key);
      if (!kept || kept.stamp !== stamp) {
        const node = make();
        keepOpen(kept?.node, node);
        if (kept && place === kept.node) place = node;
        kept?.node.replaceWith(node);
        kept = { node, stamp };
        this.nodes.set(key, kept);
      }
      if (kept.node === place) place = place.nextElementSibling;
      else this.items.insertBefore(kept.node, place);
    }
    if (this.following) this.#snap();
    else if (news) this.latest.hidden = false;
  }

  /** Once a second: the notice's ring moves, and who waits for a first word for long is told so. */
  tick() {
    const { live } = this.conversation;
    const kept = this.nodes.get("live");
    if (!kept || live.preview) return;
    if (live.notice) {
      const node = liveNode(live, this.around, false);
      kept.node.replaceWith(node);
      kept.node = node;
    } else if (this.late !== this.#late()) {
      this.draw();
      if (this.late) this.node.dispatchEvent(new Event("late"));
    }
  }

  /** What comes next is to be seen: the reader said something himself. */
  follow() {
    this.following = true;
    this.latest.hidden = true;
  }

  toEnd() {
    this.follow();
    const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches && this.scroller.scrollHeight - this.scroller.scrollTop < 4000;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? "smooth" : "auto" });
  }

  #snap() {
    // A greeting is read from its top.
    if (this.items.childElementCount) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#look();
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.was = { scrollHeight, scrollTop, clientHeight };
    return this.was;
  }

  /** A browser scrolls of its own when sizes change, and tells it late; only a reader goes up where nothing grew. */
  #scrolled() {
    const { was } = this;
    const now = this.#look();
    const same = now.scrollHeight === was.scrollHeight && now.clientHeight === was.clientHeight;
    if (now.scrollHeight - now.scrollTop - now.clientHeight < NEAR) this.follow();
    else if (same && now.scrollTop < was.scrollTop) this.following = false;
  }

  #late() {
    const { live } = this.conversation;
    return live.thinking && !live.stopped && !live.notice && !live.preview && Date.now() - live.since >= this.around.patience;
  }

  /** What should stand here, in order; a `stamp` that is the same means that nothing changed. */
  #wanted() {
    const { said, sending, live, online } = this.conversation;
    /** @type {Item[]} */
    const items = [];
    const last = said.at(-1);
    const waiting = [...sending.values()].sort((a, b) => a.at - b.at);
    for (const row of said) {
      const newest = row === last && waiting.length === 0;
      items.push({
        key: row.event && row.speaker === "customer" ? `event ${row.event}` : `row ${row.id}`,
        stamp: `row ${row.choices ? newest : ""}`,
        theirs: row.speaker !== "customer",
        at: row.at,
        make: () => rowNode(row, this.around, newest),
      });
    }
    for (const item of waiting) {
      const shots = item.shots.map((shot) => `${shot.state}${Math.round(shot.progress * 50)}`).join();
      items.push({
        key: `event ${item.event}`,
        stamp: `${item.state} ${item.reason} ${online} ${shots}`,
        at: item.at,
        make: () => sendingNode(item, this.around, online),
      });
    }
    if (live.thinking || live.preparing || live.stopped) {
      const late = (this.late = this.#late());
      items.push({ key: "live", theirs: true, stamp: `${late} ${JSON.stringify(live)}`, make: () => liveNode(live, this.around, late) });
    }
    return this.#withTimes(items);
  }

  /** @param {Item[]} items */
  #withTimes(items) {
    /** @type {Item[]} */
    const out = [];
    let before = 0;
    for (const item of items) {
      if (item.at) {
        const { at } = item;
        const otherDay = new Date(at).toDateString() !== new Date(before).toDateString();
        if (otherDay || at - before > QUIET) {
          const text = otherDay ? `${day(at)} ${clock(at)}` : clock(at);
          out.push({ key: `time ${item.key}`, stamp: text, make: () => el("div", { class: "time" }, text) });
        }
        before = at;
      }
      out.push(item);
    }
    return out;
  }
}

/** An answer that the reader unfolded stays so. @param {HTMLElement | undefined} old @param {HTMLElement} node */
function keepOpen(old, node) {
  const details = node.querySelector("details");
  if (details && old?.querySelector("details")?.open) details.open = true;
}
