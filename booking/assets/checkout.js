// Paying, with scripts: the provider's own card fields, and news of a payment that is being decided.

const lookEveryMs = 2000, lookSlowlyMs = 5000, slowAfter = 15;

// ---- a payment under way: look until somebody has decided -------------------------------------------------------

const settling = document.getElementById("settling");
const isNotNow = (answer) => answer.status === 429 || answer.status >= 500;

/** Has the provider asked, which is counted: the first time, and rarely after that. */
async function ask(booking) {
  const answer = await fetch("/booking/confirm", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ booking_id: booking }),
  });
  if (isNotNow(answer) || answer.status === 202) return "open";
  // refused: the page that the form answers with says why
  if (answer.status === 402) return "refused";
  return answer.status === 200 && !(await answer.json()).captured_at ? "open" : "decided";
}

/** Only looks: the provider tells the server, or is asked by it. */
async function look(booking) {
  const answer = await fetch(`/booking/${booking}`);
  if (isNotNow(answer)) return "open";
  if (!answer.ok) return "decided";
  const { status, captured_at: captured } = await answer.json();
  return status === "cancelled" || captured ? "decided" : "open";
}

async function settle() {
  const form = settling.querySelector("form");
  for (let times = 0; ; times++) {
    await new Promise((resolve) => setTimeout(resolve, times < slowAfter ? lookEveryMs : lookSlowlyMs));
    const turn = times % slowAfter === 0 ? ask : look;
    // a network that is away for a moment comes back
    const outcome = await turn(settling.dataset.booking).catch(() => "open");
    if (outcome === "refused") return form.requestSubmit(form.querySelector("[name=do]"));
    if (outcome === "decided") return location.replace(location.pathname);
  }
}

if (settling) settle();

// ---- the provider's card fields -----------------------------------------------------------------------------------

const stripeForm = document.getElementById("stripe");

function load(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: source, onload: resolve, onerror: () => reject(new Error(source)) });
    document.head.append(script);
  });
}

function complain(words) {
  const line = document.getElementById("payment-error");
  line.textContent = words ?? "";
  line.hidden = !words;
}

async function fields() {
  const { script, key, secret, booking } = stripeForm.dataset;
  const pay = document.getElementById("pay");
  await load(script);
  const stripe = window.Stripe(key);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = stripe.elements({ clientSecret: secret, appearance: { theme: dark ? "night" : "stripe" } });
  const payment = elements.create("payment");
  payment.mount("#payment-fields");
  payment.on("ready", () => { pay.disabled = false; });
  stripeForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    pay.disabled = true;
    complain();
    const back = new URL(`/checkout/${booking}`, location.href).href;
    // comes back only when it failed: otherwise the browser is on its way
    const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: back } });
    complain(error?.message ?? "That did not work. Try again.");
    pay.disabled = false;
  });
}

if (stripeForm) {
  fields().catch(() => complain("The payment fields could not be loaded. Your seats are still held: load this page again."));
}

// ---- the end of the hold: the server knows what it means ------------------------------------------------------------

let ended = false;
document.addEventListener("countdown-end", () => {
  if (ended) return;
  ended = true;
  setTimeout(() => location.reload(), 1500);
});

// ---- back from somewhere else: what the browser had kept may be paid, or given back, by now -------------------------

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
