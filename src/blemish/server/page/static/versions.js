// Which version judges, what a file adds, and what two versions say of the photographs that are kept.

import {address, call} from "./api.js";
import {doing, element, say, sayProblem} from "./dom.js";
import {moment, verdictClass} from "./words.js";

const place = document.getElementById("versions");
const part = place.dataset.part;
const active = Number(place.dataset.active) || null;
const said = document.getElementById("said");
const here = `/v1/inspectors/${part}`;

for (const time of place.querySelectorAll("time[datetime]")) time.textContent = moment(time.getAttribute("datetime"));

/** Ask a person; what changes is named before. Gives whether they agree. */
async function agreed(version, what, yes) {
  const dialog = document.getElementById("confirm");
  const facts = await call(`${here}/versions/${version}`, {search: {against: active}});
  document.getElementById("confirm-title").textContent = `${part}: version ${version} is to judge`;
  document.getElementById("confirm-what").textContent = active
    ? `${what} From the next photograph on version ${active} judges no longer. What changes:`.trim()
    : `${what} From the next photograph on parts are judged.`.trim();
  const sentences = active && facts.changes ? facts.changes.sentences : [];
  const changes = sentences.length ? sentences : active ? ["Nothing that its file tells."] : [];
  document.getElementById("confirm-changes").replaceChildren(...changes.map((one) => element("li", {}, one)));
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, {once: true}));
  return dialog.returnValue === "yes";
}

for (const button of place.querySelectorAll("[data-activate]")) {
  button.addEventListener("click", () =>
    doing(button, said, async () => {
      const version = Number(button.dataset.activate);
      if (!(await agreed(version, "", `Let version ${version} judge`))) return;
      await call(`${here}/activate`, {method: "POST", body: {version}});
      location.reload();
    }),
  );
}

const back = document.getElementById("roll-back");
back?.addEventListener("click", () =>
  doing(back, said, async () => {
    const version = Number(back.dataset.version);
    if (!(await agreed(version, "It judged before.", `Roll back to version ${version}`))) return;
    await call(`${here}/roll-back`, {method: "POST"});
    location.reload();
  }),
);

document.getElementById("compare-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = ["first", "second"].map((id) => Number(document.getElementById(id).value)).sort((a, b) => a - b);
  if (chosen[0] === chosen[1]) say(said, "Choose two different versions to compare.", "warn");
  else location.assign(address(`/parts/${part}/versions`, {compare: chosen.join(",")}));
});

const add = document.getElementById("add");
add?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const place = document.getElementById("add-said");
  const file = add.elements.artifact.files[0];
  if (!file) {
    sayProblem({message: "", fields: {artifact: "choose a .blemish file first"}}, add, place);
    return;
  }
  const button = add.querySelector("button");
  button.disabled = true;
  say(place, `${file.name} is sent and checked …`);
  try {
    const body = new FormData();
    body.append("artifact", file);
    body.append("name", part);
    const added = await call("/v1/inspectors", {method: "POST", body});
    location.assign(address(`/parts/${part}/versions`, {added: added.version}) + `#version-${added.version}`);
  } catch (problem) {
    sayProblem(problem, add, place);
  } finally {
    button.disabled = false;
  }
});

const measure = document.getElementById("measure");
measure?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const place = document.getElementById("measure-said");
  const fields = measure.elements;
  const button = measure.querySelector("button");
  button.disabled = true;
  try {
    const body = {kind: "evaluate", inspector: part, version: Number(fields.version.value), folder: fields.folder.value.trim()};
    const begun = await call("/v1/jobs", {method: "POST", body});
    await followed(begun.id, place);
  } catch (problem) {
    sayProblem(problem, measure, place);
  } finally {
    button.disabled = false;
  }
});

/** Say how far a job is, until it has ended; then the page shows what it measured. */
async function followed(id, place) {
  for (;;) {
    const job = await call(`/v1/jobs/${id}`);
    if (job.state === "done") {
      location.reload();
      return;
    }
    if (!["waiting", "running"].includes(job.state)) {
      say(place, job.says, "bad");
      return;
    }
    const done = job.progress === null ? "" : ` (${Math.round(100 * job.progress)} %)`;
    say(place, `${job.says}${done}`);
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
}

const reinspect = document.getElementById("reinspect");
if (reinspect) {
  const compared = document.querySelector(".side-by-side").dataset;
  const pair = [Number(compared.first), Number(compared.second)];
  const stop = document.getElementById("reinspect-stop");
  const progress = document.getElementById("reinspect-progress");
  const shown = document.getElementById("reinspected");
  let going = null;

  const says = async (record, version, signal) =>
    record.version === version
      ? record.verdict
      : (await call(`/v1/inspections/${record.id}/reinspection`, {search: {version}, signal})).verdict;

  /** The latest kept photographs, a page of the history after the other. */
  const kept = async (most, signal) => {
    const found = [];
    let cursor = null;
    for (let pages = 0; pages < 25 && found.length < most; pages++) {
      const page = await call("/v1/inspections", {search: {inspector: part, limit: 200, cursor}, signal});
      const once = page.inspections.filter((one) => one.image && !found.some((known) => known.image_digest === one.image_digest));
      for (const one of once) {
        if (!found.some((known) => known.image_digest === one.image_digest)) found.push(one);
      }
      cursor = page.next_cursor;
      if (cursor === null) break;
    }
    return found.slice(0, most);
  };

  const turned = (record, verdicts) =>
    element(
      "li",
      {},
      element(
        "a",
        {href: address(`/parts/${part}/history`, {inspection: record.id})},
        element("img", {src: record.image, alt: "", loading: "lazy", width: 64, height: 64}),
        element(
          "span",
          {},
          element("span", {class: `verdict ${verdictClass(verdicts[0])}`}, verdicts[0]),
          " → ",
          element("span", {class: `verdict ${verdictClass(verdicts[1])}`}, verdicts[1]),
          element("span", {class: "name muted"}, record.file_name),
        ),
      ),
    );

  reinspect.addEventListener("submit", async (event) => {
    event.preventDefault();
    going = new AbortController();
    const signal = going.signal;
    const start = document.getElementById("reinspect-start");
    const list = element("ul", {class: "turned"});
    const sentence = element("p", {});
    start.disabled = true;
    stop.hidden = progress.hidden = false;
    progress.removeAttribute("value");
    shown.replaceChildren(sentence, list);
    let looked = 0;
    let left = 0;
    let differing = 0;
    const rejected = [0, 0];
    const tell = (end) => {
      const words = [
        `${looked} photographs: version ${pair[0]} rejects ${rejected[0]}, version ${pair[1]} rejects ${rejected[1]};`,
        differing === 1 ? "1 verdict is another." : `${differing} verdicts are another.`,
        left ? `${left} could not be looked at.` : "",
        end,
      ];
      sentence.textContent = words.filter(Boolean).join(" ");
    };
    try {
      const records = await kept(Number(reinspect.elements.last.value), signal);
      if (!records.length) {
        sentence.textContent = "No photograph of this part is kept: see the keep policy, or inspect some.";
        return;
      }
      progress.max = records.length;
      for (const record of records) {
        try {
          const verdicts = [await says(record, pair[0], signal), await says(record, pair[1], signal)];
          looked += 1;
          verdicts.forEach((verdict, which) => (rejected[which] += verdict === "reject" ? 1 : 0));
          if (verdicts[0] !== verdicts[1]) {
            differing += 1;
            list.append(turned(record, verdicts));
          }
        } catch (problem) {
          if (problem.name === "AbortError") throw problem;
          left += 1;
          if (problem.status === 0 || left > 5) throw problem;
        }
        progress.value = looked + left;
        tell("");
      }
      tell("");
    } catch (problem) {
      if (problem.name === "AbortError") tell("Stopped.");
      else {
        tell("");
        shown.prepend(element("p", {class: "note bad", role: "alert"}, problem.message));
      }
    } finally {
      start.disabled = false;
      stop.hidden = progress.hidden = true;
    }
  });
  stop.addEventListener("click", () => going?.abort());
}
