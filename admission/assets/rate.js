// The rate: a field and a slider in step, and what the number means. Nothing is sent by sliding.

import { text } from "../shared/page.js";

const least = 1;
const most = 6_000_000;
const steps = 100; // to each side; the ends are a tenth and ten times the rate that holds

const number = new Intl.NumberFormat("en");
let waiting; // who can still get in

export const grouped = (value) => number.format(value);

/** Seconds in words short enough for a badge. */
export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** 33 a second, 1.5 a second, 1 every 6 seconds. */
function pace(rate) {
  const short = (value) => String(Math.round(value * 10) / 10);
  if (rate >= 600) return `${grouped(Math.round(rate / 60))} a second`;
  return rate >= 60 ? `${short(rate / 60)} a second` : `1 every ${short(60 / rate)} seconds`;
}

/** Two figures that count: nobody means 1,998. */
function rounded(rate) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return Math.min(most, Math.max(least, Math.round(rate / unit) * unit));
}

function parts() {
  const form = document.getElementById("rate")?.form;
  return form && {
    form,
    field: form.elements.rate,
    slide: document.getElementById("rate-slide"),
    holds: Number(form.elements.from.value),
  };
}

const at = (step, holds) => (step === 0 ? holds : rounded(holds * 10 ** (step / steps)));

/** Fits the slider to the rate that holds, and says what the field means for those who wait. */
export function followRate(root, frame) {
  waiting = ["sold_out", "ended"].includes(frame.state) ? 0 : frame.waiting + frame.lobby;
  const rate = parts();
  if (!rate) return;
  const { form, slide, holds } = rate;
  if (slide.parentElement.hidden) {
    slide.parentElement.hidden = false;
    text(form.querySelector('[data-slide="least"]'), grouped(at(-steps, holds)));
    text(form.querySelector('[data-slide="most"]'), grouped(at(steps, holds)));
    toField(rate);
  }
  mean(rate);
}

function toField({ field, slide, holds }) {
  const typed = Number(field.value);
  if (typed >= least) slide.value = Math.round(steps * Math.log10(typed / holds));
}

function mean({ form, field, slide, holds }) {
  const typed = Number(field.value);
  const isRate = Number.isInteger(typed) && typed >= least && typed <= most;
  const all = waiting === 1 ? "The one in line is" : `The ${grouped(waiting ?? 0)} in line are`;
  const line = waiting ? ` ${all} through in about ${span((waiting * 60) / typed)}.` : "";
  const means = isRate ? `${grouped(typed)} a minute is about ${pace(typed)}.${line}` : `From 1 to ${grouped(most)}.`;
  text(form.querySelector("[data-means]"), means);
  const button = form.querySelector("[data-set]");
  const isNew = isRate && typed !== holds;
  text(button, isNew ? `Set to ${grouped(typed)} a minute` : "Set the rate");
  button.classList.toggle("secondary", !isNew);
  slide.setAttribute("aria-valuetext", `${grouped(at(Number(slide.value), holds))} a minute`);
}

document.addEventListener("input", (event) => {
  const rate = parts();
  if (!rate || (event.target !== rate.field && event.target !== rate.slide)) return;
  if (event.target === rate.slide) rate.field.value = at(Number(rate.slide.value), rate.holds);
  else toField(rate);
  mean(rate);
});
