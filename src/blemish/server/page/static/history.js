// The history of one part: what is chosen stands in the address, statistics are of the scope, the list of the filter.

import {address, call, prefix} from "./api.js";
import {Comparison} from "./comparison.js";
import {Drawer, badges} from "./drawer.js";
import {element, say} from "./dom.js";
import {showStatistics} from "./history-statistics.js";
import {moment, number, verdictClass} from "./words.js";

const AT_ONCE = 50;
const find = (id) => document.getElementById(id);
const place = find("history");
const part = place.dataset.part;
const form = find("filter");
const path = location.pathname.slice(prefix.length);
const OF_PARTS = ["batch", "shift", "camera", "serial_number"];
const MORE = ["defect_type", ...OF_PARTS, "version", "void", "repeats"];
const NAMES = ["search", "verdict", "found", "since", "until", ...MORE];

let items = []; // {inspection, reason, kind, row}
let cursor = null;
let asked = 0;

// ---- the address

function state() {
  return new URLSearchParams(location.search);
}

function write(changes, push = false) {
  const search = state();
  for (const [name, value] of Object.entries(changes)) value ? search.set(name, value) : search.delete(name);
  const to = address(path, Object.fromEntries(search));
  if (push) history.pushState(null, "", to);
  else history.replaceState(null, "", to);
}

const inQueue = () => state().get("queue") === "review";

/** Midnight of a day here, some days later, as the API takes it. */
function day(text, later = 0) {
  const [year, month, date] = text.split("-").map(Number);
  const time = new Date(year, month - 1, date + later);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** What the API is asked for, by what stands in the address. */
function wanted() {
  const search = state();
  const get = (name) => search.get(name) || null;
  const found = get("found");
  return {
    inspector: part,
    search: get("search"),
    verdict: get("verdict"),
    defect_type: get("defect_type"),
    version: get("version"),
    void: get("void"),
    repeats: get("repeats"),
    ...Object.fromEntries(OF_PARTS.map((name) => [name, get(name)])),
    truth: found === "good" || found === "bad" ? found : null,
    reviewed: found === "unsaid" ? "false" : null,
    since: get("since") && day(get("since")),
    until: get("until") && day(get("until"), 1),
  };
}

// ---- the list

function row(item) {
  const {inspection} = item;
  const href = address(path, {...Object.fromEntries(state()), inspection: inspection.id});
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab, as for every link
    event.preventDefault();
    choose(item);
  };
  const picture = inspection.thumbnail
    ? element("img", {src: inspection.thumbnail, alt: "", loading: "lazy", width: 56, height: 56})
    : element("span", {class: "blank", "aria-hidden": "true"});
  const said = inspection.truth ? `${inspection.truth === "good" ? "good" : "defective"}${inspection.defect_type ? `: ${inspection.defect_type}` : ""}` : "";
  const made = element(
    "tr", {class: inspection.voided ? "is-void" : null, "data-number": inspection.id},
    element("td", {class: "picture"}, picture),
    element("td", {class: "of-verdict"}, element("span", {class: `verdict ${verdictClass(inspection.verdict)}`}, inspection.verdict)),
    element("td", {class: "of-file"},
      element("a", {href, class: "open", onclick: open}, inspection.file_name), element("span", {class: "small muted"}, ` ${inspection.id}${inspection.serial_number ? ` · ${inspection.serial_number}` : ""}`),
      ...badges(inspection), item.reason ? element("span", {class: "waits small"}, item.reason) : null),
    element("td", {class: "right of-score"}, number(inspection.score), element("span", {class: "small muted"}, ` / ${number(inspection.threshold)}`)),
    element("td", {class: "of-truth"}, said),
    element("td", {class: "of-time"}, moment(inspection.time)),
  );
  made.addEventListener("click", (event) => {
    if (!event.target.closest("a") && !String(getSelection())) choose(item);
  });
  return made;
}

/** What was seen of a field's values in the list, to choose from. */
function known(name) {
  const seen = [...new Set(items.map(({inspection}) => inspection[name]).filter(Boolean))].sort();
  find(`known-${name}`).replaceChildren(...seen.slice(0, 100).map((value) => element("option", {value})));
}

/** Open an inspection, or take it for the other of a comparison that was begun. */
function choose(item) {
  if (comparison.asks) compare([...comparison.ids, item.inspection.id]);
  else drawer.open(item, true);
}

function add(found) {
  for (const item of found) {
    item.row = row(item);
    items.push(item);
    find("rows").append(item.row);
  }
  OF_PARTS.forEach(known);
}

/** Fill the list anew; what was asked for before is dropped. */
async function fill() {
  const mine = ++asked;
  try {
    const found = await next(null);
    if (mine !== asked) return;
    items = [];
    find("rows").replaceChildren();
    add(found);
    say(find("note"), "");
    find("empty").hidden = items.length > 0;
    find("empty").className = "note";
    find("empty").textContent = inQueue()
      ? "Nothing waits for a person."
      : form.querySelector("[data-set]") ? "No inspection matches: clear some of the filter." : "Nothing was inspected yet.";
  } catch (problem) {
    if (mine === asked) say(find("note"), problem.message, "bad");
  }
}

/** The next inspections of the list, the first where there is no cursor. */
async function next(from) {
  if (inQueue()) {
    const page = await call("/v1/review-queue", {search: {inspector: part, limit: 200}});
    waiting(page.counts);
    cursor = null;
    find("older").hidden = true;
    return page.waiting;
  }
  const page = await call("/v1/inspections", {search: {...wanted(), limit: AT_ONCE, cursor: from}});
  cursor = page.next_cursor;
  find("older").hidden = !cursor;
  return page.inspections.map((inspection) => ({inspection}));
}

async function older() {
  if (!cursor) return false;
  const mine = asked;
  try {
    const found = await next(cursor);
    if (mine !== asked) return false;
    add(found);
    return found.length > 0;
  } catch (problem) {
    say(find("note"), problem.message, "bad");
    return false;
  }
}

function waiting(counts) {
  const all = Object.values(counts).reduce((one, other) => one + other, 0);
  find("waiting").textContent = all ? all.toLocaleString("en") : "";
  const words = Object.entries(counts).filter(([, n]) => n).map(([kind, n]) => `${n.toLocaleString("en")} ${kind}`);
  if (inQueue()) find("matching").textContent = all ? `${all.toLocaleString("en")} wait for a person: ${words.join(", ")}` : "Nothing waits for a person.";
}

async function countWaiting() {
  try {
    waiting((await call("/v1/review-queue", {search: {inspector: part, limit: 1}})).counts);
  } catch {
    find("waiting").textContent = ""; // no version judges
  }
}

// ---- statistics above the list

let statisticsAsked = 0;

async function statistics() {
  const mine = ++statisticsAsked;
  const which = wanted();
  try {
    const short = which.since && Date.parse(which.until || new Date().toISOString()) - Date.parse(which.since) <= 3 * 86400e3;
    const found = await call("/v1/stats", {search: {...which, bucket: short ? "hour" : "day"}});
    if (mine !== statisticsAsked) return;
    showStatistics(found, part, state());
    if (!inQueue()) {
      const n = found.matching;
      find("matching").textContent = `${n.toLocaleString("en")} ${n === 1 ? "inspection" : "inspections"}${form.querySelector("[data-set]") ? (n === 1 ? " matches" : " match") : ""}`;
    }
    find("types").replaceChildren(...found.pareto.map((one) => element("option", {value: one.defect_type})));
  } catch (problem) {
    if (mine === statisticsAsked) say(find("note"), problem.message, "bad");
  }
}

// ---- one inspection beside the list

const drawer = new Drawer(part, find("history").dataset.mayJudge === "yes", {
  opened(item, push) {
    write({inspection: item.inspection.id, compare: null}, push && !state().get("inspection"));
    comparison.hide();
    place.classList.add("open");
    for (const one of items) one.row.classList.toggle("chosen", one === item);
    item.row?.scrollIntoView({block: "nearest"});
  },
  closed(item) {
    write({inspection: null});
    place.classList.remove("open");
    for (const one of items) one.row.classList.remove("chosen");
    (item?.row?.querySelector("a") || find("search")).focus();
  },
  changed(item, inspection) {
    item.inspection = inspection;
    if (item.row?.isConnected) {
      const fresh = row(item);
      fresh.className = `${fresh.className} chosen`;
      item.row.replaceWith(fresh);
      item.row = fresh;
    }
    statistics();
    countWaiting();
  },
  async step(item, by) {
    const at = items.findIndex((one) => one.inspection.id === item?.inspection.id);
    if (at + by >= items.length) await older();
    const to = items[at < 0 ? 0 : Math.min(Math.max(at + by, 0), items.length - 1)];
    if (to && to !== item) drawer.open(to, false);
  },
});

// ---- two beside each other

const comparison = new Comparison(part, () => {
  const [id] = comparison.ids;
  write({compare: null});
  comparison.hide();
  (items.find((one) => one.inspection.id === id)?.row.querySelector("a") || find("search")).focus();
});

function compare(ids) {
  write({compare: ids.join(","), inspection: null}, true);
  openAddressed();
}

find("compare-with").addEventListener("click", () => compare([drawer.item.inspection.id]));

async function openAddressed() {
  const compared = (state().get("compare") || "").split(",").map(Number).filter(Boolean);
  if (compared.length) comparison.show(compared);
  else comparison.hide();
  const id = Number(state().get("inspection"));
  if (!id) {
    drawer.close(false);
    place.classList.remove("open");
    return;
  }
  const known = items.find((one) => one.inspection.id === id);
  drawer.open(known || {inspection: {id}}, false);
}

// ---- the form

function readAddress() {
  const search = state();
  for (const name of NAMES) {
    const field = form.elements.namedItem(name);
    field.value = search.get(name) || "";
    field.toggleAttribute("data-set", Boolean(search.get(name)));
  }
  find("more").open ||= MORE.some((name) => search.get(name));
  const queue = inQueue();
  form.hidden = find("statistics").hidden = find("csv").hidden = queue;
  find("tab-all").toggleAttribute("aria-current", !queue);
  find("tab-queue").toggleAttribute("aria-current", queue);
  for (const id of ["tab-all", "tab-queue"]) if (find(id).hasAttribute("aria-current")) find(id).setAttribute("aria-current", "page");
  find("csv").href = address("/v1/inspections.csv", wanted());
}

async function everything() {
  readAddress();
  const filled = fill();
  statistics();
  if (!inQueue()) countWaiting();
  await filled;
}

function apply() {
  write(Object.fromEntries(NAMES.map((name) => [name, form.elements.namedItem(name).value.trim()])));
  everything();
}

let typing = null;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(apply, event.target.matches("[type=search], [list]") ? 250 : 0);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  apply();
});
find("clear").addEventListener("click", () => {
  for (const name of NAMES) form.elements.namedItem(name).value = "";
  apply();
  find("search").focus();
});
find("older").addEventListener("click", older);
for (const [id, queue] of [["tab-all", null], ["tab-queue", "review"]]) {
  find(id).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    write({queue, inspection: null, compare: null}, true);
    drawer.close(false);
    comparison.hide();
    place.classList.remove("open");
    everything();
  });
}
addEventListener("popstate", async () => {
  await everything();
  openAddressed();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const by = {j: 1, ArrowDown: 1, k: -1, ArrowUp: -1}[event.key];
  const inList = event.target.closest("#rows");
  if (by && !drawer.item && inList) {
    const rows = items.map((one) => one.row);
    rows[rows.indexOf(event.target.closest("tr")) + by]?.querySelector("a").focus();
    event.preventDefault();
  } else if (comparison.ids.length && event.key === "Escape") {
    find("compare-close").click();
  } else if (drawer.item && event.key === "c") {
    find("compare-with").click();
  } else if (drawer.item || (by && event.key.length === 1)) {
    drawer.key(event, by);
  }
});
find("charts").open = matchMedia("(min-width: 820px) and (min-height: 1000px)").matches;
await everything();
openAddressed();
