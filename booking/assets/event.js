// The event's sale, live: asks the line's pulse every few seconds while somebody looks, and takes over what the
// server says of the sale when something has changed. Words are written by the server only.
import { say, text } from "../shared/page.js";

const everyMs = 4_000;
const jitterMs = 2_000;
const sale = document.querySelector("[data-pulse]");
// The page is counted anew a moment after the line: what changed is fetched on this turn and on the next.
const turnsAfterChange = 2;
// While tickets sell, something is sold every second: the crowd must not fetch a page for each.
const countsEveryMs = 30_000;
// Everybody learns of a change within a turn; so many fetch the page over a few seconds more.
const spreadMs = 5_000;
let phase, counts, lookedAt = Date.now(), timer, asking = false, turnsLeft = 0;

/** The parts of the page that may change, from a fresh copy of it. */
async function takeOver() {
  lookedAt = Date.now();
  // not the copy the browser keeps: that may be shown for seconds after it has grown old
  const response = await fetch(location.pathname, { cache: "no-cache" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (other) own(other);
    if (other && !sameWords(part, other)) replace(part, other);
  }
}

const words = (element) => element.textContent.replace(/\s+/g, " ").trim();

function sameWords(ours, other) {
  const counted = ours.querySelector("[data-countdown]");
  const theirs = other.querySelector("[data-countdown]");
  // a countdown differs by its nature: it counts by its end
  if (counted && theirs && counted.dataset.countdown === theirs.dataset.countdown) text(theirs, counted.textContent);
  return words(ours) === words(other);
}

function replace(part, other) {
  const wasFocused = part.contains(document.activeElement);
  const before = words(part.querySelector(".badge") ?? part);
  part.replaceChildren(...other.childNodes);
  const after = words(part.querySelector(".badge") ?? part);
  if (part.dataset.live === "sale" && before !== after) say(after);
  if (wasFocused) part.querySelector("button, a")?.focus();
}

function show(pulse) {
  const waiting = sale.querySelector("[data-waiting]");
  if (!waiting) return;
  if (pulse.sold_out || pulse.state === "ended") return text(waiting, "");
  const count = pulse.state === "scheduled" ? pulse.lobby : pulse.waiting;
  if (!count) return text(waiting, pulse.state === "scheduled" ? "Nobody is in the lobby yet" : "Nobody is waiting");
  const number = new Intl.NumberFormat(document.documentElement.lang).format(count);
  text(waiting, pulse.state === "scheduled" ? `${number} in the lobby` : `${number} waiting in line`);
}

/** The server's clock, for the countdown: this page may come out of a cache. */
function setClock(response) {
  const countdown = sale.querySelector("[data-countdown]");
  const date = Date.parse(response.headers.get("date"));
  if (countdown && !countdown.dataset.now && date) countdown.dataset.now = new Date(date).toISOString();
}

// ---- who has a place already needs no other: the page is everybody's, the place is told by the line ---------------

let place;

/** Puts the way to one's own place where the way into the line was. */
function own(part) {
  const form = place && part.querySelector(`form[action="${place.queue}"]`);
  if (!form) return;
  const link = document.createElement("a");
  Object.assign(link, { href: place.queue, textContent: place.words, className: "button wide large" });
  form.replaceWith(link);
  part.querySelector(".already")?.remove();
}

const ownWords = { called: "It is your turn", claiming: "It is your turn", admitted: "It is your turn" };
const inLine = ["lobby", "waiting", "paused", ...Object.keys(ownWords)];

async function findPlace() {
  const queue = sale.dataset.pulse.replace(/\/pulse$/, "");
  try {
    // a note of the waiting page: who has never been in this line need not ask
    if (!localStorage.getItem(queue)) return;
    const response = await fetch(`${queue}/status`);
    if (!response.ok) return;
    const { state } = await response.json();
    if (!inLine.includes(state)) return;
    place = { queue, words: ownWords[state] ?? "See your place in line" };
    for (const part of sale.querySelectorAll("[data-live]")) own(part);
  } catch {
    // no network, or a browser that keeps nothing: the page stays as it is for everybody
  }
}

async function ask() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const response = await fetch(sale.dataset.pulse);
    if (response.ok) {
      setClock(response);
      const pulse = await response.json();
      const now = { phase: [pulse.state, pulse.sold_out, pulse.opens_at].join(), counts: [pulse.held, pulse.sold].join() };
      if (phase !== undefined && phase !== now.phase) {
        turnsLeft = turnsAfterChange;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * spreadMs));
      } else if (counts !== now.counts && Date.now() - lookedAt > countsEveryMs) turnsLeft = Math.max(turnsLeft, 1);
      if (turnsLeft > 0) {
        counts = now.counts;
        turnsLeft -= 1;
        await takeOver();
      }
      counts ??= now.counts;
      phase = now.phase;
      show(pulse);
    }
  } catch {
    // no network: what is shown stays, and the next turn asks again
  } finally {
    asking = false;
    schedule();
  }
}

function schedule() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(ask, everyMs + Math.random() * jitterMs);
}

if (sale) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
  // the server opens the sale at the same moment; spread, so that the whole world does not ask at once
  sale.addEventListener("countdown-end", () => setTimeout(ask, 500 + Math.random() * jitterMs));
  ask();
  findPlace();
}
