// The parts of the console, exchanged for those of a newer rendering: never one that is in use, and never one that
// would be the same. Whoever looked at a button presses that button.

const handMs = 1_500; // a hand that moved over a part just now may be about to press something in it

const parts = () => [...document.querySelectorAll("[data-part]:not(#said)")];
// as the server wrote them, before a script touched them; only the clock's reading is always another
const html = (part) => part.outerHTML.replace(/ data-now="[^"]*"/g, "");
const written = new Map(parts().map((part) => [part.dataset.part, html(part)]));
const held = new Map(); // newer parts, for when theirs are no longer in use
let hand;

/** Puts the parts of another rendering in the place of ours; that of the form which it answers in any case. */
export function take(page, answered) {
  for (const part of parts()) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (fresh) swap(part, fresh, part === answered);
    else part.remove();
  }
}

/** What could not be taken yet; true when something was. */
export function takeHeld() {
  const free = parts().filter((part) => held.has(part.dataset.part) && !isInUse(part));
  for (const part of free) swap(part, held.get(part.dataset.part), false);
  return free.length > 0;
}

function swap(part, fresh, isAnswer) {
  const name = part.dataset.part;
  const now = html(fresh);
  held.delete(name);
  if (isAnswer) {
    written.set(name, now);
    part.replaceWith(fresh);
  } else if (now === written.get(name)) {
    return;
  } else if (isInUse(part)) {
    held.set(name, fresh);
    // the state is told at once, whatever is being done
    const state = fresh.querySelector("[data-state]");
    if (state) part.querySelector("[data-state]")?.replaceWith(state.cloneNode(true));
  } else {
    keepOpen(part, fresh);
    written.set(name, now);
    part.replaceWith(fresh);
  }
}

function keepOpen(part, fresh) {
  const now = [part, ...part.querySelectorAll("details")];
  [fresh, ...fresh.querySelectorAll("details")].forEach((details, index) => {
    if (now[index]?.open) details.open = true;
  });
}

/** Something is typed, focused or about to be pressed here. */
function isInUse(part) {
  const changed = (field) =>
    field.type === "radio" || field.type === "checkbox"
      ? field.checked !== field.defaultChecked
      : field.type !== "range" && field.defaultValue !== undefined && field.value !== field.defaultValue;
  const fields = [...part.querySelectorAll("input, textarea")];
  return isAtHand(part) || part.contains(document.activeElement) || part.querySelector("[aria-busy]") || fields.some(changed);
}

function isAtHand(part) {
  return hand && (hand.isDown || (part.contains(hand.on) && performance.now() - hand.at < handMs));
}

for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
  document.addEventListener(name, (event) => {
    hand = { on: event.target, at: performance.now(), isDown: event.buttons > 0 };
  }, { capture: true, passive: true });
}
