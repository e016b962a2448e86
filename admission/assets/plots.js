// Five minutes of figures as small plots. The browser remembers them itself, for this tab and over reloads.

import { text } from "../shared/page.js";
import { grouped } from "./rate.js";

const spanMs = 300_000;
const meanMs = 5_000; // grants come in small bursts: a mean over some seconds shows the pace
const keepEach = 10; // frames
const [wide, high] = [300, 72]; // of the viewBox
const margin = 3;

const kinds = {
  waiting: { of: (sample) => sample.waiting },
  rate: { of: (sample) => sample.pace, against: (sample) => sample.rate / 60 },
  active: { of: (sample) => sample.active, against: (sample) => sample.most, onlyNear: true },
  sold: { of: (sample) => sample.sold, against: (sample) => sample.capacity, isWhole: true },
};

export class Plots {
  constructor(drop, root) {
    this.name = `onsale-plots-${drop}`;
    this.root = root;
    this.samples = this.remembered();
  }

  add(frame) {
    const now = Date.now();
    const { samples } = this;
    while (samples.length && now - samples[0].at > spanMs) samples.shift();
    const before = samples.findLast((sample) => now - sample.at >= meanMs) ?? samples[0];
    const since = before && now - before.at < 3 * meanMs ? (frame.granted - before.granted) / ((now - before.at) / 1000) : 0;
    samples.push({
      at: now,
      waiting: frame.waiting + frame.lobby,
      granted: frame.granted,
      pace: Number.isFinite(since) ? Math.max(0, since) : 0,
      rate: frame.rate_per_minute,
      active: frame.active,
      most: frame.max_active,
      sold: frame.sold,
      capacity: frame.capacity,
    });
    if (samples.length < 2) return;
    this.root.hidden = false;
    for (const [id, kind] of Object.entries(kinds)) this.draw(id, kind, now);
    if (samples.length % keepEach === 0) this.keep();
  }

  draw(id, { of, against, onlyNear, isWhole }, now) {
    const figure = this.root.querySelector(`[data-plot="${id}"]`);
    const values = this.samples.map(of);
    let limits = against ? this.samples.map(against) : [];
    const peak = Math.max(...values);
    // a limit far above would press the line to the ground
    if (onlyNear && Math.max(...limits) > 4 * Math.max(peak, 1)) limits = [];
    const most = Math.max(peak, ...limits, 1);
    const top = isWhole ? most : scale(most);
    const x = (sample) => (wide * (1 - (now - sample.at) / spanMs)).toFixed(1);
    const y = (value) => (high - margin - ((high - 2 * margin) * value) / top).toFixed(1);
    const line = (list) => list.map((value, index) => `${x(this.samples[index])},${y(value)}`).join(" ");
    const points = line(values);
    figure.querySelector(".over-time").setAttribute("points", points);
    figure.querySelector(".below").setAttribute("points", `${x(this.samples[0])},${high} ${points} ${wide},${high}`);
    figure.querySelector(".against").setAttribute("points", line(limits));
    const whole = (value) => grouped(Math.round(value));
    text(figure.querySelector("[data-most]"), `0 to ${whole(top)}`);
    const name = figure.querySelector("figcaption").firstElementChild.textContent;
    const words = `${name}, the last five minutes: between ${whole(Math.min(...values))} and ${whole(peak)}, now ${whole(values.at(-1))}`;
    figure.querySelector("svg").setAttribute("aria-label", words);
  }

  keep() {
    try {
      sessionStorage.setItem(this.name, JSON.stringify(this.samples));
    } catch {
      // a full or forbidden storage only means that a reload begins anew
    }
  }

  remembered() {
    try {
      const samples = JSON.parse(sessionStorage.getItem(this.name)) ?? [];
      return samples.filter((sample) => Date.now() - sample.at < spanMs);
    } catch {
      return [];
    }
  }
}

/** The next round number: 1, 2, 2.5 or 5 times a power of ten, so that the scale seldom moves. */
function scale(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * unit).find((step) => step >= value);
}
