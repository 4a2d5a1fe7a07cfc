// Keys, what is kept, and how much the disk holds: all through the API that programs use.

import {call} from "./api.js";
import {clearProblems, doing, drawn, element, say, sayProblem} from "./dom.js";
import {moment} from "./words.js";

const place = (id) => document.getElementById(id);

/** Bytes as people read them: 1.4 GB. */
function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

// ---- storage ---------------------------------------------------------------------------------------------------

const KINDS = [["photographs", "Photographs"], ["database", "History"], ["gallery", "Past defects"], ["inspectors", "Inspectors"], ["jobs", "Trainings and reports"], ["uploads", "Uploaded photographs"]];

async function showStorage() {
  try {
    const used = await call("/v1/settings/storage");
    const all = KINDS.reduce((sum, [key]) => sum + (used[key] || 0), 0);
    place("storage-rows").replaceChildren(...KINDS.map(([key, name]) => element("tr", {},
      element("th", {scope: "row"}, name),
      element("td", {class: "right"}, used[key] === null ? "on another server" : bytes(used[key])),
      element("td", {}, bar(used[key] || 0, all)))));
    place("storage-free").textContent = `${bytes(all)} together; ${bytes(used.disk_free)} of ${bytes(used.disk_total)} are free on the disk.`;
  } catch (problem) {
    say(place("storage-said"), problem.message, "bad");
  }
}

function bar(value, all) {
  const width = all ? Math.max(value ? 1 : 0, 100 * value / all) : 0;
  return drawn("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
    drawn("rect", {class: "whole", width: 100, height: 10}), drawn("rect", {class: "part", width, height: 10}));
}

// ---- photographs that are kept -----------------------------------------------------------------------------------

const retention = place("retention-form");
const OPTIONS = {keep: "--keep", days: "--keep-days", gigabytes: "--keep-gigabytes"};

async function showRetention() {
  try {
    drawRetention(await call("/v1/settings/retention"));
  } catch (problem) {
    say(place("retention-said"), problem.message, "bad");
  }
}

function drawRetention(policy) {
  for (const [name, option] of Object.entries(OPTIONS)) {
    const field = retention.elements.namedItem(name);
    field.value = policy[name] ?? "";
    if (policy.fixed.includes(name)) {
      field.disabled = true;
      field.setAttribute("aria-describedby", `${name}-hint`);
      place(`${name}-hint`).textContent = `Fixed by the option ${option} that the server was started with.`;
    }
  }
}

retention.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = place("retention-said");
  const given = (name) => (retention.elements.namedItem(name).value === "" ? null : Number(retention.elements.namedItem(name).value));
  clearProblems(retention);
  await doing(place("retention-save"), said, async () => {
    try {
      drawRetention(await call("/v1/settings/retention", {method: "PUT", body: {keep: retention.elements.keep.value, days: given("days"), gigabytes: given("gigabytes")}}));
      say(said, "Saved: photographs are kept so from now on, also after a restart.", "good");
      await showStorage();
    } catch (problem) {
      sayProblem(problem, retention, said);
    }
  });
});

// ---- keys --------------------------------------------------------------------------------------------------------

let known = [];

async function showKeys() {
  known = (await call("/v1/keys")).keys;
  const valid = known.filter((key) => !key.revoked);
  const revoked = known.filter((key) => key.revoked);
  place("keys-rows").replaceChildren(...valid.map((key) => element("tr", {},
    element("td", {}, key.name, key.own ? element("span", {class: "muted"}, " (you)") : null, element("span", {class: "beneath muted"}, key.role)),
    element("td", {class: "role"}, key.role),
    element("td", {}, key.last_used ? moment(key.last_used).slice(0, -3) : "never"),
    element("td", {class: "made"}, moment(key.created).slice(0, 10)),
    element("td", {}, element("button", {type: "button", "aria-label": `Revoke ${key.name}`, onclick: () => askToRevoke(key)}, "Revoke")))));
  place("keys-none").hidden = valid.length > 0;
  const gone = place("keys-revoked");
  gone.hidden = revoked.length === 0;
  gone.querySelector("summary").textContent = revoked.length === 1 ? "1 revoked key" : `${revoked.length} revoked keys`;
  gone.querySelector("ul").replaceChildren(...revoked.map((key) => element("li", {}, `${key.name}, ${key.role}, revoked ${moment(key.revoked).slice(0, 10)}`)));
}

function askToRevoke(key) {
  const admins = known.filter((one) => !one.revoked && one.role === "admin");
  const last = key.role === "admin" && admins.length === 1;
  place("revoke-head").textContent = `Revoke ${key.name}?`;
  place("revoke-text").textContent = `Whoever uses this key is refused within two seconds. Its name stays in the history, and is never given again.`;
  const warnings = [];
  if (key.own) warnings.push("This is your own key: you are signed out at once.");
  if (last) warnings.push("It is the last key of an admin: after it, keys are made on the server's command line alone.");
  const warning = place("revoke-warning");
  warning.hidden = warnings.length === 0;
  warning.textContent = warnings.join(" ");
  say(place("revoke-said"), "");
  place("revoke-do").onclick = (event) => doing(event.currentTarget, place("revoke-said"), async () => {
    await call(`/v1/keys/${encodeURIComponent(key.name)}`, {method: "DELETE", search: last ? {last_admin: true} : {}});
    place("revoke").close();
    if (key.own) location.reload();
    else await showKeys();
    say(place("keys-said"), `${key.name} is revoked.`, "good");
  });
  place("revoke").showModal();
}

function watchKeys() {
  const form = place("key-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = place("key-said");
    clearProblems(form);
    place("key-made").hidden = true;
    const name = form.elements.name.value.trim();
    await doing(place("key-make"), said, async () => {
      try {
        const made = await call("/v1/keys", {method: "POST", body: {name, role: form.elements.role.value}});
        form.reset();
        place("key-made").hidden = false;
        place("key-made").querySelector("label").textContent = `The key of ${made.name}, ${made.role}`;
        place("token").value = made.key;
        place("key-copy").textContent = "Copy";
        place("token").focus();
        place("token").select();
        await showKeys();
      } catch (problem) {
        if (problem.status === 422 && !Object.keys(problem.fields).length) problem.fields = {name: problem.message.replace(/\.$/, "")};
        sayProblem(problem, form, said);
      }
    });
  });
  place("key-copy").addEventListener("click", async () => {
    const token = place("token");
    token.select();
    let copied = false;
    try {
      await navigator.clipboard.writeText(token.value);
      copied = true;
    } catch {
      copied = document.execCommand("copy"); // a page over plain http has no clipboard
    }
    place("key-copy").textContent = copied ? "Copied" : "Copy it by hand";
  });
  showKeys().catch((problem) => say(place("keys-said"), problem.message, "bad"));
}

showStorage();
showRetention();
if (place("key-form")) watchKeys();
