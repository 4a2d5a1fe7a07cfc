// The page Train: learn a part, follow the training, and let what it has learnt judge.

import {address, call} from "./api.js";
import {element, say} from "./dom.js";
import {PastJobs, ShownJob, data, duration} from "./jobs.js";
import {number, percent} from "./words.js";

const next = document.getElementById("job-next");

function facts(job) {
  const {result} = job;
  const rows = [["Learnt from", `${(result.n_train || 0).toLocaleString("en")} photographs of good parts`]];
  if (result.decision) rows.push(["Good parts rejected", `${percent(result.decision.expected)} expected, ${percent(result.decision.at_most)} at most (95 % confidence)`]);
  rows.push(["Threshold", number(result.threshold)]);
  const measured = result.evaluation;
  if (measured && measured.recall !== undefined && measured.recall !== null) rows.push(["Defective parts found", `${percent(measured.recall)} of ${measured.n_anomalous}`]);
  if (measured && measured.image_auroc) rows.push(["Image AUROC", number(measured.image_auroc)]);
  if (!result.n_test) rows.push(["Defective parts found", "not measured: there were none among the photographs"]);
  if (result.evaluation_error) rows.push(["Not measured", result.evaluation_error]);
  if (result.skipped && result.skipped.length) rows.push(["Unreadable, left out", result.skipped.slice(0, 3).map((one) => one.path.split("/").at(-1)).join(", ") + (result.skipped.length > 3 ? ` and ${result.skipped.length - 3} more` : "")]);
  if (result.copies && result.copies.length) rows.push(["Copies, counted once", String(result.copies.length)]);
  rows.push(["Learnt in", duration(result.seconds || 0)]);
  return [element("dl", {class: "facts"}, ...rows.map(([word, said]) => element("div", {}, element("dt", {}, word), element("dd", {}, said))))];
}

/** What becomes of a finished training: which version it is, and what may be done with it. */
function drawNext(job) {
  const name = job.request.name;
  const known = data.parts[name] || 0;
  const link = (path, word, kind = "") => element("a", {class: `button ${kind}`.trim(), href: address(path)}, word);
  const button = (word, path, kind) => element("button", {type: "button", class: kind, onclick: () => settle(job, path)}, word);
  const place = `/parts/${encodeURIComponent(name)}`;
  if (job.version) {
    next.replaceChildren(element("p", {class: "becomes"}, `It is version ${job.version} of ${name}.`),
      link(place, `Open ${name}`, "primary"), link(`${place}/versions`, "All versions"),
      ...(data.admin ? [button("Let it judge", "activate", null)] : []));
    return;
  }
  const says = known ? `It becomes version ${known + 1} of ${name}.` : `It becomes the first version of ${name}.`;
  next.replaceChildren(element("p", {class: "becomes"}, says),
    ...(data.admin ? [button("Let it judge", "activate", "primary"), button("Keep it without judging", "keep", null)] : []),
    ...(known ? [link(place, `Open ${name}`)] : []));
}

async function settle(job, what) {
  const note = document.getElementById("job-note");
  next.querySelectorAll("button").forEach((one) => { one.disabled = true; });
  try {
    const version = await call(`/v1/jobs/${job.id}/${what}`, {method: "POST"});
    job.version = version.version;
    data.parts[version.name] = Math.max(data.parts[version.name] || 0, version.version);
    say(note, version.active ? `Version ${version.version} of ${version.name} judges from now on.` : `Version ${version.version} of ${version.name} is kept; it judges once it is activated under Versions.`, "good");
  } catch (problem) {
    say(note, problem.message, "bad");
  }
  drawNext(job);
}

function done(job) {
  drawNext(job);
  return facts(job);
}

async function prepareForm() {
  const {beginsJobs, figure, fill, settings, typed, wrong} = await import("./job_form.js");
  const name = document.getElementById("name");
  const hint = document.getElementById("name-hint");
  const detector = document.getElementById("detector");
  const preset = document.getElementById("preset");
  const sayName = () => {
    const given = name.value.trim();
    const version = data.parts[given];
    const like = Object.keys(data.parts).find((one) => one.toLowerCase() === given.toLowerCase());
    if (version) hint.textContent = `Becomes version ${version + 1} of ${given}.`;
    else if (like) hint.textContent = `A new part; ${like} is known too, and is another.`;
    else hint.textContent = given ? `A new part, ${given}.` : "What is on the photographs: letters, digits, dots and dashes.";
    const address = new URL(location.href);
    if (given) address.searchParams.set("part", given);
    else address.searchParams.delete("part");
    if (address.href !== location.href) history.replaceState(null, "", address);
  };
  const sayDetector = () => {
    const info = data.detectors.find((one) => one.name === detector.value);
    fill(preset, ["", "usual"], info.presets);
    preset.disabled = info.presets.length === 0;
    document.getElementById("detector-hint").textContent = `${info.summary} Learns from ${info.learns_from}.`;
  };
  name.addEventListener("input", sayName);
  detector.addEventListener("change", sayDetector);
  sayName();
  sayDetector();
  beginsJobs(() => {
    if (!typed("name")) throw wrong("name", "Name the part: it is not guessed from its folder");
    const rate = figure("false_reject_rate", 0.01);
    return {
      kind: "train", name: typed("name"), detector: [detector.value, preset.value].filter(Boolean).join(":"),
      quick: typed("quick"), smallest_defect: typed("smallest_defect"), scale: typed("scale"), align: typed("align"), parts: typed("parts"),
      size: figure("size"), false_reject_rate: rate, augment: typed("augment"), budget: typed("budget"), foreground: typed("foreground"),
      parameters: settings("parameters"), backbone: typed("backbone"), weights: settings("weights", false),
    };
  });
}

if (data.job) new ShownJob({drawResult: done});
else if (data.admin) prepareForm();
new PastJobs();
