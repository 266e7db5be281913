// @ts-check
/** Photos on their way up, and those that come back down with the customer's token. */

import { freshId } from "./dom.js";
import * as keep from "./keep.js";

/** @typedef {"waiting" | "up" | "done" | "failed"} ShotState */

/** Uploads side by side; more only make each slower. */
const ABREAST = 2;
/** Milliseconds until an upload that the line lost is tried again by itself. */
const AGAIN = 3_000;
/** Reasons that another try would not change. */
const FINAL = new Set(["broken", "format", "too_big", "too_many_pixels", "too_small", "origin"]);

/** A photo of the customer's that is not a row yet. */
export class Shot {
  /** @param {string} id @param {Blob} blob @param {string | null} [sha256] */
  constructor(id, blob, sha256 = null) {
    this.id = id;
    this.blob = blob;
    this.url = URL.createObjectURL(blob);
    /** @type {string | null} */
    this.sha256 = sha256;
    /** @type {ShotState} */
    this.state = sha256 ? "done" : "waiting";
    /** Part that is up, 0…1. */
    this.progress = sha256 ? 1 : 0;
    /** Why it failed. */
    this.reason = "";
  }

  /** Whether trying again could help. */
  get hopeful() {
    return !FINAL.has(this.reason);
  }

  /** What outlives a reload. */
  get kept() {
    return { id: this.id, sha256: this.sha256 };
  }
}

export class Photos extends EventTarget {
  /** @param {() => string | null} token @param {{ bytes: number }} limits */
  constructor(token, limits) {
    super();
    this.token = token;
    this.limits = limits;
    /** @type {Shot[]} */
    this.queue = [];
    /** Those that the line lost; they go up again when it is back. @type {Set<Shot>} */
    this.lost = new Set();
    /** Those that go up now. @type {Map<Shot, XMLHttpRequest>} */
    this.going = new Map();
    /** @type {Map<string, Promise<string>>} */
    this.urls = new Map();
  }

  /** @param {Blob} blob */
  add(blob) {
    const shot = new Shot(freshId(), blob);
    keep.keepBlob(shot.id, blob);
    if (blob.size > this.limits.bytes) this.#fail(shot, "too_big");
    else this.upload(shot);
    return shot;
  }

  /**
   * Photos of a draft or a message from before a reload; what the browser lost is missing.
   * @param {{ id: string, sha256: string | null }[]} kept
   */
  async restore(kept) {
    const shots = await Promise.all(
      kept.map(async ({ id, sha256 }) => {
        const blob = await keep.getBlob(id);
        return blob ? new Shot(id, blob, sha256) : null;
      }),
    );
    return shots.filter((shot) => shot !== null).map((shot) => (shot.sha256 ? shot : this.upload(shot)));
  }

  /** @param {Shot} shot */
  upload(shot) {
    shot.state = "waiting";
    shot.progress = 0;
    shot.reason = "";
    this.lost.delete(shot);
    this.queue.push(shot);
    this.next();
    return shot;
  }

  /** Takes up what waits for a free hand or for the line. */
  next() {
    while (this.going.size < ABREAST && this.queue.length && this.token()) this.#send(/** @type {Shot} */ (this.queue.shift()));
  }

  /** The line is back. */
  resume() {
    for (const shot of this.lost) this.upload(shot);
    this.next();
  }

  /** Its blob is not needed any more: it is a row, or was removed. @param {Shot} shot */
  forget(shot) {
    this.queue = this.queue.filter((other) => other !== shot);
    this.lost.delete(shot);
    keep.dropBlob(shot.id);
    const request = this.going.get(shot);
    this.going.delete(shot);
    request?.abort();
    this.next();
  }

  /** @param {Shot} shot */
  #send(shot) {
    shot.state = "up";
    // fetch() does not tell how far an upload is.
    const request = new XMLHttpRequest();
    this.going.set(shot, request);
    request.open("POST", new URL("photos", document.baseURI));
    request.setRequestHeader("Authorization", `Bearer ${this.token()}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) shot.progress = event.loaded / event.total;
      this.#changed(shot);
    };
    request.onloadend = () => {
      // Forgotten meanwhile: nobody waits for it, and nothing may bring it back.
      if (!this.going.delete(shot)) return;
      const answer = parse(request.responseText);
      if (request.status === 201) {
        shot.sha256 = answer.sha256;
        shot.state = "done";
        shot.progress = 1;
        // Its row will show the very picture that is on the screen already.
        if (!this.urls.has(answer.sha256)) this.urls.set(answer.sha256, Promise.resolve(shot.url));
        this.#changed(shot);
      } else {
        this.#fail(shot, answer.reason || "line");
      }
      this.next();
    };
    request.send(shot.blob);
    this.#changed(shot);
  }

  /** @param {Shot} shot @param {string} reason */
  #fail(shot, reason) {
    shot.state = "failed";
    shot.reason = reason;
    this.#changed(shot);
    if (!shot.hopeful) return;
    this.lost.add(shot);
    if (navigator.onLine) setTimeout(() => this.lost.has(shot) && this.upload(shot), AGAIN);
  }

  /** @param {Shot} shot */
  #changed(shot) {
    this.dispatchEvent(new CustomEvent("shot", { detail: shot }));
  }

  /**
   * An address for a stored photo. Its token goes into a header, never into an address that logs would keep.
   * @param {string} sha256
   * @returns {Promise<string>}
   */
  url(sha256) {
    let url = this.urls.get(sha256);
    if (!url) {
      url = this.#fetch(sha256);
      this.urls.set(sha256, url);
      url.catch(() => this.urls.delete(sha256));
    }
    return url;
  }

  /** @param {string} sha256 */
  async #fetch(sha256) {
    const response = await fetch(new URL(`photos/${sha256}`, document.baseURI), {
      headers: { Authorization: `Bearer ${this.token()}` },
    });
    if (!response.ok) throw new Error(`photo: ${response.status}`);
    return URL.createObjectURL(await response.blob());
  }
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
