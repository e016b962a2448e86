// A turn nobody may miss: a sound, a notification and a buzz, each only for who asked for it.
import { text } from "../shared/page.js";
import { t } from "./words.js";

const rings = 3, gapS = 2.5;
const notes = [659.25, 783.99, 1046.5]; // E, G, C: rising, in Hz
const noteS = 0.22;

const keep = (what, on) => {
  try {
    if (on) localStorage.setItem(what, "on");
    else localStorage.removeItem(what);
  } catch { /* a browser that keeps nothing: asked for again next time */ }
};
const kept = (what) => {
  try {
    return localStorage.getItem(what) === "on";
  } catch {
    return false;
  }
};

/** A button that is pressed or not; its words say which. */
function toggle(button, on) {
  button.setAttribute("aria-pressed", String(on));
  if (button === sound) text(button, on ? t("sound-on") : t("sound-off"));
  else text(button, on ? t("notify-on") : t("notify-off"));
}
const isOn = (button) => button.getAttribute("aria-pressed") === "true";

// ---- Sound: a browser plays none before a person has touched the page -----------------------------------

const sound = document.getElementById("sound");
let audio;

/** Whether sound is allowed now. */
async function unlock() {
  audio ??= new AudioContext();
  // without a touch this stays open for ever
  await Promise.race([audio.resume(), new Promise((resolve) => { setTimeout(resolve, 300); })]);
  toggle(sound, audio.state === "running");
}

function chime(times) {
  for (let n = 0; n < times * notes.length; n += 1) {
    const at = audio.currentTime + Math.floor(n / notes.length) * gapS + (n % notes.length) * noteS;
    const tone = new OscillatorNode(audio, { frequency: notes[n % notes.length], type: "triangle" });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.3, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 2 * noteS);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 2 * noteS);
  }
}

async function pressSound() {
  const on = !isOn(sound);
  keep("onsale-sound", on);
  if (!on) return toggle(sound, false);
  await unlock();
  if (isOn(sound)) chime(1); // what it will sound like
}

/** Asked for before: the first touch of this page allows it again. */
function resume() {
  const once = { once: true, capture: true };
  const touched = (event) => { if (!sound.contains(event.target) && kept("onsale-sound")) unlock(); };
  for (const name of ["pointerup", "keydown"]) addEventListener(name, touched, once);
  if (navigator.userActivation?.hasBeenActive) unlock();
}

// ---- Notification ---------------------------------------------------------------------------------------

const notify = document.getElementById("notify");

function tellNotify() {
  const denied = Notification.permission === "denied";
  notify.disabled = denied;
  toggle(notify, Notification.permission === "granted" && kept("onsale-notify"));
  if (denied) text(notify, t("notify-blocked"));
}

async function pressNotify() {
  keep("onsale-notify", !isOn(notify));
  if (Notification.permission === "default") await Notification.requestPermission();
  tellNotify();
}

function notice(tag) {
  const { lang, dir } = document.documentElement;
  try {
    const shown = new Notification(t("tab-called"), { body: t("notify-body"), tag, lang, dir });
    shown.addEventListener("click", () => { focus(); shown.close(); });
  } catch { /* some phones show none from a page */ }
}

/** It is the fan's turn. */
export function alarm(tag) {
  if (isOn(sound) && audio?.state === "running") chime(rings);
  if (!notify.hidden && isOn(notify) && document.hidden) notice(tag);
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
}

if ("AudioContext" in window) {
  sound.addEventListener("click", pressSound);
  if (kept("onsale-sound")) resume();
} else sound.hidden = true;
if ("Notification" in window) {
  notify.addEventListener("click", pressNotify);
  tellNotify();
} else notify.hidden = true;
