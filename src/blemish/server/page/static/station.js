// One station: how it is, its latest verdicts, and, for an admin, its file and whether it runs.

import {address, call} from "./api.js";
import {doing, element, say} from "./dom.js";
import {judges, showState, showTroubles, showVerdicts} from "./station_words.js";
import {moment, number, verdictClass} from "./words.js";

const EVERY = 1000; // milliseconds
const root = document.getElementById("station");
const name = root.dataset.name;
const path = `/v1/stations/${encodeURIComponent(name)}`;
const place = (id) => document.getElementById(id);
const field = (key) => root.querySelector(`[data-field=${key}]`);
let isNew = "new" in root.dataset; // nobody knows it before its file is saved
const count = (value) => value.toLocaleString("en");
const text = (key, value) => { field(key).textContent = value; };

function show(station) {
  const status = station.status;
  showState(field("state"), station);
  showTroubles(field("troubles"), station);
  showVerdicts(field("verdicts"), status);
  if (place("start")) showButtons(station);
  if (!status) return;
  text("judges", judges(status));
  text("started", moment(status.started));
  const here = ["starting", "running", "stopping"].includes(status.state);
  text("rate", here && status.parts_per_minute ? `${count(status.parts_per_minute)} verdicts` : "no verdict");
  const taken = status.latency;
  text("latency", taken ? `${Math.round(taken.median)} ms for half, ${Math.round(taken.p99)} ms for 99 of 100, ${Math.round(taken.most)} ms at most, of the latest ${count(taken.n)}` : "not measured yet");
  text("waiting", here && status.waiting ? `${count(status.waiting)} photographs` : "nothing");
  text("memory", here && status.memory_bytes ? `${Math.round(status.memory_bytes / 1e6)} MB` : "not known");
  place("sources").replaceChildren(...status.sources.map((one) => row(one, here, [one.given, one.dropped, one.refused], one.last)));
  place("sinks").replaceChildren(...status.sinks.map((one) => row(one, here, [one.sent, one.waiting, one.set_aside], one.last_sent)));
  showGate(status.gate);
  showLast(status);
}

function row(one, here, counts, last) {
  const state = !here ? "stopped" : one.connected ? "works" : one.trouble ? "does not work" : "waits";
  return element("tr", {},
    element("th", {scope: "row"}, one.name, element("span", {class: "muted small"}, ` ${one.kind}`)),
    element("td", {}, state),
    counts.map((value) => element("td", {class: "right"}, count(value))),
    element("td", {}, last ? moment(last) : "none yet"));
}

function showGate(gate) {
  place("gate").hidden = !gate;
  if (gate) place("gate").textContent = `Reject gate: ${gate.position ?? "not known where it stands"}; ${count(gate.in_time)} verdicts in time, ${count(gate.missed)} parts without one in time.`;
}

function showLast(status) {
  place("no-last").hidden = status.last.length > 0;
  place("last").replaceChildren(...status.last.map((one) => element("li", {},
    element("span", {class: `verdict ${verdictClass(one.verdict)}`}, one.verdict),
    element("a", {class: "name", href: address(`/parts/${encodeURIComponent(status.inspector)}/history`, {inspection: one.inspection})}, one.file_name),
    element("span", {class: "muted small"}, `${number(one.score)} · ${Math.round(one.milliseconds)} ms`))));
  place("refused-box").hidden = status.last_refused.length === 0;
  place("refused").replaceChildren(...status.last_refused.map((one) => element("li", {},
    element("span", {class: "name"}, one.file_name), element("span", {class: "small"}, one.detail))));
}

// ---- starting and stopping, and the file: an admin's -------------------------------------------------------------

function showButtons(station) {
  const runs = station.supervised;
  const elsewhere = !runs && station.status && ["starting", "running", "stopping"].includes(station.status.state);
  place("start").hidden = runs || elsewhere || !station.has_settings;
  place("stop").hidden = !runs;
}

function problemsOf(problems) {
  const list = place("problems");
  list.replaceChildren(...problems.map((one) => element("li", {}, one)));
  list.hidden = problems.length === 0;
}

async function sent(button, way, done) {
  problemsOf([]);
  await doing(button, place("file-said"), async () => {
    try {
      const {problems} = await call(`${path}/${way.where}`, {method: way.method, body: {text: place("text").value}});
      problemsOf(problems);
      say(place("file-said"), problems.length ? done.problems : done.well, problems.length ? "warn" : "good");
      if (way.method === "PUT" && isNew) {
        isNew = false;
        history.replaceState(null, "", location.pathname);
      }
      await once();
    } catch (problem) {
      if (problem.status !== 422) throw problem;
      problemsOf([problem.message]);
    }
  });
}

async function watchFile() {
  const area = place("text");
  if (!isNew) {
    area.value = (await call(`${path}/settings`)).text ?? "";
    if (!area.value) say(place("file-said"), "This station was started with a file that lies elsewhere: what is saved here is for starting it from here.");
  }
  if (!area.value) area.value = area.dataset.example;
  place("file-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sent(place("save"), {where: "settings", method: "PUT"}, {well: "Saved: it can be started.", problems: "Saved; it cannot be started before this is there."});
  });
  place("check").addEventListener("click", () => sent(place("check"), {where: "check", method: "POST"}, {well: "All that it names is there.", problems: "This is missing."}));
  place("start").addEventListener("click", () => doing(place("start"), place("said"), async () => show(await call(`${path}/start`, {method: "POST"}))));
  place("stop").addEventListener("click", () => doing(place("stop"), place("said"), async () => show(await call(`${path}/stop`, {method: "POST"}))));
}

async function once() {
  if (!isNew) show(await call(path));
}

async function watch() {
  for (;;) {
    try {
      if (!document.hidden) await once();
    } catch (problem) {
      say(place("said"), problem.message, "bad");
    }
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

if (place("file-form")) watchFile().catch((problem) => say(place("file-said"), problem.message, "bad"));
watch();
