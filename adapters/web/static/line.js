// @ts-check
/** The line to the shop: one WebSocket that comes back by itself. Frames: `adapters/web/frames.py`. */

/** @typedef {"connecting" | "open" | "offline"} LineState */

/** Milliseconds between pings, and the longest wait for an answer to anything. */
const PING = 25_000;
const PATIENCE = 10_000;

export class Line extends EventTarget {
  constructor() {
    super();
    /** The first frame of each connection. @type {() => Record<string, any>} */
    this.hello = () => ({});
    /** @type {LineState} */
    this.state = "connecting";
    /** Since when it is not open, in ms; 0 while it is. */
    this.downSince = Date.now();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.tries = 0;
    this.timer = 0;
    this.awaited = 0;
    addEventListener("online", () => this.#now());
    addEventListener("offline", () => this.#set("offline"));
    addEventListener("pageshow", (event) => event.persisted && this.#now());
    document.addEventListener("visibilitychange", () => {
      // A phone that slept: its line may be dead without knowing.
      if (document.visibilityState === "visible") this.state === "open" ? this.#ping() : this.#now();
    });
    setInterval(() => this.state === "open" && this.#ping(), PING);
  }

  /** @param {() => Record<string, any>} hello */
  open(hello) {
    this.hello = hello;
    this.#connect();
  }

  /** Connects without waiting for the next try. */
  #now() {
    this.tries = 0;
    if (this.state !== "open") this.#connect();
  }

  #connect() {
    clearTimeout(this.timer);
    this.#leave();
    if (!navigator.onLine) this.#set("offline");
    else this.#set("connecting");
    const address = new URL("ws", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify(this.hello()));
      this.expect();
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      clearTimeout(this.awaited);
      const frame = JSON.parse(event.data);
      if (frame.type === "snapshot") {
        this.tries = 0;
        this.downSince = 0;
        this.#set("open");
      }
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    };
    socket.onclose = () => {
      if (socket === this.socket) this.#lost();
    };
  }

  /** Begins anew, as somebody else or because the server fell silent. */
  reset() {
    this.#leave();
    this.#lost();
  }

  /**
   * Sends now or not at all; who needs more keeps its own copy.
   * @param {Record<string, any>} frame
   * @returns {boolean} whether the line took it
   */
  send(frame) {
    if (this.state !== "open" || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** An answer is due: if nothing at all comes, the line is dead. */
  expect() {
    clearTimeout(this.awaited);
    this.awaited = setTimeout(() => this.reset(), PATIENCE);
  }

  #ping() {
    if (this.send({ type: "ping" })) this.expect();
  }

  #leave() {
    clearTimeout(this.awaited);
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #lost() {
    clearTimeout(this.awaited);
    this.socket = null;
    this.downSince ||= Date.now();
    this.#set(navigator.onLine ? "connecting" : "offline");
    // 0.3, 0.6, 1.2 … 10 s, each a little off, so that a restarted shop is not run over by all its tabs at once.
    const wait = Math.min(10_000, 300 * 2 ** this.tries++) * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.#connect(), wait);
  }

  /** @param {LineState} state */
  #set(state) {
    if (state !== "open") this.downSince ||= Date.now();
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
