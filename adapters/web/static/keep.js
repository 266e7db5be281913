// @ts-check
/** What must survive a reload: who we are, the draft, what is not acknowledged yet; photos that are not sent as blobs.
 *
 * Every message on its way has a key of its own, so that two tabs never write over each other. A browser that keeps
 * nothing (private window, full disk) gets a page that works until it is closed.
 */

const PREFIX = "shop-chat.";

/** @type {Map<string, string>} */
const spare = new Map();

/** @param {string} name @returns {any} */
export function get(name) {
  try {
    const text = localStorage.getItem(PREFIX + name) ?? spare.get(name) ?? null;
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string} name @param {any} value null removes */
export function set(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
    spare.delete(name);
  } catch {
    if (value === null) spare.delete(name);
    else spare.set(name, JSON.stringify(value));
  }
}

/** Names that begin so, without the beginning. @param {string} start @returns {string[]} */
export function names(start) {
  const found = [...spare.keys()];
  try {
    for (let i = 0; i < localStorage.length; i++) {
      const key = localStorage.key(i);
      if (key?.startsWith(PREFIX)) found.push(key.slice(PREFIX.length));
    }
  } catch {
    // the spare ones, then
  }
  return [...new Set(found)].filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
}

/** Calls back when another tab changed a value. @param {(name: string) => void} then */
export function watch(then) {
  addEventListener("storage", (event) => {
    if (event.key?.startsWith(PREFIX)) then(event.key.slice(PREFIX.length));
  });
}

// ------------------------------------------------------------------------------------------------ blobs

/** @type {Promise<IDBDatabase | null> | null} */
let opened = null;

function database() {
  opened ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open("shop-chat", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("photos");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
      request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opened;
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>}
 */
async function blobs(mode, act) {
  const db = await database();
  if (!db) return null;
  return new Promise((resolve) => {
    try {
      const request = act(db.transaction("photos", mode).objectStore("photos"));
      request.onsuccess = () => resolve(request.result ?? null);
      request.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

/** @param {string} id @returns {Promise<Blob | null>} */
export const getBlob = (id) => blobs("readonly", (store) => store.get(id));

/** @param {string} id @param {Blob} blob */
export const keepBlob = (id, blob) => blobs("readwrite", (store) => store.put(blob, id));

/** @param {string} id */
export const dropBlob = (id) => blobs("readwrite", (store) => store.delete(id));
