// The operators' console: the figures each second, and forms that are obeyed without leaving the page. All of it
// works without this too; the server renders every state, and what a form answers is its page, taken apart here.

import { say, text } from "../shared/page.js";
import { take, takeHeld } from "./parts.js";
import { Plots } from "./plots.js";
import { followRate, grouped, span } from "./rate.js";

const staleMs = 2_500; // a frame comes each second
const deadMs = 8_000; // a phone that changed networks may hold a connection that is none
const againMs = 2_000;
const refreshGapMs = 2_000;
const saidMs = 6_000;
const boundless = 1_000_000; // the default of the most inside says nothing
const answerMs = 15_000;

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Times as the reader's own clock says them; the UTC they came in stays as the title. */
function localise() {
  for (const element of document.querySelectorAll("time[data-local]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime()) || element.title) continue;
    element.title = element.textContent;
    const isToday = at.toDateString() === new Date().toDateString();
    text(element, (isToday ? time : dateAndTime).format(at));
  }
  const opens = document.querySelector("[data-utc]");
  if (opens) tellOpening(opens);
}

function tellOpening(field) {
  const at = new Date(`${field.value}Z`);
  const own = Number.isNaN(at.getTime()) ? "Empty: when you open it." : `On your clock: ${dateAndTime.format(at)}.`;
  text(document.querySelector("[data-utc-means]"), own);
}

localise();
document.addEventListener("input", (event) => event.target.matches("[data-utc]") && tellOpening(event.target));
const here = document.getElementById("console");
if (here) run(here.dataset.drop);

function run(drop) {
  const plots = new Plots(drop, document.getElementById("plots"));
  let latest, latestAt, seen, quiet, stream, checking, streamAt, refreshing, refreshAt = 0, sent = 0;
  const said = () => document.getElementById("said");

  // ---- figures

  function show(frame) {
    const now = performance.now();
    const known = latest && now - latestAt < deadMs;
    const seconds = known ? Math.max(0.5, (now - latestAt) / 1000) : 1;
    const granted = known ? Math.max(0, frame.granted - latest.granted) / seconds : frame.granted_last_s;
    const called = frame.shows + frame.no_shows;
    const stock = (number) => (frame.capacity ? grouped(number) : "–");
    const judged = frame.estimates.early + frame.estimates.right + frame.estimates.late;
    const share = (fans) => `${judged ? Math.round((100 * fans) / judged) : 0} %`;
    const figures = {
      waiting: grouped(frame.waiting + frame.lobby),
      granted_last_s: grouped(Math.round(granted)),
      granted: grouped(frame.granted),
      active: grouped(frame.active),
      max_active: grouped(frame.max_active),
      sold: stock(frame.sold),
      capacity: stock(frame.capacity),
      held: stock(frame.held),
      called: grouped(frame.called),
      claims: grouped(frame.claims),
      lobby: grouped(frame.lobby),
      judged: grouped(judged),
      early: share(frame.estimates.early),
      right: share(frame.estimates.right),
      late: share(frame.estimates.late),
      no_show: called ? `${Math.floor((100 * frame.no_shows) / called)} %` : "–",
    };
    for (const [name, value] of Object.entries(figures)) {
      const place = here.querySelector(`[data-live="${name}"]`);
      if (place) text(place, value);
    }
    for (const words of here.querySelectorAll("[data-report]")) words.hidden = (words.dataset.report === "some") !== judged > 0;
    here.querySelector('[data-live="max_active"]').parentElement.hidden = frame.max_active >= boundless;
    [latest, latestAt] = [frame, now];
    setBlind(false);
    plots.add(frame);
    followRate(here, frame);
    const decided = JSON.stringify([frame.state, frame.reason, frame.rate_per_minute, frame.notice?.id]);
    if (seen === undefined && isWritten(frame)) seen = decided;
    // asked each second until a refresh has gone through
    if (decided !== seen || word(frame) !== stateShown()) refresh(decided);
    age();
  }

  /** As the server's badge has it. */
  const word = (frame) => (frame.covered && frame.state === "paused" && frame.reason === "covered" ? "covered" : frame.state);
  const stateShown = () => here.querySelector("[data-state]")?.dataset.state;

  /** Whether the page, as the server wrote it, says what the first frame says. */
  function isWritten(frame) {
    const rate = document.getElementById("rate")?.form.elements.from.value;
    const notice = here.querySelector("[data-notice]")?.dataset.notice;
    return (rate === undefined || Number(rate) === frame.rate_per_minute) && notice === frame.notice?.id;
  }

  function setBlind(is) {
    document.getElementById("blind").hidden = !is;
  }

  /** How old the figures are: an old figure that looks fresh is worse than none. */
  function age() {
    const old = latest ? performance.now() - latestAt : 0;
    const isQuiet = !latest || old > staleMs;
    const badge = document.createElement("span");
    badge.className = latest ? (isQuiet ? "badge warn" : "badge good live") : "badge neutral";
    badge.textContent = !latest ? "Connecting" : isQuiet ? `Figures are ${span(old / 1000)} old` : "Live";
    const fresh = document.getElementById("fresh");
    if (fresh.textContent !== badge.textContent) fresh.replaceChildren(badge);
    here.classList.toggle("stale", Boolean(latest) && isQuiet);
    if (latest && quiet !== undefined && quiet !== isQuiet) say(isQuiet ? "The figures stand still." : "The figures are live again.");
    quiet = isQuiet;
  }

  // ---- the stream

  function connect() {
    stream?.close();
    streamAt = performance.now();
    stream = new EventSource(`/ops/api/drops/${drop}/live`);
    stream.addEventListener("live", (event) => alive() || show(JSON.parse(event.data)));
    stream.addEventListener("unavailable", () => alive() || setBlind(true));
    stream.addEventListener("error", (event) => {
      // otherwise the browser comes back by itself
      if (event.target.readyState === EventSource.CLOSED && event.target === stream) setTimeout(comeBack, againMs);
    });
  }

  function alive() {
    streamAt = performance.now();
  }

  /** The browser gave up; it does not say why. */
  async function comeBack() {
    if (checking) return;
    checking = true;
    const answer = await fetch(`/ops/api/drops/${drop}`, { signal: AbortSignal.timeout(answerMs) }).catch(() => null);
    checking = false;
    if (answer?.status === 401) tell("bad", "Your session is over. ", { href: `/ops?next=/ops/drops/${drop}`, words: "Sign in again" });
    else connect();
  }

  function lookAlive() {
    age();
    if (takeHeld()) fitIn();
    if (performance.now() - streamAt > deadMs) connect();
  }

  connect();
  setInterval(lookAlive, 1000);
  addEventListener("online", connect);
  addEventListener("pageshow", (event) => event.persisted && connect());
  addEventListener("pagehide", () => plots.keep());
  document.addEventListener("visibilitychange", () => document.hidden || lookAlive());

  // ---- what was done

  function tell(tone, words, link, at) {
    const paragraph = document.createElement("p");
    paragraph.textContent = words;
    if (link) paragraph.append(Object.assign(document.createElement("a"), { href: link.href, textContent: link.words }));
    const notice = document.createElement("div");
    notice.className = `notice ${tone}`;
    notice.append(paragraph);
    said().replaceChildren(notice);
    settle(at);
  }

  /**
   * What went well need not stand there for ever, it is on the record; what did not is closed by hand. It lies over
   * the edge of the screen that is farther from `at`, the height where the hand is: Resume comes where Pause was.
   */
  function settle(at = 0) {
    said().classList.toggle("above", at > innerHeight / 2);
    for (const notice of said().querySelectorAll(".notice")) {
      const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close", className: "button quiet" });
      notice.addEventListener("click", (event) => event.target.closest("a") ?? notice.remove());
      notice.append(close);
      if (notice.classList.contains("good")) setTimeout(() => notice.remove(), saidMs);
    }
  }

  // ---- forms

  async function send(form, button) {
    const at = (button ?? form).getBoundingClientRect().top;
    sent += 1;
    form.setAttribute("aria-busy", "true");
    button?.classList.add("pressed");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(location.pathname, { method: "POST", body, signal: AbortSignal.timeout(answerMs) });
      const page = await pageOf(answer);
      if (page) {
        take(page, form.closest("[data-part]"));
        fitIn();
        said().replaceChildren(...page.getElementById("said").childNodes);
        settle(at);
        said().focus({ preventScroll: true });
      } else if (answer.redirected) {
        location.assign(answer.url);
      } else {
        const problem = await answer.json().catch(() => ({}));
        tell("bad", `Not done: ${problem.detail ?? problem.title ?? `the answer was ${answer.status}`}`, null, at);
      }
    } catch {
      tell("bad", "There was no answer, so nobody knows yet whether it was done. Look at the record, then try again.", null, at);
    } finally {
      sent += 1;
      form.removeAttribute("aria-busy");
      button?.classList.remove("pressed");
    }
  }

  /** The console in an answer, if that is what it is. */
  async function pageOf(answer) {
    if (!answer.headers.get("content-type")?.startsWith("text/html")) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById("console") && page;
  }

  /** What others did: the page again, but for what is in use here. Only then is `decided` seen. */
  async function refresh(decided) {
    if (refreshing || performance.now() < refreshAt + refreshGapMs) return;
    [refreshing, refreshAt] = [true, performance.now()];
    const before = sent;
    try {
      const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(answerMs) });
      const page = answer.ok && (await pageOf(answer));
      // what a form has answered meanwhile is newer
      if (page && sent === before) {
        take(page);
        fitIn();
        seen = decided;
      }
    } catch {
      // the next frame asks again
    } finally {
      refreshing = false;
    }
  }

  /** What new parts need beyond their HTML. */
  function fitIn() {
    localise();
    if (latest) followRate(here, latest);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-swap]")) return;
    event.preventDefault();
    if (!form.hasAttribute("aria-busy")) send(form, event.submitter);
  });

  document.addEventListener("input", (event) => {
    const pause = event.target.closest(".pause");
    if (pause) {
      const own = pause.querySelector("textarea").value.trim();
      text(pause.querySelector("[data-reason]"), own || pause.querySelector(":checked")?.value);
    }
  });

  said().classList.add("floating");
  settle();
  // the word of a redirect is said once: a reload must not say it again
  history.replaceState(null, "", location.pathname);
}
