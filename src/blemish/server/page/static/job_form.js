// A form that begins a job: its values as a request, what is wrong beside its fields, and on to the job's address.

import {call} from "./api.js";
import {clearProblems, element, say, sayProblem} from "./dom.js";
import {Source} from "./source.js";
import {data} from "./jobs.js";

const form = document.getElementById("form");
const note = document.getElementById("form-note");
const button = document.getElementById("begin");

/** What is typed in a field; undefined where nothing is. */
export function typed(name) {
  const field = form.elements.namedItem(name);
  if (!field) return undefined;
  if (field.type === "checkbox") return field.checked || undefined;
  return field.value.trim() || undefined;
}

/** A field with a number, times `factor`. */
export function figure(name, factor = 1) {
  const value = typed(name);
  return value === undefined ? undefined : Number(value) * factor;
}

/** Values a line, as NAME=VALUE: JSON where it is some, else text. Throws a wrong-field Error. */
export function settings(name, parse = true) {
  const found = {};
  for (const line of (typed(name) || "").split("\n").map((one) => one.trim()).filter(Boolean)) {
    const place = line.indexOf("=");
    if (place < 1) throw wrong(name, `Write ${line} as NAME=VALUE`);
    const value = line.slice(place + 1).trim();
    found[line.slice(0, place).trim()] = parse ? parsed(value) : value;
  }
  return Object.keys(found).length ? found : undefined;
}

function parsed(value) {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** An error that belongs to a field; `reason` is a clause. */
export function wrong(name, reason) {
  return Object.assign(new Error(`${reason}.`), {fields: {[name]: reason}});
}

/** Let the form begin jobs; `asked()` gives the request without its photographs, and may throw `wrong`. */
export function beginsJobs(asked) {
  const source = new Source(data.limits);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblems(form);
    say(note, "");
    form.querySelectorAll(".of-group").forEach((one) => { one.hidden = true; });
    button.disabled = true;
    const says = (text) => { document.getElementById("form-says").textContent = text; };
    try {
      const body = asked();
      Object.assign(body, await source.ready(says));
      says("Begins.");
      const job = await call("/v1/jobs", {method: "POST", body});
      location.assign(`${location.pathname}?${new URLSearchParams({job: job.id})}`);
    } catch (problem) {
      says("");
      const fields = Object.fromEntries(Object.entries(problem.fields || {}).map(([name, reason]) => [lastName(name), reason]));
      sayProblem(Object.assign(problem, {fields}), form, note);
      sayOfGroups(fields);
      form.querySelector("[aria-invalid]")?.closest("details")?.setAttribute("open", "");
      form.querySelector("[aria-invalid]")?.focus();
      button.disabled = false;
    }
  });
  window.addEventListener("pageshow", () => { button.disabled = false; }); // back from the job
  return source;
}

/** What is wrong with fields that are several boxes stands at their end. */
function sayOfGroups(fields) {
  for (const [name, reason] of Object.entries(fields)) {
    const place = document.getElementById(`${name}-wrong`);
    if (place) {
      say(note, "");
      place.hidden = false;
      place.textContent = `${reason}.`;
      place.scrollIntoView({block: "nearest"});
    }
  }
}

/** The field that a place in a document belongs to: "train.good.0" is of "good". */
function lastName(place) {
  return place.split(".").filter((part) => !/^\d+$/.test(part)).at(-1) || place;
}

/** Fill a select with options; `first` is [value, text]. */
export function fill(select, first, values) {
  select.replaceChildren(element("option", {value: first[0]}, first[1]), ...values.map((value) => element("option", {}, value)));
}
