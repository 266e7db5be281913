// @ts-check
/** What was said, what is on its way, and what is being answered. Knows no element of the page. */

import { freshId } from "./dom.js";
import * as keep from "./keep.js";

/** @typedef {import("./photos.js").Shot} Shot */
/** @typedef {import("./photos.js").Photos} Photos */
/** @typedef {import("./line.js").Line} Line */
/** @typedef {{ sha256: string, width: number, height: number }} Picture */
/**
 * @typedef {object} Row
 * @property {number} id
 * @property {"customer" | "bot" | "staff"} speaker
 * @property {string} text
 * @property {Picture[]} photos
 * @property {number} at milliseconds
 * @property {string | null} event
 * @property {any[]} [offers]
 * @property {{ id: string, label: string }[]} [choices]
 * @property {any} [trace]
 */
/**
 * @typedef {object} Sending a message that is not a row yet
 * @property {string} event
 * @property {string} text
 * @property {Shot[]} shots
 * @property {number} at
 * @property {string} language
 * @property {string} [choice]
 * @property {"waiting" | "sent" | "taken" | "failed"} state
 * @property {string} reason
 */
/**
 * @typedef {object} Live
 * @property {boolean} thinking
 * @property {boolean} preparing nobody thinks yet: the model is being loaded
 * @property {number} since when the thinking began, in ms
 * @property {string} preview
 * @property {{ text: string, from: number, until: number, ahead: number } | null} notice
 * @property {boolean} stopped
 */

/** @returns {Live} */
const nothing = () => ({ thinking: false, preparing: false, since: 0, preview: "", notice: null, stopped: false });

export class Conversation extends EventTarget {
  /** @param {Line} line @param {Photos} photos */
  constructor(line, photos) {
    super();
    this.line = line;
    this.photos = photos;
    this.id = 0;
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    /** @type {Map<string, Sending>} */
    this.sending = new Map();
    /** @type {Live} */
    this.live = nothing();
    /** Whether the server has told what there is. */
    this.loaded = false;
    this.pause = 0;
    line.addEventListener("frame", (event) => this.#receive(/** @type {CustomEvent} */ (event).detail));
    line.addEventListener("state", () => {
      if (line.state !== "open") for (const item of this.sending.values()) if (item.state === "sent") item.state = "waiting";
      this.#changed();
    });
    photos.addEventListener("shot", () => {
      this.#keepAll();
      this.flush();
      this.#changed();
    });
  }

  /** Newest row, for the next hello. */
  get newest() {
    return Math.max(0, ...this.rows.keys());
  }

  /** Rows as they were said. */
  get said() {
    return [...this.rows.values()].sort((a, b) => a.id - b.id);
  }

  /** Whether the server hears at once what it is asked. Messages wait for it; a wish of a minute ago may be none now. */
  get online() {
    return this.line.state === "open";
  }

  /** Whether an answer is being made. */
  get working() {
    return this.live.thinking && !this.live.stopped;
  }

  /** Messages of before a reload that nobody acknowledged. */
  async restore() {
    for (const event of keep.names("out.")) {
      const kept = keep.get(`out.${event}`);
      if (!kept || this.sending.has(event)) continue;
      const shots = await this.photos.restore(kept.photos);
      // The line may have been faster than the browser's store: it is a row already.
      if (!keep.get(`out.${event}`)) {
        for (const shot of shots) this.photos.forget(shot);
        continue;
      }
      const lost = shots.length < kept.photos.length;
      this.sending.set(event, { ...kept, event, shots, state: lost ? "failed" : "waiting", reason: lost ? "photo" : "" });
    }
    this.flush();
    this.#changed();
  }

  /**
   * @param {string} text
   * @param {Shot[]} shots
   * @param {string} language
   * @param {string} [choice] id of the choice that was tapped
   */
  say(text, shots, language, choice) {
    const event = freshId();
    this.sending.set(event, { event, text, shots, at: Date.now(), language, choice, state: "waiting", reason: "" });
    this.#keep(event);
    this.flush();
    this.#changed();
  }

  /** @param {string} event */
  again(event) {
    const item = this.sending.get(event);
    if (!item) return;
    item.state = "waiting";
    item.reason = "";
    for (const shot of item.shots) if (shot.state === "failed") this.photos.upload(shot);
    this.flush();
    this.#changed();
  }

  /** @param {string} event */
  discard(event) {
    this.#done(event);
    this.sending.delete(event);
    this.flush();
    this.#changed();
  }

  /** Nothing is said to have stopped that the server was not told to. */
  stop() {
    if (!this.working || !this.line.send({ type: "stop" })) return;
    this.live = { ...this.live, thinking: false, notice: null, stopped: Boolean(this.live.preview) };
    this.#changed();
  }

  /** @param {string} language */
  begin(language) {
    this.line.send({ type: "new", language });
  }

  /** Sends what can be sent, in order: a later message never passes an earlier one whose photo is still on its way. */
  flush() {
    for (const item of this.#ordered()) {
      if (item.state !== "waiting") continue;
      const broken = item.shots.find((shot) => shot.state === "failed" && !shot.hopeful);
      if (broken) {
        item.state = "failed";
        item.reason = broken.reason;
        continue;
      }
      if (item.shots.some((shot) => !shot.sha256) || Date.now() < this.pause) return;
      const { event, text, language, choice } = item;
      const frame = choice
        ? { type: "choose", event, choice, language }
        : { type: "say", event, text, language, photos: item.shots.map((shot) => shot.sha256) };
      if (!this.line.send(frame)) return;
      item.state = "sent";
      this.line.expect();
    }
  }

  // ---------------------------------------------------------------------------------------------- from the server

  /** @param {any} frame */
  #receive(frame) {
    switch (frame.type) {
      case "snapshot":
        if (!frame.partial) this.rows.clear();
        this.id = frame.conversation;
        this.loaded = true;
        this.live = nothing();
        for (const [event, item] of this.sending) if (item.state === "taken") this.sending.delete(event);
        this.#rows(frame.rows);
        for (const live of frame.live) this.#receive(live);
        this.flush();
        break;
      case "said":
        this.#rows(frame.rows);
        break;
      case "taken":
        this.#taken(frame.event);
        break;
      case "refused":
        this.#refused(frame);
        break;
      case "preparing":
        this.live = { ...nothing(), preparing: true };
        break;
      case "thinking": {
        const before = this.live.stopped ? nothing() : this.live;
        this.live = { ...before, thinking: true, preparing: false, since: Date.now() - frame.waited * 1000 };
        break;
      }
      case "preview":
        this.live = { ...nothing(), thinking: true, preview: frame.text };
        break;
      case "notice": {
        const until = Date.now() + frame.left * 1000;
        const notice = { text: frame.text, until, from: until - frame.total * 1000, ahead: frame.ahead };
        this.live = { ...this.live, thinking: true, preparing: false, notice };
        break;
      }
      case "stopped":
        this.live = this.live.preview ? { ...nothing(), preview: this.live.preview, stopped: true } : nothing();
        break;
    }
    this.#changed();
  }

  /** @param {Row[]} rows */
  #rows(rows) {
    for (const row of rows) {
      const fresh = !this.rows.has(row.id);
      this.rows.set(row.id, row);
      if (row.speaker !== "customer") {
        if (fresh) this.live = nothing();
      } else if (row.event) {
        this.#done(row.event);
        this.sending.delete(row.event);
      }
      if (fresh && this.loaded) this.dispatchEvent(new CustomEvent("row", { detail: row }));
    }
  }

  /** @param {string} event */
  #taken(event) {
    this.#done(event);
    const mine = this.sending.get(event);
    if (mine) mine.state = "taken";
  }

  /** @param {{ event: string, reason: string, seconds: number }} frame */
  #refused(frame) {
    const item = this.sending.get(frame.event);
    if (!item) return;
    if (frame.reason === "pace") {
      item.state = "waiting";
      item.reason = "pace";
      this.pause = Date.now() + frame.seconds * 1000;
      setTimeout(() => this.flush(), frame.seconds * 1000 + 50);
      return;
    }
    item.state = "failed";
    item.reason = frame.reason;
    // The server does not have it (any more): the copy here goes up again.
    if (frame.reason === "photo") for (const shot of item.shots) Object.assign(shot, { sha256: null, state: "failed", reason: "line" });
  }

  // ---------------------------------------------------------------------------------------------- what is kept

  #ordered() {
    return [...this.sending.values()].sort((a, b) => a.at - b.at);
  }

  #keepAll() {
    for (const item of this.sending.values()) if (item.shots.length && item.state !== "taken") this.#keep(item.event);
  }

  /** @param {string} event */
  #keep(event) {
    const { text, shots, at, language, choice } = /** @type {Sending} */ (this.sending.get(event));
    keep.set(`out.${event}`, { text, at, language, choice, photos: shots.map((shot) => shot.kept) });
  }

  /** It is safe at the server: nothing of it needs to be kept here. @param {string} event */
  #done(event) {
    keep.set(`out.${event}`, null);
    for (const shot of this.sending.get(event)?.shots ?? []) this.photos.forget(shot);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
