// Not in line yet: the drop's public totals, kept fresh without haste. Nothing here depends on them.
import { text } from "../shared/page.js";
import { show, tellLocally, write } from "./faces.js";
import { leftOf, number, reasonOf, t } from "./words.js";

const root = document.getElementById("join");
const { path } = root.dataset;
const everyMs = 20_000;
let timer;

function tell({ state, reason, waiting, lobby, left, opens_at: opensAt }) {
  const face = state === "paused" && reason === "covered" ? reason : state;
  write(root, "waiting", number(waiting));
  write(root, "lobby", number(lobby));
  write(root, "left", leftOf(left));
  if (face === "paused") write(root, "reason", reasonOf(reason));
  for (const clock of root.querySelectorAll('[data-field="opens"]')) {
    if (opensAt && Date.parse(opensAt) !== Date.parse(clock.dataset.countdown)) clock.dataset.countdown = opensAt;
  }
  for (const time of root.querySelectorAll('time[data-field="opens-at"]')) if (opensAt) time.dateTime = opensAt;
  tellLocally(root);
  show(root, face);
  document.getElementById("door").hidden = face === "ended";
  const now = document.getElementById("join-now");
  if (!now) return; // to sign in comes first
  now.hidden = face === "sold_out";
  document.getElementById("join-sold-out").hidden = !now.hidden;
  text(now.querySelector("button"), face === "scheduled" ? t("join-lobby") : t("join-line"));
}

async function look() {
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch(`${path}/pulse`);
      if (answer.ok) tell(await answer.json());
    } catch { /* offline: the next look comes */ }
  }
  again(everyMs);
}

/** Spread by half, so that a crowd does not ask as one. */
function again(ms) {
  clearTimeout(timer);
  timer = setTimeout(look, ms * (1 + Math.random() / 2));
}

tellLocally(root);
document.addEventListener("countdown-end", () => again(2_000));
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") again(1_000); });
again(everyMs);
