// The area Judge: photographs in, verdicts out, one shown at a time.

import {call} from "./api.js";
import {Camera} from "./camera.js";
import {drawn, element, say} from "./dom.js";
import {filesOf, isPhotograph} from "./dropped.js";
import {Reasons} from "./reasons.js";
import {Sending} from "./sending.js";
import {Viewer} from "./viewer.js";
import {moment, number, verdictClass} from "./words.js";

const THUMBNAIL = 96;
const find = (id) => document.getElementById(id);
const judge = find("judge");
const part = judge.dataset.part;
const viewer = new Viewer(find("viewer"));
const reasons = new Reasons(find("why"), find("why-note"), find("reasons"));
const sending = new Sending(part, changed);
let shown = null; // the item that is shown
let upcoming = null; // the item that is shown by itself once it is judged

if (!find("drop")) judge.classList.add("only-looking");
judge.classList.add("empty");

// ---- in

function take(files) {
  if (!files.length) {
    say(find("note"), "There was no photograph in what you dropped: drop image files, or a folder of them.", "warn");
    return;
  }
  say(find("note"), "");
  [upcoming] = sending.add(files);
}

if (find("drop")) {
  const camera = new Camera((file) => take([file]));
  find("choose").addEventListener("click", () => find("files").click());
  find("choose-folder").addEventListener("click", () => find("folder").click());
  find("camera").addEventListener("click", () => camera.open());
  for (const input of [find("files"), find("folder")]) {
    input.addEventListener("change", () => {
      take([...input.files].filter((file) => input.id === "files" || isPhotograph(file)));
      input.value = "";
    });
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    find("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) find("drop").classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    find("drop").classList.remove("over");
    take(await filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", async (event) => {
    const files = await filesOf(event.clipboardData);
    if (files.length) take(files);
  });
}

// ---- the list

function changed(item) {
  judge.classList.remove("empty");
  find("batch").hidden = false;
  if (!item.row) {
    item.row = element("li", {}, element("button", {type: "button", onclick: () => choose(item, true)}));
    find("list").append(item.row);
    thumbnail(item);
  }
  const button = item.row.firstChild;
  const said = item.inspection ? element("span", {class: `verdict ${verdictClass(item.inspection.verdict)}`}, item.inspection.verdict)
    : element("span", {class: "verdict not-judged"}, {waiting: "waiting", sent: "judging", refused: "refused"}[item.state]);
  const below = item.problem ? item.problem.message : item.inspection ? `score ${number(item.inspection.score)}` : "";
  button.replaceChildren(item.picture || element("span", {class: "blank"}), element("span", {}, element("span", {class: "name"}, item.name), element("span", {class: "small"}, below)), said);
  filtered(item);
  count();
  const done = item.state === "judged" || item.state === "refused";
  if (done && item === upcoming) choose(item, false);
  else if (done && item === shown) show(item);
  else if (!done) announce(item);
}

function announce(item) {
  if (item.problem && item.state === "waiting") say(find("note"), `${item.problem.message} ${item.name} is sent again by itself.`, "warn");
}

async function thumbnail(item) {
  try {
    const picture = await createImageBitmap(item.file, {resizeWidth: THUMBNAIL, resizeQuality: "medium"});
    const canvas = element("canvas", {width: THUMBNAIL, height: THUMBNAIL});
    const scale = Math.min(1, THUMBNAIL / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    canvas.getContext("2d").drawImage(picture, (THUMBNAIL - width) / 2, (THUMBNAIL - height) / 2, width, height);
    picture.close();
    item.picture = canvas;
    const blank = item.row.querySelector(".blank");
    if (blank) blank.replaceWith(canvas);
  } catch {
    // a format that this browser does not show; the verdict comes all the same
  }
}

function filtered(item) {
  const wanted = find("filter").value;
  item.row.hidden = Boolean(wanted) && (item.inspection ? item.inspection.verdict : item.state) !== wanted;
}

find("filter").addEventListener("change", () => sending.items.forEach(filtered));

function count() {
  const [done, all] = sending.progress;
  find("progress").max = Math.max(1, all);
  find("progress").value = done;
  find("progress").hidden = done === all;
  const tally = {};
  for (const item of sending.items) {
    const word = item.inspection ? item.inspection.verdict : item.state === "refused" ? "refused" : null;
    if (word) tally[word] = (tally[word] || 0) + 1;
  }
  const words = ["reject", "review", "not judged", "pass", "refused"].filter((word) => tally[word]).map((word) => `${tally[word]} ${word}`);
  find("counts").textContent = `${done} of ${all} judged${words.length ? `: ${words.join(", ")}` : ""}`;
}

// ---- one photograph

function choose(item, byPerson) {
  if (byPerson || item === upcoming) upcoming = null;
  shown = item;
  sending.items.forEach((one) => one.row?.firstChild.setAttribute("aria-current", one === item));
  item.row?.scrollIntoView({block: "nearest"});
  show(item);
}

function show(item) {
  find("shown").hidden = false;
  judge.classList.remove("empty");
  if (item.state === "refused") return showRefusal(item);
  const inspection = item.inspection;
  if (!inspection) return undefined;
  find("verdict").className = `big ${verdictClass(inspection.verdict)}`;
  find("word").textContent = inspection.verdict;
  find("reason").textContent = inspection.sentence || "";
  const took = Object.values(inspection.milliseconds || {}).reduce((one, other) => one + other, 0);
  find("facts").textContent = [inspection.file_name, `version ${inspection.version}`, `inspection ${inspection.id}`, moment(inspection.time), took ? `${Math.round(took)} ms` : ""].filter(Boolean).join(" · ");
  gauge(inspection);
  viewer.show({
    source: source(item),
    alt: `Photograph ${inspection.file_name}`,
    width: inspection.width,
    height: inspection.height,
    heat: inspection.heatmap && inspection.heatmap.startsWith("data:") ? inspection.heatmap : inspection.heatmap ? `${inspection.heatmap}?style=layer` : null,
    scale: inspection.map_scale,
    regions: inspection.regions,
  });
  listRegions(inspection);
  reasons.show(inspection);
  resetFeedback(inspection);
  remember(inspection.id);
  return undefined;
}

function showRefusal(item) {
  find("verdict").className = "big refused";
  find("word").textContent = "refused";
  find("reason").textContent = item.problem.message;
  find("facts").textContent = `${item.name} was not judged, and is not in the history.`;
  find("gauge").replaceChildren();
  viewer.show({source: null, alt: "", width: 4, height: 3});
  find("found").hidden = true;
  reasons.hide();
  if (find("feedback")) find("feedback").hidden = true;
  remember(null);
}

function source(item) {
  if (!item.file) return item.inspection.image;
  if (item.picture === undefined && /\.(hei[cf]|jp2|tiff?)$/i.test(item.name)) return item.inspection.image;
  item.url ||= URL.createObjectURL(item.file);
  return item.url;
}

/** Score, where review begins, and the threshold, on one line: what is near looks near. */
function gauge(inspection) {
  const {score, threshold} = inspection;
  const review = inspection.review_threshold ?? threshold;
  const usual = Math.min(inspection.map_scale ? inspection.map_scale[0] : review * 0.6, score, review);
  const high = Math.max(score, threshold + (threshold - usual) * 0.5);
  const x = (value) => 8 + (284 * (value - usual)) / Math.max(high - usual, 1e-9);
  const line = (from, to, name) => drawn("line", {x1: x(from), x2: x(to), y1: 24, y2: 24, class: `track ${name}`});
  const limit = (value, name) => drawn("line", {x1: x(value), x2: x(value), y1: 14, y2: 34, class: `limit ${name}`});
  const text = (value, words, y) => {
    const made = drawn("text", {x: Math.min(Math.max(x(value), 30), 270), y, "text-anchor": "middle"});
    made.textContent = words;
    return made;
  };
  const place = find("gauge");
  place.setAttribute("viewBox", "0 0 300 56");
  place.setAttribute("aria-label", `Score ${number(score)}; review from ${number(review)}, reject from ${number(threshold)}`);
  place.replaceChildren(
    line(usual, review, ""), line(review, threshold, "review"), line(threshold, high, "reject"),
    limit(review, "review"), limit(threshold, "reject"),
    drawn("circle", {cx: x(score), cy: 24, r: 8, class: "score"}),
    text(threshold, `reject ${number(threshold)}`, 50), text(score, number(score), 10),
  );
}

function listRegions(inspection) {
  find("found").hidden = inspection.regions.length === 0;
  find("regions").replaceChildren(
    ...inspection.regions.map((region, index) => {
      const look = element("button", {type: "button", class: "small-button", onclick: () => { viewer.focus(region); find("viewer").scrollIntoView({block: "nearest"}); }}, `${index + 1}`);
      look.setAttribute("aria-label", `Look at region ${index + 1}`);
      const area = region.square_millimetres === null || region.square_millimetres === undefined
        ? (region.area === null ? "" : `${Math.round(region.area).toLocaleString("en")} px`)
        : `${number(region.square_millimetres)} mm²`;
      const rare = region.p_value === null || region.p_value === undefined ? "" : `p ${region.p_value.toFixed(3)}`;
      return element("tr", {}, ...[look, `${region.x}, ${region.y}`, `${region.width} × ${region.height}`, area, number(region.score), rare, region.verdict || ""].map((cell) => element("td", {}, cell)));
    }),
  );
}

function remember(id) {
  const wanted = new URL(location.href);
  if (id) wanted.searchParams.set("inspection", id); else wanted.searchParams.delete("inspection");
  history.replaceState(null, "", wanted);
}

// ---- what people say

function resetFeedback(inspection) {
  const form = find("feedback");
  if (!form) return;
  form.hidden = false;
  form.reset(); // the type of the last part says nothing of this one
  say(find("feedback-note"), "");
  mark(inspection.truth);
}

function mark(truth) {
  document.querySelectorAll("#feedback button").forEach((button) => button.setAttribute("aria-pressed", button.dataset.truth === truth));
}

async function tell(truth) {
  const inspection = shown?.inspection;
  if (!inspection) return;
  const type = find("type").value.trim();
  try {
    const kept = await call(`/v1/inspections/${inspection.id}/feedback`, {method: "POST", body: {truth, ...(truth === "bad" && type ? {defect_type: type} : {})}});
    inspection.truth = kept.truth;
    mark(kept.truth);
    const words = kept.truth === "good" ? "good" : `defective${kept.defect_type ? `, ${kept.defect_type}` : ""}`;
    say(find("feedback-note"), `Kept: ${words}, said by ${kept.by}.`, "good");
    if (type) types();
  } catch (problem) {
    say(find("feedback-note"), problem.message, "bad");
  }
}

async function types() {
  const {pareto} = await call("/v1/stats", {search: {inspector: part}});
  find("types").replaceChildren(...pareto.filter((one) => one.defect_type).map((one) => element("option", {value: one.defect_type})));
}

if (find("feedback")) {
  find("feedback").addEventListener("submit", (event) => { event.preventDefault(); tell("bad"); });
  document.querySelectorAll("#feedback button").forEach((button) => button.addEventListener("click", () => tell(button.dataset.truth)));
  types().catch(() => {}); // the field can be filled without proposals
}

// ---- keyboard

function step(by) {
  const items = sending.items.filter((item) => !item.row.hidden && (item.inspection || item.state === "refused"));
  const next = items[Math.min(Math.max(items.indexOf(shown) + by, 0), items.length - 1)];
  if (next) choose(next, true);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea, dialog *")) return;
  const act = {
    n: () => step(1), ArrowDown: () => step(1), p: () => step(-1), ArrowUp: () => step(-1),
    g: () => tell("good"), d: () => tell("bad"),
    "+": () => viewer.zoom(1.5), "-": () => viewer.zoom(1 / 1.5), 0: () => viewer.fit(),
    h: () => {
      viewer.opacity.value = Number(viewer.opacity.value) > 0 ? 0 : 70;
      viewer.opacity.dispatchEvent(new Event("input"));
    },
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || (!shown && !["n", "p"].includes(event.key))) return;
  event.preventDefault();
  act();
});

// ---- an inspection that the address names

async function reopen(id) {
  try {
    const inspection = await call(`/v1/inspections/${id}`);
    if (inspection.inspector !== part) {
      say(find("note"), `Inspection ${id} is of ${inspection.inspector}, another part.`, "warn");
      return;
    }
    if (!inspection.image) say(find("note"), `The photograph of inspection ${id} is not kept; what was measured is below.`, "warn");
    shown = {inspection, state: "judged", name: inspection.file_name};
    show(shown);
    if (inspection.image) {
      const why = await call(`/v1/inspections/${id}/explanation`);
      if (shown.inspection !== inspection) return;
      inspection.map_scale = why.map_scale;
      show(shown);
    }
  } catch (problem) {
    say(find("note"), problem.message, "bad");
  }
}

const named = new URLSearchParams(location.search).get("inspection");
if (named) reopen(named);
