// Seat choice, live: the map and the list show one choice, and a seat somebody else takes leaves it at once.
import { say, text } from "../shared/page.js";
import { SeatList, kinds } from "./seatlist.js";
import { SeatMap } from "./seatmap.js";

const free = 0, held = 1, againMs = 4000, expiryGraceMs = 6000;

const section = document.getElementById("map");
const form = document.getElementById("choose");
const { event, layout: layoutUrl, nothing } = section.dataset;
const most = Number(section.dataset.max);
const tiers = new Map(JSON.parse(section.dataset.tiers).map((tier) => [tier.tier, tier]));
const fees = JSON.parse(section.dataset.fees);
const tip = document.getElementById("map-tip");
const zone = document.getElementById("zone");
const hold = document.getElementById("hold");
/** The order is for somebody in a wheelchair. */
const kept = document.getElementById("kept");

let hall, statuses, map, list;
/** Ordinals, in the order they were chosen. */
const chosen = new Set();
/** A form is on its way: seats that go now may go to this fan. */
let sending = false;

// ---- words ----------------------------------------------------------------------------------------------------

const seatName = (seat) => `Row ${seat.row}, seat ${seat.number}`;
const tierOf = (seat) => tiers.get(seat.tier) ?? { amount: 0, price: "", colour: 0 };

/** An amount like the server writes it: `nothing` is its zero. */
function money(amount) {
  const zero = nothing.match(/0(?:[.,](0+))?/);
  const digits = zero[1]?.length ?? 0;
  const number = (amount / 10 ** digits).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return nothing.replace(zero[0], number);
}

function describe(ordinal) {
  if (ordinal === undefined) return "";
  const seat = hall.seats[ordinal];
  const zone = hall.zoneNames.get(seat.zone) ?? seat.zone;
  const state = chosen.has(ordinal) ? "yours" : ["", "held by somebody, may come back", "sold", "not for sale"][statuses[ordinal]];
  return [seatName(seat), kinds[seat.access], state || tierOf(seat).price, zone].filter(Boolean).join(" · ");
}

/** Tickets with fees, as the checkout adds them up. */
function total() {
  const sum = [...chosen].reduce((sum, ordinal) => sum + tierOf(hall.seats[ordinal]).amount, 0);
  const fee = ({ per, amount }) => (per === "ticket" ? amount * chosen.size : amount);
  return sum && fees.reduce((all, it) => all + fee(it), sum);
}

// ---- the choice -----------------------------------------------------------------------------------------------

/** Whether the seat is kept for others; once all the rest is sold, none is. */
function isKept(ordinal) {
  if (!hall.seats[ordinal].access || kept?.checked) return false;
  return hall.seats.some((seat, other) => !seat.access && statuses[other] <= held);
}

function toggle(ordinal) {
  if (!form || statuses[ordinal] !== free) return;
  if (document.querySelector("#news button")) news(""); // not that one, then
  if (chosen.delete(ordinal)) return changed();
  if (isKept(ordinal)) {
    offer(ordinal);
    return changed();
  }
  if (chosen.size >= most) {
    news(`You can take ${most} tickets at once. Give one up first.`);
    return changed();
  }
  chosen.add(ordinal);
  changed();
}

function news(words) {
  text(document.getElementById("news"), words);
  if (words) say(words);
}

/** One press for those whom the seat is kept for. */
function offer(ordinal) {
  const seat = hall.seats[ordinal];
  news(`${seatName(seat)} is a ${kinds[seat.access]}, kept for somebody in a wheelchair and whoever comes along.`);
  const yes = document.createElement("button");
  Object.assign(yes, { type: "button", className: "button secondary small", textContent: "That is us: take it" });
  yes.addEventListener("click", () => {
    kept.checked = true;
    news("");
    toggle(ordinal);
    hold.focus();
  });
  document.getElementById("news").append(" ", yes);
}

/** Everything that shows the choice. */
function changed() {
  map.choose(chosen);
  if (!form) return;
  const chips = [...chosen].map((ordinal) => {
    const seat = hall.seats[ordinal];
    const chip = document.createElement("button");
    Object.assign(chip, { type: "button", className: "chip" });
    chip.setAttribute("aria-label", `${seat.row} ${seat.number}: give up ${describe(ordinal)}`);
    chip.dataset.seat = ordinal;
    chip.textContent = `${seat.row} ${seat.number}`;
    chip.addEventListener("click", () => { toggle(ordinal); hold.focus(); });
    return chip;
  });
  const shown = document.getElementById("chosen");
  const { activeElement } = document;
  const had = shown.contains(activeElement) ? activeElement.dataset.seat : undefined;
  shown.replaceChildren(...chips);
  // whoever stood on a chip stands on it still, or, if its seat is gone, on the button
  if (had !== undefined) (chips.find((chip) => chip.dataset.seat === had) ?? hold).focus();
  const count = `${chosen.size} ${chosen.size === 1 ? "seat" : "seats"}`;
  const sum = `${count} · ${money(total())}${fees.length ? " with fees" : ""}`;
  text(document.getElementById("total"), chosen.size ? sum : "No seats chosen yet");
  hold.setAttribute("aria-disabled", chosen.size === 0);
  for (const hidden of form.querySelectorAll("input[type=hidden][name=seats]")) hidden.remove();
  for (const ordinal of chosen) {
    const hidden = document.createElement("input");
    Object.assign(hidden, { type: "hidden", name: "seats", value: hall.seats[ordinal].seat });
    form.append(hidden);
  }
  list.refresh(statuses, chosen);
}

/** The part of the hall that the select names. */
function listZone() {
  list.show(zone.value);
  list.refresh(statuses, chosen);
}

// ---- what others do -------------------------------------------------------------------------------------------

function unpack(base64, count) {
  const bytes = atob(base64);
  return Uint8Array.from({ length: count }, (_, seat) => (bytes.charCodeAt(seat >> 2) >> ((seat & 3) * 2)) & 3);
}

/** Seats that are gone leave the choice. */
function drop() {
  if (sending) return;
  const gone = [...chosen].filter((ordinal) => statuses[ordinal] !== free);
  if (!gone.length) return list?.refresh(statuses, chosen);
  for (const ordinal of gone) chosen.delete(ordinal);
  const names = gone.map((ordinal) => hall.seats[ordinal].seat).join(", ");
  news(`${names} ${gone.length === 1 ? "was" : "were"} just taken by somebody else.`);
  changed();
}

function watch() {
  const stream = new EventSource(`/events/${event}/seats/stream`);
  stream.addEventListener("snapshot", ({ data }) => {
    statuses = unpack(JSON.parse(data).statuses, hall.seats.length);
    if (!map) return begin();
    map.show(statuses);
    drop();
  });
  stream.addEventListener("delta", ({ data }) => {
    if (!map) return;
    const { changes } = JSON.parse(data);
    for (const [ordinal, status] of changes) statuses[ordinal] = status;
    map.show(statuses, changes.map(([ordinal]) => ordinal));
    drop();
  });
  // no room for a stream: the hall as it stands now
  stream.addEventListener("bye", async () => {
    const answer = map ? undefined : await fetch(`/events/${event}/seats`);
    if (!answer?.ok || map) return;
    statuses = unpack((await answer.json()).statuses, hall.seats.length);
    begin();
  });
  // after "bye" the browser comes back by itself; after an error status it would not
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(watch, againMs * (1 + Math.random()));
  });
}

// ---- all of it ------------------------------------------------------------------------------------------------

function begin() {
  section.hidden = false;
  const look = (ordinal) => {
    map.point(ordinal);
    if (ordinal !== undefined) text(tip, describe(ordinal));
  };
  const pick = (ordinal) => {
    toggle(ordinal);
    text(tip, describe(ordinal));
    const { zone: of } = hall.seats[ordinal];
    if (form && zone.value !== of) {
      zone.value = of;
      listZone();
    }
  };
  map = new SeatMap(document.getElementById("map-view"), hall.seats, (seat) => tierOf(seat).colour, { pick, look });
  map.show(statuses);
  document.getElementById("closer").addEventListener("click", () => map.zoom(1.8));
  document.getElementById("away").addEventListener("click", () => map.zoom(1 / 1.8));
  document.getElementById("whole").addEventListener("click", () => map.away());
  if (!form) return;
  const labels = new Map(hall.seats.map((seat, ordinal) => [seat.seat, ordinal]));
  for (const box of form.querySelectorAll("input[name=seats]:checked")) {
    const ordinal = labels.get(box.value);
    if (ordinal !== undefined && statuses[ordinal] === free) chosen.add(ordinal);
  }
  document.getElementById("elsewhere")?.remove();
  document.getElementById("show-zone").hidden = true;
  list = new SeatList(document.getElementById("rows"), hall, tierOf, toggle);
  zone.addEventListener("change", listZone);
  listZone();
  changed();
}

async function start() {
  const answer = await fetch(layoutUrl);
  if (!answer.ok) throw new Error(`layout: ${answer.status}`);
  hall = await answer.json();
  hall.zoneNames = new Map(hall.zones.map((it) => [it.zone, it.name]));
  watch();
}

// the server knows what the end of the turn means; it still takes what was sent in the last seconds
document.addEventListener("countdown-end", () => setTimeout(() => location.reload(), expiryGraceMs));
addEventListener("pageshow", (shown) => {
  sending = false;
  if (shown.persisted) location.reload();
});
document.addEventListener("submit", (sent) => { if (!sent.defaultPrevented) sending = true; });
form?.addEventListener("submit", (sent) => {
  if (!map || chosen.size > 0) return;
  sent.preventDefault();
  news("Choose at least one seat first.");
});

// without the hall's plan the page is the one that needs no scripts, which does everything
start().catch((error) => {
  console.warn(error);
  section.remove();
});
