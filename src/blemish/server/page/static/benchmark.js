// The page Benchmark: detectors side by side, in a table that fills while they are measured.

import {call} from "./api.js";
import {element} from "./dom.js";
import {PastJobs, ShownJob, data} from "./jobs.js";

const COLUMNS = [
  ["Image AUROC", (cell) => shown(cell.image_auroc, 3)], ["Pixel AUROC", (cell) => shown(cell.pixel_auroc, 3)], ["F1", (cell) => shown(cell.f1, 3)],
  ["Precision", (cell) => shown(cell.precision, 3)], ["Recall", (cell) => shown(cell.recall, 3)],
  ["Learnt in", (cell) => (cell.fit_seconds === null ? "" : `${shown(cell.fit_seconds, 1)} s`)],
  ["A photograph", (cell) => (cell.milliseconds === null ? "" : `${shown(cell.milliseconds, 1)} ms`)],
];

function shown(value, digits) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

async function drawCells(job) {
  const place = document.getElementById("job-cells");
  const cells = await call(`/v1/jobs/${job.id}/cells`);
  place.hidden = cells.length === 0;
  if (!cells.length) return;
  cells.sort((one, other) => (other.image_auroc ?? -1) - (one.image_auroc ?? -1));
  const several = new Set(cells.map((cell) => cell.category)).size > 1;
  const head = element("tr", {}, element("th", {scope: "col"}, "Detector"), several ? element("th", {scope: "col"}, "Part") : null,
    ...COLUMNS.map(([title]) => element("th", {scope: "col", class: "right"}, title)));
  const rows = cells.map((cell) => element("tr", {}, element("th", {scope: "row"}, cell.detector), several ? element("td", {}, cell.category) : null,
    ...(cell.error ? [element("td", {colspan: COLUMNS.length, class: "bad"}, cell.error)]
      : COLUMNS.map(([, value]) => element("td", {class: "right"}, value(cell))))));
  const wanted = job.request.detectors.length;
  place.replaceChildren(element("table", {}, element("caption", {}, `${cells.length} of ${Math.max(wanted, cells.length)} measured, the highest image AUROC first`),
    element("thead", {}, head), element("tbody", {}, ...rows)));
}

async function prepareForm() {
  const {beginsJobs, figure, settings, typed, wrong} = await import("./job_form.js");
  const form = document.getElementById("form");
  const boxes = () => [...form.querySelectorAll("[name=detectors]")];
  form.querySelectorAll("[data-pick]").forEach((button) => button.addEventListener("click", () => {
    const quick = new Set(data.detectors.filter((one) => !one.trains && one.learns_from === "normal images").map((one) => one.name));
    boxes().forEach((box) => { box.checked = button.dataset.pick === "all" || (button.dataset.pick === "quick" && quick.has(box.value)); });
  }));
  beginsJobs(() => {
    const detectors = boxes().filter((box) => box.checked)
      .map((box) => [box.value, form.elements.namedItem(`preset-${box.value}`)?.value].filter(Boolean).join(":"));
    if (!detectors.length) throw wrong("detectors", "Choose one or more");
    if (detectors.length > 20) throw wrong("detectors", "Choose 20 at most, and compare the others afterwards");
    return {kind: "benchmark", detectors, quick: Boolean(typed("quick")), minutes: figure("minutes"), size: figure("size"),
      parameters: settings("parameters"), backbone: typed("backbone"), weights: settings("weights", false)};
  });
}

if (data.job) new ShownJob({follow: drawCells});
else if (data.admin) prepareForm();
new PastJobs();
