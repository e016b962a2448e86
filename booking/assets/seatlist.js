// The seats of one part of the hall as a list of boxes: whatever the map can do, keys and screen readers can do here.

const free = 0;
/** What a seat kept for somebody is called. */
export const kinds = { wheelchair: "wheelchair space", companion: "companion seat" };

export class SeatList {
  /** `rows` is filled with those of `hall`; `tierOf(seat)` has its price and colour; `pick(ordinal)` is called. */
  constructor(rows, hall, tierOf, pick) {
    /** Boxes of the zone shown, by ordinal. */
    Object.assign(this, { rows, hall, tierOf, pick, boxes: new Map(), statuses: new Uint8Array() });
  }

  show(zone) {
    this.boxes = new Map();
    const byRow = new Map();
    this.hall.seats.forEach((seat, ordinal) => {
      if (seat.zone !== zone) return;
      if (!byRow.has(seat.row)) byRow.set(seat.row, []);
      byRow.get(seat.row).push(ordinal);
    });
    this.rows.setAttribute("aria-label", `Seats of ${this.hall.zoneNames.get(zone) ?? zone}`);
    this.rows.replaceChildren(...[...byRow].map(([row, ordinals]) => this.row(row, ordinals)));
  }

  row(row, ordinals) {
    const field = document.createElement("fieldset");
    field.className = "row";
    const legend = field.appendChild(document.createElement("legend"));
    const prices = new Set(ordinals.map((ordinal) => this.tierOf(this.hall.seats[ordinal]).price));
    legend.textContent = `Row ${row} `;
    if (prices.size === 1) legend.append(span("muted num", [...prices][0]));
    const seats = field.appendChild(document.createElement("div"));
    seats.className = "row-seats";
    seats.append(...ordinals.map((ordinal) => this.seat(ordinal, prices.size > 1)));
    return field;
  }

  seat(ordinal, hasPrice) {
    const seat = this.hall.seats[ordinal];
    const label = document.createElement("label");
    label.className = `seat tier-${this.tierOf(seat).colour}${seat.access ? " kept" : ""}`;
    const box = label.appendChild(document.createElement("input"));
    box.type = "checkbox";
    box.dataset.ordinal = ordinal;
    box.addEventListener("change", () => this.pick(ordinal));
    this.boxes.set(ordinal, box);
    const words = label.appendChild(document.createElement("span"));
    words.append(span("visually-hidden", `Row ${seat.row} seat `), String(seat.number));
    if (seat.access) words.append(" ", span("kind", kinds[seat.access]));
    if (hasPrice) words.append(span("visually-hidden", `, ${this.tierOf(seat).price}`));
    return label;
  }

  /** What is free now, and what the fan has chosen of it. */
  refresh(statuses, chosen) {
    this.statuses = statuses;
    for (const [ordinal, box] of this.boxes) {
      const gone = statuses[ordinal] !== free;
      // a box that is disabled loses the focus to nowhere
      if (gone && box === document.activeElement) this.neighbour(box).focus();
      if (box.disabled !== gone) box.disabled = gone;
      if (box.checked !== chosen.has(ordinal)) box.checked = chosen.has(ordinal);
    }
  }

  /** Where to stand when a seat goes: on the nearest free one of its row, or at the beginning of the list. */
  neighbour(box) {
    const row = [...box.closest(".row").querySelectorAll("input")];
    const at = row.indexOf(box);
    const still = row.filter((other) => this.statuses[other.dataset.ordinal] === free && !other.disabled);
    const distance = (other) => Math.abs(row.indexOf(other) - at);
    const nearest = still.reduce((best, other) => (best && distance(best) <= distance(other) ? best : other), undefined);
    return nearest ?? this.rows;
  }
}

function span(className, words) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = words;
  return made;
}
