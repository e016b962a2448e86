// A fan's place, live. The server wrote every section; here one is shown and its fields are kept true, from
// the frames of /queue/{drop}/events alone: nothing is fetched when the drop changes.
import { say, spoken, text, tick } from "../shared/page.js";
import { alarm } from "./alerts.js";
import { show, tellLocally, tellNotice, write } from "./faces.js";
import { listen, open } from "./stream.js";
import { aheadOf, chanceOf, estimateOf, leftOf, number, reasonOf, t } from "./words.js";

const root = document.getElementById("queue");
const { path } = root.dataset;
const idOf = (place) => place.slice(0, 8);
// the server's clock, by which deadlines run
const clockAhead = (Date.parse(root.dataset.now) || Date.now()) - Date.now();
const serverNow = () => new Date(Date.now() + clockAhead).toISOString();

let { face, place, epoch } = root.dataset;
let shown = Number(root.dataset.shown) || undefined;
let from = Number(root.dataset.from) || undefined;
let hasPressed = face === "claiming";

// ---- What is shown -------------------------------------------------------------------------------------

/** As face.rs says it. */
function faceOf({ state, reason, called }) {
  if (state === "paused" && reason === "covered") return called ? "covered-turn" : "covered";
  if (state === "paused" && called) return "paused-turn";
  if (state === "lobby" && reason === "late") return "late";
  if (state === "called" && reason === "claim-waits") return "claiming";
  if (state === "left" && reason === "moved") return "moved";
  if (state !== "ended") return state;
  return { "session-over": "session-over", lapsed: "lapsed-out" }[reason] ?? "ended";
}

/** A position is never shown to rise, until place or epoch change. */
function tellPosition({ position, ahead, estimate, left, chance }) {
  if (left !== undefined) write(root, "left", leftOf(left));
  if (position === null) return;
  if (shown && position > shown) [position, ahead] = [shown, shown - 1];
  write(root, "estimate", estimateOf(estimate));
  if (chance !== undefined) {
    const [word, why] = chanceOf(chance);
    write(root, "chance", word);
    write(root, "chance-why", why);
  }
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

/** Long numbers need smaller digits on a phone; views.rs says the same. */
function fit() {
  for (const { classList } of root.querySelectorAll('[data-field="position"]')) {
    classList.toggle("long", shown >= 100_000 && shown < 1_000_000);
    classList.toggle("longer", shown >= 1_000_000);
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
  called: "tab-called", lapsed: "tab-called", claiming: "tab-claiming", admitted: "tab-admitted",
  lobby: "tab-lobby", late: "tab-lobby", drawing: "tab-drawing", paused: "tab-paused", "paused-turn": "tab-paused",
  covered: "tab-covered", "covered-turn": "tab-covered", sold_out: "tab-sold-out", finished: "tab-finished",
  left: "tab-left", moved: "tab-moved", "session-over": "tab-over", "lapsed-out": "tab-over", ended: "tab-ended",
};

function tellTab() {
  const waits = face === "waiting" && shown;
  const word = waits ? t("tab-waiting", { position: number(shown) }) : t(tabs[face] ?? "tab-place");
  const title = `${word} · ${root.dataset.title}`;
  if (document.title !== title) document.title = title;
}

const stepOf = {
  lobby: 0, drawing: 0, late: 1, waiting: 1, paused: 1, covered: 1, restoring: 1,
  called: 2, claiming: 2, lapsed: 2, "paused-turn": 2, "covered-turn": 2, admitted: 3,
};
const standsStill = ["paused-turn", "covered-turn", "restoring"];
const immovable = ["drawing", "restoring", "claiming", "admitted"];

function tellStep() {
  const at = stepOf[face];
  for (const step of document.getElementById("steps").children) {
    const its = Number(step.dataset.step);
    step.classList.toggle("done", at > its);
    if (at === its) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  document.getElementById("what-next").hidden = at === undefined;
  const leaves = at !== undefined || face === "sold_out";
  const during = { leaves, waits: leaves && !(at > 1), moves: at !== undefined && !immovable.includes(face) };
  for (const part of root.querySelectorAll("[data-while]")) {
    part.hidden = !during[part.dataset.while];
    if (part.hidden) part.open = false;
  }
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
  if (told.state === "paused") write(root, "reason", reasonOf(told.reason));
  for (const part of root.querySelectorAll("[data-known]")) part.hidden = !shown;
  show(root, face);
  tellStep();
  tellTab();
  if (face !== before) announce(told);
  // who pressed for the turn and waited at the door need not press again, whatever stood still in between
  if (hasPressed && face === "admitted") {
    const form = root.querySelector('form[data-do="enter"]');
    form.requestSubmit(form.querySelector("button"));
  }
  hasPressed = face === "claiming" || (hasPressed && standsStill.includes(face));
}

// ---- What is said --------------------------------------------------------------------------------------

const sayPositionMs = 30_000;
let toldAt = Date.now(), toldShown = shown;

/** Screen readers hear a change at once, a turn above everything else, and a number at most every half minute. */
function announce(told) {
  const section = root.querySelector(`.faces > [data-face="${face}"]`);
  const heading = section.querySelector("h2").textContent;
  const alarming = face === "called" || face === "lapsed";
  const time = spoken((Date.parse(told.claim_deadline) - Date.now() - clockAhead) / 1000);
  const turn = () => t("say-turn", { heading, button: section.querySelector("button").textContent, time });
  text(document.getElementById("now"), alarming ? turn() : "");
  if (alarming) alarm(path);
  else say([heading, section.querySelector(".lead")?.textContent].filter(Boolean).join(". "));
  toldAt = Date.now();
}

function announcePosition() {
  if (face !== "waiting" || toldShown === shown || Date.now() - toldAt < sayPositionMs) return;
  [toldAt, toldShown] = [Date.now(), shown];
  say(t("say-position", { position: number(shown), ahead: aheadOf(shown - 1) }));
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
  for (const other of document.querySelectorAll("a[hreflang]")) other.href = `${address}&lang=${other.hreflang}`;
  const signIn = root.querySelector("#sign-in a");
  if (signIn) signIn.href = `/account?next=${encodeURIComponent(address)}`;
  try {
    localStorage.setItem(path, JSON.stringify({ place: idOf(place), epoch, shown, from }));
  } catch { /* a browser that keeps nothing */ }
}

function forget() {
  shown = from = undefined;
}

// ---- What is heard -------------------------------------------------------------------------------------

function hear(name, told, id) {
  const epochNow = id.split(".")[0];
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
  if (name === "notice") {
    if (tellNotice(root, told)) say(t("say-notice", { text: told.text }));
  } else if (name === "position") {
    tellPosition(told);
    tellTab();
    announcePosition();
  } else tellDocument(told);
}

// how far the draw has come was true when the page was written, and is not told again: the stream tells its end
document.getElementById("drawing").removeAttribute("value");
write(root, "drawn", "");
tellLocally(root);
recall();
if (shown) remember();
const events = () => `${path}/events${shown ? `?shown=${shown}` : ""}`;
listen(events, `${path}/status`, hear, () => location.replace(path));
