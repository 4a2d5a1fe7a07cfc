// Small things that several pages do with the document.

/** A new element: element("p", {class: "muted", onclick: f}, "text", child). Null children and attributes are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** The same for SVG. */
export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Say something at a place that stays: `kind` is "", "good", "warn" or "bad"; an empty text takes it away. */
export function say(place, text, kind = "") {
  place.className = `note ${kind}`.trim();
  place.setAttribute("role", kind === "bad" ? "alert" : "status");
  place.textContent = text;
  place.hidden = !text;
}

/** Show a Problem of a form: what belongs to a field stands beside it, the rest in `place`. */
export function sayProblem(problem, form, place) {
  clearProblems(form);
  let placed = 0;
  for (const [name, reason] of Object.entries(problem.fields || {})) {
    const field = form.elements.namedItem(name.split(".").at(-1));
    if (!field || !field.setAttribute) continue;
    const id = `wrong-${field.name}`;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    field.after(element("p", {class: "wrong", id}, `${reason}.`));
    if (placed++ === 0) field.focus();
  }
  say(place, placed ? "" : problem.message, "bad");
}

/** Take away what sayProblem has placed. */
export function clearProblems(form) {
  form.querySelectorAll("p.wrong").forEach((one) => one.remove());
  form.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
}

/** Run what a button starts: it is disabled meanwhile, and a Problem is said at `place`. */
export async function doing(button, place, work) {
  button.disabled = true;
  say(place, "");
  try {
    return await work();
  } catch (problem) {
    say(place, problem.message, "bad");
    return undefined;
  } finally {
    button.disabled = false;
  }
}
