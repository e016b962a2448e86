// The drawn hall. One path a zone, price and state, every seat a dot of it: a stadium is some hundred elements, and
// nothing is drawn anew while a finger moves, only the finished picture is shifted and scaled.

import { listen } from "./seatmap-hands.js";

const svgNs = "http://www.w3.org/2000/svg";
const free = 0, notForSale = 3;
/** Diameters in seats' distances: state is told by size, not by colour alone. */
const size = { free: 0.84, kept: 0.74, taken: 0.36, mine: 1.1 };
/** Instead of a number: for whom a seat is kept. The legend has the words. */
const letters = { wheelchair: "W", companion: "C" };
/** Pixels a seat must have before a tap means that seat, before it has a number, and at most. */
const px = { finger: 13, mouse: 7, number: 19, closest: 46 };
const settleMs = 140, stepMs = 220;
/** How much closer one tap leads, at most. */
const stepMost = 7;

const element = (name, attributes = {}, parent) => {
  const made = document.createElementNS(svgNs, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
};

export class SeatMap {
  /** `seats` of the layout; `colour(seat)` is its tier's number; `on.pick(ordinal)`, `on.look(ordinal | undefined)`. */
  constructor(view, seats, colour, on) {
    Object.assign(this, { view, seats, colour, on, statuses: new Uint8Array(seats.length), mine: new Set() });
    this.measure();
    this.draw();
    this.camera = this.shown = this.whole();
    listen(this);
    this.commit();
  }

  /** The hall's extent, how far apart neighbours sit, and a grid to find the seat under a finger. */
  measure() {
    const { seats } = this;
    const gaps = [];
    for (let i = 1; i < seats.length && gaps.length < 3000; i++) {
      const [a, b] = [seats[i - 1], seats[i]];
      if (a.zone === b.zone && a.row === b.row) gaps.push(Math.hypot(a.x - b.x, a.y - b.y));
    }
    gaps.sort((a, b) => a - b);
    this.pitch = gaps[gaps.length >> 2] || 1;
    const xs = seats.map((seat) => seat.x), ys = seats.map((seat) => seat.y);
    const least = (list) => list.reduce((a, b) => Math.min(a, b)), most = (list) => list.reduce((a, b) => Math.max(a, b));
    const box = { left: least(xs), right: most(xs), top: least(ys), bottom: most(ys) };
    this.stage = stageOf(box, seats);
    const margin = this.pitch * 1.5;
    this.box = {
      left: Math.min(box.left, this.stage.x) - margin, right: Math.max(box.right, this.stage.x + this.stage.width) + margin,
      top: Math.min(box.top, this.stage.y) - margin, bottom: box.bottom + margin,
    };
    this.cell = this.pitch * 2;
    this.grid = new Map();
    seats.forEach((seat, ordinal) => {
      const key = this.cellOf(seat.x, seat.y);
      const cell = this.grid.get(key);
      if (cell) cell.push(ordinal); else this.grid.set(key, [ordinal]);
    });
  }

  cellOf(x, y, dx = 0, dy = 0) {
    return `${Math.floor(x / this.cell) + dx},${Math.floor(y / this.cell) + dy}`;
  }

  draw() {
    const label = "Drawing of the hall. The list of seats has the same seats, with row and number.";
    this.svg = element("svg", { class: "map-svg", role: "img", "aria-label": label, preserveAspectRatio: "xMidYMid meet" });
    const { stage } = this;
    element("rect", { class: "stage", ...stage, rx: stage.height / 8 }, this.svg);
    const name = element("text", { class: "stage-name", x: stage.x + stage.width / 2, y: stage.y + stage.height / 2,
      "font-size": Math.min(stage.height * 0.55, stage.width / 5), "text-anchor": "middle", "dominant-baseline": "central" }, this.svg);
    name.textContent = "Stage";
    this.zones = new Map();
    this.seats.forEach((seat, ordinal) => {
      let zone = this.zones.get(seat.zone);
      if (!zone) {
        zone = { ordinals: [], paths: new Map(), group: element("g", {}, this.svg) };
        this.zones.set(seat.zone, zone);
      }
      zone.ordinals.push(ordinal);
    });
    this.numbers = element("g", { class: "numbers", "text-anchor": "middle", "font-size": this.pitch * 0.36 }, this.svg);
    this.chosen = element("g", { class: "chosen" }, this.svg);
    this.ring = element("circle", { class: "ring", r: this.pitch * 0.62, "stroke-width": this.pitch * 0.12, visibility: "hidden" }, this.svg);
    this.view.replaceChildren(this.svg);
  }

  /** New statuses of all seats, or of `changed` ones. */
  show(statuses, changed) {
    this.statuses = statuses;
    const zones = changed ? new Set(changed.map((ordinal) => this.seats[ordinal]?.zone)) : this.zones.keys();
    for (const zone of zones) if (zone !== undefined) this.paint(this.zones.get(zone));
    if (changed) this.number();
  }

  paint(zone) {
    const dots = new Map();
    for (const ordinal of zone.ordinals) {
      const status = this.statuses[ordinal];
      if (status === notForSale) continue;
      const seat = this.seats[ordinal];
      const kind = seat.access ? "free kept" : "free";
      const look = status === free ? `${kind} tier-${this.colour(seat)}` : "taken";
      // a hair's length: some engines leave out a line of none
      const dot = `M${seat.x} ${seat.y}h.01`;
      const list = dots.get(look);
      if (list) list.push(dot); else dots.set(look, [dot]);
    }
    for (const [look, path] of zone.paths) if (!dots.has(look)) path.setAttribute("d", "");
    for (const [look, list] of dots) {
      let path = zone.paths.get(look);
      if (!path) {
        const wide = this.pitch * (look === "taken" ? size.taken : look.includes("kept") ? size.kept : size.free);
        path = element("path", { class: look, "stroke-width": wide }, zone.group);
        zone.paths.set(look, path);
      }
      path.setAttribute("d", list.join(""));
    }
  }

  /** Which seats are the fan's choice. */
  choose(ordinals) {
    this.mine = new Set(ordinals);
    this.chosen.replaceChildren();
    const { pitch } = this;
    for (const ordinal of this.mine) {
      const { x, y } = this.seats[ordinal];
      element("circle", { cx: x, cy: y, r: (pitch * size.mine) / 2 }, this.chosen);
      const tick = `M${x - pitch * 0.25} ${y}l${pitch * 0.18} ${pitch * 0.2}l${pitch * 0.32} ${-pitch * 0.4}`;
      element("path", { d: tick, "stroke-width": pitch * 0.14 }, this.chosen);
    }
    this.number();
  }

  /** A ring around the seat that is spoken of. */
  point(ordinal) {
    const seat = this.seats[ordinal];
    this.ring.setAttribute("visibility", seat ? "visible" : "hidden");
    if (!seat) return;
    this.ring.setAttribute("cx", seat.x);
    this.ring.setAttribute("cy", seat.y);
  }

  // ---- the camera: the point in the middle and pixels a metre -------------------------------------------------

  whole() {
    const { left, right, top, bottom } = this.box;
    const { width, height } = this.frame();
    return { x: (left + right) / 2, y: (top + bottom) / 2, k: Math.min(width / (right - left), height / (bottom - top)) };
  }

  frame() {
    return { width: this.view.clientWidth || 320, height: this.view.clientHeight || 320 };
  }

  seatPx(camera = this.camera) {
    return this.pitch * camera.k;
  }

  /** Never further away than the whole hall, never closer than a thumb's width, never beside it. */
  bounded({ x, y, k }) {
    const whole = this.whole();
    const closest = Math.max(px.closest / this.pitch, whole.k);
    const bounded = Math.min(Math.max(k, whole.k), closest);
    const { width, height } = this.frame();
    const clamp = (value, low, high, half) =>
      high - low <= 2 * half ? (low + high) / 2 : Math.min(Math.max(value, low + half), high - half);
    return {
      k: bounded,
      x: clamp(x, this.box.left, this.box.right, width / 2 / bounded),
      y: clamp(y, this.box.top, this.box.bottom, height / 2 / bounded),
    };
  }

  /** Moves the picture as it is; it is drawn anew once it rests. */
  move(camera, smoothly = false) {
    this.camera = this.bounded(camera);
    const { camera: to, shown: from, svg } = this;
    const smooth = smoothly && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    svg.style.transition = smooth ? `transform ${stepMs}ms ease-out` : "none";
    svg.style.willChange = "transform";
    svg.style.transform =
      `translate(${(from.x - to.x) * to.k}px, ${(from.y - to.y) * to.k}px) scale(${to.k / from.k})`;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.commit(), smooth ? stepMs + 30 : settleMs);
  }

  commit() {
    clearTimeout(this.settling);
    this.camera = this.shown = this.bounded(this.camera);
    const { x, y, k } = this.shown;
    const { width, height } = this.frame();
    this.svg.setAttribute("viewBox", `${x - width / 2 / k} ${y - height / 2 / k} ${width / k} ${height / k}`);
    Object.assign(this.svg.style, { transition: "none", transform: "none", willChange: "auto" });
    const isWhole = k <= this.whole().k * 1.01;
    // as long as all of it is seen, a finger on it scrolls the page
    this.view.style.touchAction = isWhole ? "pan-y" : "none";
    this.view.dataset.near = this.seatPx() >= px.finger ? "yes" : "";
    this.number();
  }

  /** Numbers in the seats, where they can be read. */
  number() {
    this.numbers.replaceChildren();
    if (this.seatPx(this.shown) < px.number) return;
    const { x, y, k } = this.shown;
    const { width, height } = this.frame();
    const [halfX, halfY] = [width / 2 / k + this.pitch, height / 2 / k + this.pitch];
    for (let cx = Math.floor((x - halfX) / this.cell); cx <= (x + halfX) / this.cell; cx++) {
      for (let cy = Math.floor((y - halfY) / this.cell); cy <= (y + halfY) / this.cell; cy++) {
        for (const ordinal of this.grid.get(`${cx},${cy}`) ?? []) {
          if (this.statuses[ordinal] !== free || this.mine.has(ordinal)) continue;
          const seat = this.seats[ordinal];
          element("text", { x: seat.x, y: seat.y + this.pitch * 0.13, class: `tier-${this.colour(seat)}` }, this.numbers).textContent = letters[seat.access] ?? seat.number;
        }
      }
    }
  }

  zoom(factor, at, smoothly = true) {
    const { camera } = this;
    const k = this.bounded({ ...camera, k: camera.k * factor }).k;
    const point = at ?? camera;
    const share = 1 - camera.k / k;
    this.move({ k, x: camera.x + (point.x - camera.x) * share, y: camera.y + (point.y - camera.y) * share }, smoothly);
  }

  away() {
    this.move(this.whole(), true);
  }

  /** Brings a seat into view. */
  reach(ordinal) {
    const { x, y } = this.seats[ordinal];
    this.move({ x, y, k: Math.max(this.camera.k, (px.number + 4) / this.pitch) }, true);
  }

  // ---- fingers, mice, keys ------------------------------------------------------------------------------------

  world(event) {
    const box = this.view.getBoundingClientRect();
    const { camera } = this;
    return {
      x: camera.x + (event.clientX - box.left - box.width / 2) / camera.k,
      y: camera.y + (event.clientY - box.top - box.height / 2) / camera.k,
    };
  }

  /** The seat nearest to a point, within `reach` metres. */
  nearest({ x, y }, reach) {
    const cells = Math.min(6, Math.ceil(reach / this.cell));
    let best, bestDistance = reach;
    for (let dx = -cells; dx <= cells; dx++) {
      for (let dy = -cells; dy <= cells; dy++) {
        for (const ordinal of this.grid.get(this.cellOf(x, y, dx, dy)) ?? []) {
          if (this.statuses[ordinal] === notForSale) continue;
          const distance = Math.hypot(this.seats[ordinal].x - x, this.seats[ordinal].y - y);
          if (distance < bestDistance) [best, bestDistance] = [ordinal, distance];
        }
      }
    }
    return best;
  }

  tap(event) {
    const point = this.world(event);
    const isMouse = event.pointerType === "mouse";
    const enough = isMouse ? px.mouse : px.finger;
    if (this.seatPx() < enough) {
      // a large hall in two steps, each to where seats are
      const there = this.nearest(point, this.cell * 6);
      const factor = Math.min(Math.max(2.2, (px.number + 4) / this.seatPx()), stepMost);
      this.on.look(there);
      this.move({ ...(this.seats[there] ?? point), k: this.camera.k * factor }, true);
      return;
    }
    const ordinal = this.nearest(point, Math.max(this.pitch * 0.7, isMouse ? 0 : 20 / this.camera.k));
    this.on.look(ordinal);
    if (ordinal !== undefined) this.on.pick(ordinal);
  }

  pan(dx, dy, smoothly = false) {
    const { x, y, k } = this.camera;
    this.move({ x: x - dx / k, y: y - dy / k, k }, smoothly);
  }
}

/** Where the stage is drawn: before the first row, or in the middle where seats are all around it. */
function stageOf(box, seats) {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const around = box.top < -height / 4 && box.bottom > height / 4;
  if (!around) {
    const wide = Math.max(width * 0.38, 1), high = Math.max(height * 0.07, wide / 9);
    return { x: -wide / 2 + Math.max(0, box.left + width / 2 < -wide || box.left > 0 ? (box.left + box.right) / 2 : 0), y: box.top - high * 1.6, width: wide, height: high };
  }
  const inner = (along, across) => seats.reduce((nearest, seat) =>
    Math.abs(seat[across]) < height / 12 ? Math.min(nearest, Math.abs(seat[along])) : nearest, Infinity);
  const half = (along, across, whole) => { const found = inner(along, across); return Number.isFinite(found) ? found * 0.55 : whole / 8; };
  const [halfX, halfY] = [half("x", "y", width), half("y", "x", height)];
  return { x: -halfX, y: -halfY, width: 2 * halfX, height: 2 * halfY };
}
