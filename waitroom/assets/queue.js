// A fan's place, live. The server wrote every section; here one is shown and its fields are kept true, from
// the frames of /queue/{drop}/events alone: nothing is fetched when the drop changes.
import { say, text } from "../shared/page.js";
import { number, show, tellLocally, tellNotice, write } from "./faces.js";

const root = document.getElementById("queue");
const { path } = root.dataset;
const idOf = (place) => place.slice(0, 8);
// the server's clock, by which deadlines run
const clockAhead = (Date.parse(root.dataset.now) || Date.now()) - Date.now();
const serverNow = () => new Date(Date.now() + clockAhead).toISOString();

let { face, place, epoch } = root.dataset;
let shown = Number(root.dataset.shown) || undefined;
let from = Math.max(Number(root.dataset.from) || 0, firstSeen()) || undefined;
let frameAt = Date.now();

// ---- What is shown -------------------------------------------------------------------------------------

function faceOf({ state, reason }) {
  if (state === "called" && reason === "claim-waits") return "claiming";
  if (state !== "ended") return state;
  return { "session-over": "session-over", lapsed: "lapsed-out" }[reason] ?? "ended";
}

const minute = 60, hour = 3600;
const halves = (count) => `${Math.floor(count / 2) || (count % 2 ? "" : 0)}${count % 2 ? "½" : ""}`;

/** As words.rs says it: rounded outwards. */
function estimateOf(estimate) {
  if (!estimate) return "not known yet";
  const { p50_s: half, p90_s: most } = estimate;
  if (most <= minute) return "less than a minute";
  if (most > 2 * hour) {
    const [low, high] = [Math.floor(half / (hour / 2)), halves(Math.ceil(most / (hour / 2)))];
    return low ? `about ${halves(low)} to ${high} hours` : `up to ${high} hours`;
  }
  const [low, high] = [Math.floor(half / minute), Math.ceil(most / minute)];
  if (!low) return `up to ${high} minutes`;
  return low === high ? `about ${low} minutes` : `about ${low} to ${high} minutes`;
}

function aheadOf(ahead) {
  if (ahead === 0) return "Nobody is ahead of you: you are next";
  return ahead === 1 ? "1 person is ahead of you" : `${number(ahead)} people are ahead of you`;
}

/** A position is never shown to rise, until place or epoch change. */
function tellPosition({ position, ahead, estimate, left }) {
  if (left !== undefined) write(root, "left", left === null ? "not known yet" : number(left));
  if (position === null) return;
  if (shown && position > shown) [position, ahead] = [shown, shown - 1];
  shown = position;
  from = Math.max(from ?? 0, position);
  write(root, "position", number(position));
  write(root, "ahead", aheadOf(ahead));
  write(root, "estimate", estimateOf(estimate));
  fit();
  document.getElementById("gone").value = (1000 * (from + 1 - position)) / from;
  remember();
}

/** Long numbers need smaller digits on a phone; show.rs says the same. */
function fit() {
  for (const { classList, textContent } of root.querySelectorAll('[data-field="position"]')) {
    classList.toggle("long", textContent.length === 7);
    classList.toggle("longer", textContent.length > 7);
  }
}

function count(field, until) {
  for (const element of root.querySelectorAll(`[data-field="${field}"]`)) {
    if (!until || element.dataset.countdown === until) continue;
    element.dataset.now = serverNow();
    element.dataset.countdown = until;
  }
}

const tabs = {
  called: "Your turn!", lapsed: "Your turn!", claiming: "You’re in", admitted: "You’re in",
  lobby: "Lobby", paused: "Paused", sold_out: "Sold out",
};

function tellTab() {
  const word = face === "waiting" && shown ? `${number(shown)} in line` : tabs[face] ?? "Your place in line";
  const title = `${word} · ${root.dataset.title}`;
  if (document.title !== title) document.title = title;
}

const stepOf = {
  lobby: 0, drawing: 0, waiting: 0, paused: 0, restoring: 0, sold_out: 0,
  called: 1, claiming: 1, lapsed: 1, admitted: 2, finished: 3,
};

function tellStep() {
  const at = stepOf[face];
  for (const [i, step] of [...document.getElementById("steps").children].entries()) {
    step.classList.toggle("done", at > i);
    if (at === i) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  const leave = document.getElementById("leave");
  leave.hidden = !(at < 3);
  if (leave.hidden) leave.open = false;
}

function tellDocument(told) {
  const before = face;
  face = faceOf(told);
  tellPosition(told);
  count("deadline", told.claim_deadline);
  count("session", told.admission?.expires_at);
  if (told.opens_at) {
    count("opens", told.opens_at);
    for (const time of root.querySelectorAll('time[data-field="opens-at"]')) time.dateTime = told.opens_at;
    tellLocally(root);
  }
  if (face === "paused") write(root, "reason", told.reason ?? "");
  show(root, face);
  tellStep();
  tellTab();
  if (face !== before) announce();
  // who pressed for the turn and waited at the door need not press again
  if (before === "claiming" && face === "admitted") {
    const form = root.querySelector('form[data-do="enter"]');
    form.requestSubmit(form.querySelector("button"));
  }
}

let toldAt = Date.now();

/** Screen readers hear a change at once, a turn above everything else, and a number at most once a minute. */
function announce() {
  const section = root.querySelector(`.faces > [data-face="${face}"]`);
  const heading = section.querySelector("h2").textContent;
  const alarming = face === "called" || face === "lapsed";
  text(document.getElementById("now"), alarming ? `${heading}. ${section.querySelector("button").textContent}.` : "");
  if (alarming && navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
  if (!alarming) say([heading, section.querySelector(".lead")?.textContent].filter(Boolean).join(". "));
  toldAt = Date.now();
}

function announcePosition() {
  if (face !== "waiting" || Date.now() - toldAt < 60_000) return;
  toldAt = Date.now();
  say(`Your place in line: ${number(shown)}`);
}

// ---- What is remembered --------------------------------------------------------------------------------

function firstSeen() {
  try {
    const [of, first] = (localStorage.getItem(path) ?? "").split(".");
    return of === idOf(place) ? Number(first) || 0 : 0;
  } catch {
    return 0; // a browser that keeps nothing: the way begins at this look
  }
}

/** In the address, so that a reload shows no higher position, and in the browser, for the way gone. */
function remember() {
  history.replaceState(history.state, "", `${path}?shown=${idOf(place)}.${shown}&from=${from}`);
  try {
    localStorage.setItem(path, `${idOf(place)}.${from}`);
  } catch { /* a browser that keeps nothing */ }
}

function forget() {
  shown = from = undefined;
}

// ---- The stream ----------------------------------------------------------------------------------------

const backoffMs = { first: 1_000, most: 60_000 };
let source, timer, failures = 0;

function open() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(`${path}/events${shown ? `?shown=${shown}` : ""}`);
  for (const name of ["state", "called", "admitted"]) listen(name, tellDocument);
  listen("position", (told) => {
    tellPosition(told);
    tellTab();
    announcePosition();
  });
  listen("notice", (notice) => {
    if (tellNotice(root, notice)) say(`From the organiser: ${notice.text}`);
  });
  source.addEventListener("bye", (event) => {
    again(JSON.parse(event.data).retry_after_s * 1000);
  });
  source.onerror = () => {
    tellLink();
    // otherwise the browser comes back by itself, and says what was shown last
    if (source.readyState === EventSource.CLOSED) failed();
  };
}

function listen(name, tell) {
  source.addEventListener(name, (event) => {
    const told = JSON.parse(event.data);
    const epochNow = event.lastEventId.split(".")[0];
    if (epochNow && epochNow !== epoch) {
      epoch = epochNow;
      forget();
    }
    // another tab gave the place up for a new one: what was shown here says nothing of it
    if (told.place && told.place !== place) {
      place = told.place;
      const capped = shown !== undefined;
      forget();
      if (capped) return open();
    }
    failures = 0;
    frameAt = Date.now();
    tellLink();
    tell(told);
  });
}

/** Comes back after `ms` and up to half as much again, so that a crowd does not come as one. */
function again(ms) {
  source.close();
  clearTimeout(timer);
  timer = setTimeout(open, ms * (1 + Math.random() / 2));
}

async function failed() {
  failures += 1;
  again(Math.min(backoffMs.first * 2 ** failures, backoffMs.most));
  if (failures % 4 !== 0) return;
  // refused again and again: is there still a place for this browser?
  const status = await fetch(`${path}/status`, { cache: "no-store" }).then((answer) => answer.status, () => 0);
  if ([401, 403, 404].includes(status)) location.replace(path);
}

const link = document.getElementById("link");
const alive = "This page is live: it changes by itself.";
let linkTimer;

function tellLink() {
  clearTimeout(linkTimer);
  if (!navigator.onLine) {
    text(link, "You are offline. Your place stays; it goes on when you are back.");
  } else if (source?.readyState === EventSource.OPEN) {
    text(link, alive);
  } else {
    // most breaks are over before anybody need know
    linkTimer = setTimeout(() => text(link, "The connection is away. Your place stays; we keep trying."), 4_000);
  }
}

// a phone that slept may hold a stream that died unheard
const staleMs = 20_000;
function wake() {
  if (document.visibilityState === "visible" && Date.now() - frameAt > staleMs) open();
}

addEventListener("offline", tellLink);
addEventListener("online", open);
document.addEventListener("visibilitychange", wake);
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) open(); });

tellLocally(root);
if (shown) remember();
text(link, alive);
open();
