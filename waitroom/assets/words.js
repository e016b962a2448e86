// The page's language, for scripts: its messages (the server put them beside the page), numbers, spans and times.
// words.rs says the same.
const { half, messages, reasons } = JSON.parse(document.getElementById("words").textContent);
const { lang } = document.documentElement;
const digits = { numberingSystem: "latn" };
const numbers = new Intl.NumberFormat(lang, digits);
const plurals = new Intl.PluralRules(lang);

export const number = (value) => numbers.format(value);

/** The message `key`, its braces filled in. */
export const t = (key, values = {}) => fill(messages[key], values);

/** The message `key` in the form for `n`. */
function plural(key, n, values) {
  const forms = messages[key];
  return fill(forms[plurals.select(n)] ?? forms.other, values);
}

function fill(message, values) {
  return message.replace(/\{(\w+)\}/g, (braces, name) => values[name] ?? braces);
}

/** What we say ourselves is known in every language; an organiser's words are theirs. */
export const reasonOf = (reason) => reasons[reason] ?? reason ?? "";

export const leftOf = (left) => (left === null ? t("left-unknown") : number(left));

export const aheadOf = (ahead) => (ahead ? plural("ahead", ahead, { n: number(ahead) }) : t("ahead-nobody"));

export const chanceOf = (chance) => [t(`chance-${chance ?? "unknown"}`), t(`chance-why-${chance ?? "unknown"}`)];

const minute = 60, hour = 3600;
const halves = (count) => {
  if (count % 2 === 0) return number(count / 2);
  return count === 1 && half === "½" ? half : number((count - 1) / 2) + half;
};

/** Rounded outwards. */
export function estimateOf(estimate) {
  if (!estimate) return t("estimate-unknown");
  const { p50_s: middle, p90_s: most } = estimate;
  if (most <= minute) return t("estimate-soon");
  if (most > 2 * hour) {
    const [low, high] = [Math.floor(middle / (hour / 2)), Math.ceil(most / (hour / 2))];
    const values = { low: halves(low), n: halves(high) };
    return plural(low ? "estimate-hours-between" : "estimate-up-to-hours", high / 2, values);
  }
  const [low, high] = [Math.floor(middle / minute), Math.ceil(most / minute)];
  const values = { low: number(low), n: number(high) };
  if (!low) return plural("estimate-up-to-minutes", high, values);
  return plural(low === high ? "estimate-minutes" : "estimate-minutes-between", high, values);
}

const part = (options) => new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, { ...digits, ...options });
const zoneOf = (at) => part({ timeZoneName: "short" })
  .formatToParts(at).find(({ type }) => type === "timeZoneName").value;

/** The hour, or the whole moment, in the fan's own zone. */
export function timeOf(at, style) {
  if (style === "hour") return part({ timeStyle: "short" }).format(at);
  return t("own-time", { moment: part({ dateStyle: "full", timeStyle: "short" }).format(at), zone: zoneOf(at) });
}
