// Seat choice, live: the map and the list show one choice, and a seat somebody else takes leaves it at once.
import { say, text } from "../shared/page.js";
import { SeatMap } from "./seatmap.js";

const free = 0, againMs = 4000, expiryGraceMs = 6000;

const section = document.getElementById("map");
const form = document.getElementById("choose");
const { event, layout: layoutUrl, nothing } = section.dataset;
const most = Number(section.dataset.max);
const tiers = new Map(JSON.parse(section.dataset.tiers).map((tier) => [tier.tier, tier]));
const tip = document.getElementById("map-tip");

let hall, statuses, map;
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
  return [seatName(seat), state || tierOf(seat).price, zone].join(" · ");
}

// ---- the choice -----------------------------------------------------------------------------------------------

function toggle(ordinal) {
  if (!form || statuses[ordinal] !== free) return;
  if (chosen.delete(ordinal)) return changed();
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
  const list = document.getElementById("chosen");
  const { activeElement } = document;
  const had = list.contains(activeElement) ? activeElement.dataset.seat : undefined;
  list.replaceChildren(...chips);
  // whoever stood on a chip stands on it still, or, if its seat is gone, on the button
  if (had !== undefined) (chips.find((chip) => chip.dataset.seat === had) ?? hold).focus();
  const total = [...chosen].reduce((sum, ordinal) => sum + tierOf(hall.seats[ordinal]).amount, 0);
  const count = `${chosen.size} ${chosen.size === 1 ? "seat" : "seats"}`;
  text(document.getElementById("total"), chosen.size ? `${count} · ${money(total)}` : "No seats chosen yet");
  hold.setAttribute("aria-disabled", chosen.size === 0);
  for (const hidden of form.querySelectorAll("input[type=hidden][name=seats]")) hidden.remove();
  for (const ordinal of chosen) {
    const hidden = document.createElement("input");
    Object.assign(hidden, { type: "hidden", name: "seats", value: hall.seats[ordinal].seat });
    form.append(hidden);
  }
  refreshRows();
}

// ---- the list -------------------------------------------------------------------------------------------------

const rows = document.getElementById("rows");
const zone = document.getElementById("zone");
const hold = document.getElementById("hold");
/** Checkboxes of the zone shown, by ordinal. */
let boxes = new Map();

function listZone() {
  boxes = new Map();
  const byRow = new Map();
  hall.seats.forEach((seat, ordinal) => {
    if (seat.zone !== zone.value) return;
    if (!byRow.has(seat.row)) byRow.set(seat.row, []);
    byRow.get(seat.row).push(ordinal);
  });
  rows.setAttribute("aria-label", `Seats of ${hall.zoneNames.get(zone.value) ?? zone.value}`);
  rows.replaceChildren(...[...byRow].map(([row, ordinals]) => listRow(row, ordinals)));
  refreshRows();
}

function listRow(row, ordinals) {
  const field = document.createElement("fieldset");
  field.className = "row";
  const legend = field.appendChild(document.createElement("legend"));
  const prices = new Set(ordinals.map((ordinal) => tierOf(hall.seats[ordinal]).price));
  legend.textContent = `Row ${row} `;
  if (prices.size === 1) legend.append(span("muted num", [...prices][0]));
  const seats = field.appendChild(document.createElement("div"));
  seats.className = "row-seats";
  for (const ordinal of ordinals) {
    const seat = hall.seats[ordinal];
    const label = seats.appendChild(document.createElement("label"));
    label.className = `seat tier-${tierOf(seat).colour}`;
    const box = label.appendChild(document.createElement("input"));
    box.type = "checkbox";
    box.dataset.ordinal = ordinal;
    box.addEventListener("change", () => toggle(ordinal));
    boxes.set(ordinal, box);
    const words = label.appendChild(document.createElement("span"));
    words.append(span("visually-hidden", `Row ${row} seat `), String(seat.number));
    if (prices.size > 1) words.append(span("visually-hidden", `, ${tierOf(seat).price}`));
  }
  return field;
}

function span(className, words) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = words;
  return made;
}

/** Where to stand when a seat goes: on the nearest free one of its row, or at the beginning of the list. */
function neighbour(box) {
  const row = [...box.closest(".row").querySelectorAll("input")];
  const at = row.indexOf(box);
  const still = row.filter((other) => statuses[other.dataset.ordinal] === free && !other.disabled);
  const distance = (other) => Math.abs(row.indexOf(other) - at);
  return still.reduce((best, other) => best && distance(best) <= distance(other) ? best : other, undefined) ?? rows;
}

function refreshRows() {
  for (const [ordinal, box] of boxes) {
    const gone = statuses[ordinal] !== free;
    // a box that is disabled loses the focus to nowhere
    if (gone && box === document.activeElement) neighbour(box).focus();
    if (box.disabled !== gone) box.disabled = gone;
    if (box.checked !== chosen.has(ordinal)) box.checked = chosen.has(ordinal);
  }
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
  if (!gone.length) return refreshRows();
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
