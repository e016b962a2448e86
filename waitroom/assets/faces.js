// What both of the waiting room's pages do: show one section of all, write into fields, say times as the fan's
// clock would.
import { text } from "../shared/page.js";
import { timeOf } from "./words.js";

/** Shows the section `face` of `root`; the others keep their room, so nothing moves. */
export function show(root, face) {
  const old = root.querySelector(".faces > :not([hidden])");
  if (old?.dataset.face === face) return;
  const next = root.querySelector(`.faces > [data-face="${face}"]`);
  if (!next) return;
  const held = old?.contains(document.activeElement);
  root.dataset.face = face;
  if (old) old.hidden = true;
  next.hidden = false;
  if (held) next.querySelector("h2").focus({ preventScroll: true });
}

/** Writes `value` wherever the field is told. */
export function write(root, field, value) {
  for (const element of root.querySelectorAll(`[data-field="${field}"]`)) text(element, value);
}

/** Times in the fan's own zone, where the server could only say UTC. */
export function tellLocally(root) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const at = new Date(element.dateTime);
    if (!Number.isNaN(at.getTime())) text(element, timeOf(at, element.dataset.local));
  }
}

/** The organiser's word; whether there is something new to read. Its room was reserved; one that needs more scrolls,
    so that nothing around it moves. */
export function tellNotice(root, notice) {
  const box = root.querySelector("#notice");
  if (!notice.text) return takeBack(box);
  if (box.dataset.id === notice.id) return false;
  box.style.setProperty("block-size", `${box.getBoundingClientRect().height}px`);
  box.dataset.id = notice.id;
  const words = box.querySelector("#notice-text");
  words.lang = notice.lang;
  words.dir = "auto";
  text(words, notice.text);
  const time = document.createElement("time");
  time.dateTime = notice.at;
  time.dataset.local = "hour";
  box.querySelector("#notice-time").replaceChildren(", ", time);
  tellLocally(box);
  if (box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  return true;
}

/** A notice without words says that the last one was withdrawn. */
function takeBack(box) {
  delete box.dataset.id;
  const words = box.querySelector("#notice-text");
  for (const name of ["lang", "dir"]) words.removeAttribute(name);
  text(words, words.dataset.none);
  box.querySelector("#notice-time").replaceChildren();
  return false;
}
