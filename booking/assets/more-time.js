// More time to pay: comes up two minutes before the hold ends, and asks without loading the page anew, so that a card
// half typed in stays as it is.
import { remaining, say, text, tick } from "../shared/page.js";

const lookMs = 500;

const form = document.getElementById("more-time");
const hold = document.getElementById("hold-left");
const warnS = Number(form.dataset.warnS);

/** Where the fan's own clock will stand, however wrong it may be. */
function clocks() {
  for (const element of document.querySelectorAll("[data-clock]")) {
    const { clock, now } = element.dataset;
    const at = new Date(Date.now() + Date.parse(clock) - Date.parse(now));
    text(element, at.toLocaleTimeString(document.documentElement.lang || "en", { hour: "numeric", minute: "2-digit" }));
  }
}

/** Not under a finger that has just pressed it. */
function look() {
  const isEarly = remaining(hold) > warnS && !form.contains(document.activeElement);
  form.toggleAttribute("data-early", isEarly);
}

/** The hold ends at another time now. */
function moved(booking, now) {
  const by = Date.parse(booking.expires_at) - Date.parse(hold.dataset.countdown);
  for (const element of document.querySelectorAll("[data-countdown]")) {
    Object.assign(element.dataset, { countdown: booking.expires_at, now });
  }
  for (const element of document.querySelectorAll("[data-clock]")) {
    const clock = new Date(Date.parse(element.dataset.clock) + by).toISOString();
    Object.assign(element.dataset, { clock, now });
  }
  tick();
  clocks();
}

function tell(left) {
  const words = left
    ? `Your seats are held for longer now. If that is too short, you can ask ${left === 1 ? "once more" : `${left} more times`}.`
    : "Your seats are held for longer now. This was the last time they could be.";
  text(document.getElementById("more-words"), words);
  say(words);
  if (left) return;
  hold.dataset.announce = "to pay";
  form.querySelector("button").hidden = true;
}

let asking = false;
async function ask() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(`/booking/${form.dataset.booking}/extend`, { method: "POST" });
    // paid, over or at its end: the page knows words for it
    if ([401, 404, 409, 410].includes(answer.status)) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const booking = await answer.json();
    moved(booking, new Date(answer.headers.get("Date") ?? Date.now()).toISOString());
    tell(booking.extensions_left);
  } catch {
    const words = "That did not reach us. Press the button once more.";
    text(document.getElementById("more-words"), words);
    say(words);
  } finally {
    asking = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
clocks();
look();
setInterval(look, lookMs);
