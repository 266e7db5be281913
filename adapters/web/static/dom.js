// @ts-check
/** Elements without markup: words only ever arrive as text nodes, so nothing that a customer types can become a tag. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * One element. `class`, `data-*`, `aria-*` and other attributes go by their names; `on…` takes a listener.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) node.append(child);
  return node;
}

/** Paths in a box of 24 × 24, drawn as lines. @type {Record<string, string>} */
const PATHS = {
  send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
  photo: "M4 7.5h3.5L9 5h6l1.5 2.5H20v11.5H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9.5h.01",
  fresh: "M12 20H5l-1 1v-9a8 8 0 1 1 8 8zM12 9v6M9 12h6",
  close: "M6 6l12 12M18 6 6 18",
  left: "M14.5 5.5 8 12l6.5 6.5",
  right: "M9.5 5.5 16 12l-6.5 6.5",
  down: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 3.5v4h-4",
  warn: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.3h.01",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  drop: "M12 4v11M7 10.5l5 5 5-5M4 19.5h16",
};

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A full square: stop. */
export function square() {
  const svg = icon("close");
  svg.classList.add("solid");
  svg.firstElementChild?.setAttribute("d", "M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z");
  return svg;
}

/**
 * A ring that fills. `set(part)` with 0…1.
 * @returns {{ node: SVGSVGElement, set: (part: number) => void }}
 */
export function ring() {
  const around = 2 * Math.PI * 9;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "ring");
  svg.setAttribute("aria-hidden", "true");
  const circles = ["track", "fill"].map((name) => {
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("class", name);
    circle.setAttribute("cx", "12");
    circle.setAttribute("cy", "12");
    circle.setAttribute("r", "9");
    svg.append(circle);
    return circle;
  });
  circles[1].setAttribute("stroke-dasharray", String(around));
  return {
    node: svg,
    set: (part) => circles[1].setAttribute("stroke-dashoffset", String(around * (1 - Math.min(1, Math.max(0, part))))),
  };
}

/** An id that nobody else will make. `randomUUID` is missing where a page is opened over plain http in a shop's own net. */
export function freshId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
