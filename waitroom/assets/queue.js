// A fan's place, live. The server wrote every section; here one is shown and its fields are kept true, from
// the frames of /queue/{drop}/events alone: nothing is fetched when the drop changes.
import { say, spoken, text, tick } from "../shared/page.js";
import { number, show, tellLocally, tellNotice, write } from "./faces.js";

const root = document.getElementById("queue");
const { path } = root.dataset;
const idOf = (place) => place.slice(0, 8);
// the server's clock, by which deadlines run
const clockAhead = (Date.parse(root.dataset.now) || Date.now()) - Date.now();
const serverNow = () => new Date(Date.now() + clockAhead).toISOString();

let { face, place, epoch } = root.dataset;
let shown = Number(root.dataset.shown) || undefined;
let from = Number(root.dataset.from) || undefined;
let frameAt = Date.now();

// ---- What is shown -------------------------------------------------------------------------------------

function faceOf({ state, reason, called }) {
  if (state === "paused" && called) return "paused-turn";
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
  write(root, "estimate", estimateOf(estimate));
  stand(position, ahead);
}

function stand(position, ahead) {
  shown = position;
  from = Math.max(from ?? 0, position);
  write(root, "position", number(position));
  write(root, "ahead", aheadOf(ahead));
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
  tick(); // written before it is shown
}

const tabs = {
  called: "Your turn!", lapsed: "Your turn!", claiming: "At the door", admitted: "You’re in",
  lobby: "Lobby", paused: "Paused", "paused-turn": "Paused", sold_out: "Sold out",
  finished: "You have your tickets", left: "You left the line", ended: "Sale over",
  "session-over": "Your turn is over", "lapsed-out": "Your turn is over",
};

function tellTab() {
  const word = face === "waiting" && shown ? `${number(shown)} in line` : tabs[face] ?? "Your place in line";
  const title = `${word} · ${root.dataset.title}`;
  if (document.title !== title) document.title = title;
}

const stepOf = {
  lobby: 0, drawing: 0, waiting: 1, paused: 1, restoring: 1,
  called: 2, claiming: 2, lapsed: 2, "paused-turn": 2, admitted: 3,
};

function tellStep() {
  const at = stepOf[face];
  for (const step of document.getElementById("steps").children) {
    const its = Number(step.dataset.step);
    step.classList.toggle("done", at > its);
    if (at === its) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  const leave = document.getElementById("leave");
  leave.hidden = at === undefined && face !== "sold_out";
  if (leave.hidden) leave.open = false;
  document.getElementById("what-next").hidden = at === undefined;
  const signIn = document.getElementById("sign-in");
  if (signIn) signIn.hidden = leave.hidden;
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
  if (told.state === "paused") write(root, "reason", told.reason ?? "");
  show(root, face);
  tellStep();
  tellTab();
  if (face !== before) announce(told);
  // who pressed for the turn and waited at the door need not press again
  if (before === "claiming" && face === "admitted") {
    const form = root.querySelector('form[data-do="enter"]');
    form.requestSubmit(form.querySelector("button"));
  }
}

let toldAt = Date.now();

/** Screen readers hear a change at once, a turn above everything else, and a number at most once a minute. */
function announce(told) {
  const section = root.querySelector(`.faces > [data-face="${face}"]`);
  const heading = section.querySelector("h2").textContent;
  const alarming = face === "called" || face === "lapsed";
  const within = face === "called" ? ` within ${spoken((Date.parse(told.claim_deadline) - Date.now() - clockAhead) / 1000)}` : "";
  text(document.getElementById("now"), alarming ? `${heading}. ${section.querySelector("button").textContent}${within}.` : "");
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

/** A page opened anew may have been told less than this browser showed before. */
function recall() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(path));
  } catch { /* a browser that keeps nothing, or kept something else: the way begins at this look */ }
  if (kept?.place !== idOf(place) || kept.epoch !== epoch || !(kept.shown > 0)) return;
  from = Math.max(from ?? 0, kept.from) || undefined;
  const before = shown;
  shown = Math.min(shown ?? kept.shown, kept.shown);
  if (before > shown) {
    stand(shown, shown - 1);
    tellTab();
  }
}

/** In the address and wherever the page leads, so that no way back shows a higher position; in the browser, for a
    page opened anew. */
function remember() {
  const address = `${path}?shown=${idOf(place)}.${shown}&from=${from}`;
  history.replaceState(history.state, "", address);
  for (const form of root.querySelectorAll("form[method=post]")) form.action = address;
  const signIn = root.querySelector("#sign-in a");
  if (signIn) signIn.href = `/account?next=${encodeURIComponent(address)}`;
  try {
    localStorage.setItem(path, JSON.stringify({ place: idOf(place), epoch, shown, from }));
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
    // no room yet: twice as long each time, until a document comes
    again(Math.min(JSON.parse(event.data).retry_after_s * 1000 * 2 ** failures, backoffMs.most));
    failures += 1;
    tellLink();
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
  const broken = navigator.onLine && source?.readyState !== EventSource.OPEN;
  // most breaks are over before anybody need know
  if (broken) {
    linkTimer ??= setTimeout(() => text(link, "The connection is away. Your place stays; we keep trying."), 4_000);
    return;
  }
  linkTimer = clearTimeout(linkTimer);
  text(link, navigator.onLine ? alive : "You are offline. Your place stays; it goes on when you are back.");
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
recall();
if (shown) remember();
text(link, alive);
open();
