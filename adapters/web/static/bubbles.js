// @ts-check
/** One message as an element. Built anew when it changes; what a message says is only ever text. */

import { el, icon, ring } from "./dom.js";
import { clock, duration, known, price, words } from "./words.js";

/** @typedef {import("./conversation.js").Row} Row */
/** @typedef {import("./conversation.js").Sending} Sending */
/** @typedef {import("./conversation.js").Live} Live */
/** @typedef {import("./photos.js").Photos} Photos */
/**
 * What a bubble needs of the page around it.
 * @typedef {object} Around
 * @property {Photos} photos
 * @property {{ name: string }} shop
 * @property {(images: HTMLImageElement[], index: number) => void} zoom
 * @property {(offer: { name: string, picture: string }) => void} ask
 * @property {(choice: { id: string, label: string }) => void} choose
 * @property {(event: string) => void} again
 * @property {(event: string) => void} discard
 * @property {Record<string, string | number>} limits
 * @property {number} patience milliseconds that a first word may take before it is said that it takes a while
 */

/** The most room that a photo takes, in CSS pixels: alone, and as one of several. */
const ALONE = { width: 232, height: 260 };
const AMONG = { width: 180, height: 108 };
/** Milliseconds after which the time that is left is another than the notice named. */
const COUNTED = 5_000;

/** @param {Row} row @param {Around} around @param {boolean} newest whether its choices may still be tapped */
export function rowNode(row, around, newest) {
  if (row.speaker === "customer") return mine([pictures(row.photos.map(stored), around, "yourPhoto"), bubble(row.text)], row.at);
  const node = theirs(row.speaker, around, row.at);
  node.body.append(
    ...some(pictures(row.photos.map(stored), around, "shopPhoto"), bubble(row.text), cards(row.offers, around), choices(row.choices, around, newest)),
  );
  node.foot.append(...some(row.trace ? how(row.trace) : null));
  return node.message;

  /** @param {import("./conversation.js").Picture} photo */
  function stored(photo) {
    return { ...photo, url: around.photos.url(photo.sha256) };
  }
}

/** @param {Sending} item @param {Around} around @param {boolean} online */
export function sendingNode(item, around, online) {
  const images = item.shots.map((shot) => ({ url: Promise.resolve(shot.url), width: 0, height: 0, shot }));
  const node = mine([pictures(images, around, "yourPhoto"), bubble(item.text), state(item, around, online)], item.at);
  node.classList.toggle("unsent", item.state !== "taken");
  return node;
}

/**
 * The answer on its way: it stands exactly where its row will.
 * @param {Live} live
 * @param {Around} around
 * @param {boolean} late whether its first word lets itself be waited for
 */
export function liveNode(live, around, late) {
  const node = theirs("bot", around, 0);
  node.message.classList.add("live");
  if (live.preview) node.body.append(.../** @type {Node[]} */ (some(bubble(live.preview))));
  else if (live.notice) node.body.append(notice(live.notice));
  else node.body.append(el("div", { class: "bubble wait" }, dots(), live.preparing ? words("preparing") : late ? words("late") : null));
  if (live.stopped) node.foot.append(el("span", { class: "state" }, words("stopped")));
  else if (live.preview) node.foot.append(dots());
  return node.message;
}

/** @param {(Node | null)[]} parts @param {number} at */
function mine(parts, at) {
  return el("div", { class: "message mine", title: clock(at) }, el("span", { class: "hidden" }, `${words("you")}: `), ...parts);
}

/** @param {string} speaker @param {Around} around @param {number} at */
function theirs(speaker, around, at) {
  const body = el("div", { class: "body" });
  const foot = el("div", { class: "foot" });
  const name = speaker === "staff" ? words("staff") : around.shop.name;
  const message = el(
    "div",
    { class: `message theirs ${speaker}`, title: at ? clock(at) : undefined },
    el("span", { class: "avatar", "aria-hidden": "true" }, [...name][0]),
    el("div", { class: "column" }, speaker === "staff" ? el("div", { class: "name" }, name) : el("span", { class: "hidden" }, `${name}: `), body, foot),
  );
  return { message, body, foot };
}

/** @param {string} text */
function bubble(text) {
  return text ? el("div", { class: "bubble", dir: "auto" }, text) : null;
}

function dots() {
  return el("span", { class: "dots", role: "img", "aria-label": words("thinking") }, el("i"), el("i"), el("i"));
}

/** @param {NonNullable<Live["notice"]>} given */
function notice(given) {
  const now = Date.now();
  const over = now >= given.until;
  const circle = ring();
  circle.set(given.until > given.from ? (now - given.from) / (given.until - given.from) : 1);
  const left = Math.ceil((given.until - now) / 1000);
  // The shop's own words may leave the place in the queue out.
  const told = !given.ahead || given.text.includes(String(given.ahead));
  const counted = !over && now - given.from >= COUNTED;
  const small = [told ? "" : words("ahead", { n: given.ahead }), counted ? words("secondsLeft", { n: left }) : ""];
  return el(
    "div",
    { class: "bubble notice" },
    circle.node,
    el("div", {}, el("div", {}, over ? words("longer") : given.text), el("div", { class: "small" }, small.filter(Boolean).join(" · ") || dots())),
  );
}

/**
 * @param {{ url: Promise<string>, width: number, height: number, shot?: import("./photos.js").Shot }[]} photos
 * @param {Around} around
 * @param {string} label
 */
function pictures(photos, around, label) {
  if (!photos.length) return null;
  const room = photos.length === 1 ? ALONE : AMONG;
  /** @type {HTMLImageElement[]} */
  const images = [];
  const buttons = photos.map((photo, index) => {
    const image = el("img", { alt: words(label, { n: index + 1 }), draggable: "false" });
    images.push(image);
    // Known sizes keep their place before the bytes are there: nothing jumps.
    const size = (/** @type {number} */ width, /** @type {number} */ height) => {
      const scale = Math.min(1, room.width / width, room.height / height);
      image.width = Math.max(1, Math.round(width * scale));
      image.height = Math.max(1, Math.round(height * scale));
    };
    if (photo.width) size(photo.width, photo.height);
    else image.addEventListener("load", () => size(image.naturalWidth, image.naturalHeight), { once: true });
    photo.url.then(
      (url) => (image.src = url),
      () => image.classList.add("missing"),
    );
    const button = el("button", { type: "button", class: "photo", onclick: () => around.zoom(images, index) }, image);
    const { shot } = photo;
    if (shot && shot.state !== "done") button.append(progress(shot).node);
    return button;
  });
  return el("div", { class: photos.length === 1 ? "photos" : "photos several" }, ...buttons);
}

/**
 * What lies over a thumbnail while it goes up. `set()` shows how far it is now.
 * @param {import("./photos.js").Shot} shot
 * @returns {{ node: HTMLElement, set: () => void }}
 */
export function progress(shot) {
  if (shot.state === "failed") return { node: el("span", { class: "veil failed" }, icon("warn")), set: () => {} };
  const circle = ring();
  const node = el("span", { class: "veil", role: "img" }, circle.node);
  const set = () => {
    circle.set(shot.progress);
    node.setAttribute("aria-label", words("uploaded", { percent: Math.round(shot.progress * 100) }));
  };
  set();
  return { node, set };
}

/** @param {Sending} item @param {Around} around @param {boolean} online */
function state(item, around, online) {
  if (item.state === "taken") return null;
  if (item.state === "failed") {
    return el(
      "div",
      { class: "state failed", role: "alert" },
      el("span", {}, icon("warn"), item.reason ? words(`reason.${item.reason}`, around.limits) : words("failed")),
      el("button", { type: "button", class: "text", onclick: () => around.again(item.event) }, icon("again"), words("again")),
      el("button", { type: "button", class: "text", onclick: () => around.discard(item.event) }, words("remove")),
    );
  }
  const up = item.shots.some((shot) => shot.state !== "done");
  const key = !online ? "later" : item.reason ? `reason.${item.reason}` : up ? "uploading" : "sending";
  return el("div", { class: "state" }, icon("clock"), words(key));
}

/** @param {Row["offers"]} offers @param {Around} around */
function cards(offers, around) {
  if (!offers?.length) return null;
  return el(
    "div",
    { class: "cards" },
    ...offers.map((offer) =>
      el(
        "article",
        { class: "card" },
        offer.picture ? el("img", { src: offer.picture, alt: offer.name, width: 88, height: 88, loading: "lazy", draggable: "false" }) : null,
        el(
          "div",
          { class: "what" },
          el("div", { class: "title" }, offer.name),
          el("div", { class: "price" }, price(offer.price)),
          el("div", { class: offer.stock > 0 ? "stock" : "stock out" }, offer.stock > 0 ? words("stock", { n: offer.stock }) : words("soldOut")),
        ),
        el("button", { type: "button", class: "pill", "aria-label": `${words("ask")}: ${offer.name}`, onclick: () => around.ask(offer) }, words("ask")),
      ),
    ),
  );
}

/** @param {Row["choices"]} given @param {Around} around @param {boolean} open */
function choices(given, around, open) {
  if (!given?.length) return null;
  return el(
    "div",
    { class: open ? "chips" : "chips used" },
    ...given.map((choice) => el("button", { type: "button", class: "chip", disabled: !open, onclick: () => around.choose(choice) }, choice.label)),
  );
}

/** How an answer came to be, folded. @param {any} trace */
function how(trace) {
  const source = words("source", { name: trace.model ? words("source.model", { model: trace.model }) : words("source.rule") });
  const head = trace.model
    ? [words("first", { s: duration(trace.first) }), words("total", { s: duration(trace.total) })]
    : [words("total", { s: duration(trace.total) })];
  const rest = [
    trace.queue >= 0.05 && words("queue", { s: duration(trace.queue) }),
    trace.image > 0 && words("image", { s: duration(trace.image) }),
    trace.prompt > 0 && words("reused", { n: trace.reused, of: trace.prompt }),
    words("facts", { n: trace.facts.length }),
    source,
  ];
  return el(
    "details",
    { class: "how" },
    el("summary", { title: words("how") }, head.join(" · ")),
    el("div", {}, ...rest.filter(Boolean).flatMap((text, at) => [at ? " · " : "", el("span", { class: "whole" }, text)])),
    ...trace.facts.map((/** @type {any} */ fact) => el("div", { class: "fact" }, fact.text)),
    trace.stopped.length ? el("div", { class: "fact warn" }, `${words("guard")}: ${trace.stopped.map(reason).join("; ")}`) : null,
  );
}

/** What the guard stopped; its own words when the page has none for them. @param {string} code */
export function reason(code) {
  return known(`guard.${code}`) ? words(`guard.${code}`) : code;
}

/** @param {...(Node | null)} nodes @returns {Node[]} */
function some(...nodes) {
  return /** @type {Node[]} */ (nodes.filter((node) => node !== null));
}
