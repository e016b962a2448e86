// What every page does once its scripts run. Other modules import `text`, `say`, `duration`, `spoken`, `remaining`
// and `tick`.

const units = { s: 1000, minute: 60, hour: 3600, day: 86_400 };
const sayGapMs = 10_000;

const unit = (value, name) => new Intl.NumberFormat(document.documentElement.lang || "en", {
  style: "unit", unit: name, unitDisplay: "long", numberingSystem: "latn",
}).format(value);

/** Seconds as a clock: 0:59, 12:05, 47:02:03; from two days on "3 days", in the page's language. */
export function duration(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  if (left >= 2 * units.day) return unit(Math.floor(left / units.day), "day");
  const two = (number) => String(number).padStart(2, "0");
  const [h, m, s] = [Math.floor(left / units.hour), Math.floor(left / units.minute) % 60, left % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds as they are said in the page's language: "45 seconds", "2 minutes". */
export function spoken(seconds) {
  const left = Math.max(0, Math.round(seconds));
  return left < 2 * units.minute ? unit(left, "second") : unit(Math.floor(left / units.minute), "minute");
}

/** Writes only what changed: an untouched text costs no layout and keeps a reader's selection. */
export function text(element, value) {
  const words = String(value);
  if (element && element.textContent !== words) element.textContent = words;
}

const region = document.createElement("p");
region.className = "visually-hidden";
region.setAttribute("role", "status");
document.body.append(region);
let pending, timer, saidAt = 0;

/** Tells a screen reader, once it is silent and not more often than every ten seconds; the newest message wins. */
export function say(message) {
  pending = message;
  timer ??= setTimeout(() => {
    [timer, saidAt] = [undefined, Date.now()];
    text(region, pending);
  }, Math.max(200, saidAt + sayGapMs - Date.now()));
}

// Countdowns. `data-now` is the server's clock when it wrote the element, `data-countdown` the end; a fan's own
// clock may be wrong by minutes. Elements may come and change at any time: each tick looks for them again.
// `data-announce` says what the time is for ("to pay", or a whole sentence with {time}): a screen reader hears
// twice that it runs out.
const announceAt = [120, 30];
const clocks = new WeakMap();
let writtenAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);

function clock(element) {
  const { countdown, now } = element.dataset;
  const known = clocks.get(element);
  if (known?.countdown === countdown && known.now === now) return known;
  const ahead = Date.parse(now) - writtenAt || 0;
  const fresh = { countdown, now, endsAt: Date.parse(countdown) - ahead, ended: false };
  clocks.set(element, fresh);
  return fresh;
}

/** Seconds until a countdown's end, by the server's clock. */
export const remaining = (element) => (clock(element).endsAt - Date.now()) / units.s;

function announce(element, it, left) {
  const due = announceAt.some((seconds) => it.left > seconds && left <= seconds);
  it.left = left;
  if (!due || left <= 0 || element.closest("[hidden]")) return;
  const { announce: what } = element.dataset;
  say(what.includes("{time}") ? what.replace("{time}", spoken(left)) : `${spoken(left)} left ${what}.`);
}

/** Writes every countdown as it stands; happens by itself four times a second. */
export function tick() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const it = clock(element);
    const left = (it.endsAt - Date.now()) / units.s;
    if (Number.isNaN(left)) continue;
    const words = duration(Math.ceil(left));
    text(element, words);
    element.classList.toggle("long", words.length > 5); // hours need smaller digits on a phone
    if (element.dataset.announce) announce(element, it, left);
    if (left > 0) it.ended = false;
    else if (!it.ended) {
      it.ended = true;
      element.dispatchEvent(new CustomEvent("countdown-end", { bubbles: true }));
    }
  }
  writtenAt = Date.now(); // whatever comes after the first look was written just now
}

// A form that must not be sent twice: its buttons rest after the first time, until the page is shown again.
const resting = new Map();

function sendOnce(event) {
  const form = event.target;
  if (!form.matches("[data-once]") || event.defaultPrevented) return;
  if (resting.has(form)) return event.preventDefault();
  const buttons = [...form.elements].filter((element) => element.type === "submit" && !element.disabled);
  resting.set(form, buttons);
  form.setAttribute("aria-busy", "true");
  event.submitter?.classList.add("pressed");
  // Later, because a disabled button's name and value would not be sent.
  setTimeout(() => { for (const button of buttons) button.disabled = resting.has(form); });
}

function allowAgain() {
  for (const [form, buttons] of resting) {
    form.removeAttribute("aria-busy");
    for (const button of buttons) {
      button.disabled = false;
      button.classList.remove("pressed");
    }
  }
  resting.clear();
}

// A refusal that passes: ask again, spread by a fifth so that a crowd does not come back as one.
function askAgain() {
  const seconds = Number(document.querySelector("[data-retry-after]")?.dataset.retryAfter);
  if (seconds > 0) setTimeout(() => location.reload(), seconds * units.s * (1 + Math.random() / 5));
}

document.addEventListener("submit", sendOnce);
addEventListener("pageshow", allowAgain);
// Not before every module of the page runs: one of them may wait for `countdown-end`.
addEventListener("DOMContentLoaded", () => {
  tick();
  setInterval(tick, 250);
  askAgain();
});
