// The line's live stream, and what a fan reads of it: kept open, opened again with care for everybody else who
// comes back at the same moment, and calm about being away.
import { text } from "../shared/page.js";
import { t } from "./words.js";

const backoffMs = { first: 1_000, most: 60_000 };
const staleMs = 20_000; // the server says something, if only `beat`, every ten seconds
const watchEveryMs = 5_000;
const calmMs = 4_000; // most breaks are over before anybody need know
const names = ["state", "called", "admitted", "position", "notice"];
const link = document.getElementById("link");

let where, status, heard, refused;
let source, timer, linkTimer, failures = 0, heardAt = Date.now(), busy = false;

/** Opens the stream at `address()`; `tell` hears each frame's name, data and id, `gone` that the place is refused
    at `statusAddress`, too. */
export function listen(address, statusAddress, tell, gone) {
  [where, status, heard, refused] = [address, statusAddress, tell, gone];
  text(link, t("link-alive"));
  open();
  setInterval(watch, watchEveryMs);
}

export function open() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(where());
  heardAt = Date.now(); // it has as long to begin as it may be silent
  for (const name of names) source.addEventListener(name, frame);
  source.addEventListener("beat", () => { heardAt = Date.now(); });
  source.addEventListener("bye", bye);
  source.onopen = tellLink;
  source.onerror = () => {
    tellLink();
    // otherwise the browser comes back by itself, and says what was shown last
    if (source.readyState === EventSource.CLOSED) failed();
  };
}

function frame({ type, data, lastEventId }) {
  [failures, heardAt, busy] = [0, Date.now(), false];
  tellLink();
  heard(type, JSON.parse(data), lastEventId);
}

/** No room yet, or a planned end: twice as long each time, until a document comes. */
function bye({ data }) {
  const { retry_after_s: seconds, reason } = JSON.parse(data);
  busy = reason !== "restart";
  again(Math.min(seconds * 1000 * 2 ** failures, backoffMs.most));
  failures += 1;
  tellLink();
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
  const code = await fetch(status, { cache: "no-store" }).then((answer) => answer.status, () => 0);
  if ([401, 403, 404].includes(code)) refused();
}

/** A host that lost its power, or a router that forgot us, ends nothing: a stream that is silent is dead. */
function watch() {
  if (source.readyState === EventSource.CLOSED || Date.now() - heardAt <= staleMs) return;
  heardAt = Date.now(); // the next one gets its time
  wake(watchEveryMs);
}

function tellLink() {
  const broken = navigator.onLine && source?.readyState !== EventSource.OPEN;
  if (broken) {
    linkTimer ??= setTimeout(() => text(link, busy ? t("link-busy") : t("link-away")), calmMs);
    return;
  }
  linkTimer = clearTimeout(linkTimer);
  text(link, navigator.onLine ? t("link-alive") : t("link-offline"));
}

// A phone that slept, or a train out of its tunnel, may hold a stream that died unheard. Many of them come back
// at the same moment.
function wake(ms) {
  clearTimeout(timer);
  timer = setTimeout(open, ms * Math.random());
}

addEventListener("offline", tellLink);
addEventListener("online", () => { tellLink(); wake(2_000); });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && Date.now() - heardAt > staleMs) wake(500);
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) wake(500); });
