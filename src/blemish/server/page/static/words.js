// Numbers, times and verdicts in words, as the server writes them.

/** A score with as many digits as mean something. */
export function number(value) {
  if (value === null || value === undefined) return "";
  return Math.abs(value) < 1000 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString("en");
}

/** A share as a percentage with two digits that mean something. */
export function percent(share) {
  const shown = 100 * share;
  return `${shown >= 10 || shown === 0 ? Math.round(shown) : Number(shown.toPrecision(2))} %`;
}

/** A time as people at this place write it. */
export function moment(text) {
  const time = new Date(text);
  const two = (value) => String(value).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The class of a verdict in styles: "not judged" is "not-judged". */
export function verdictClass(verdict) {
  return verdict.replace(" ", "-");
}
