// A version that learns from corrections: begun, followed, what it would have said of the past, and who is asked.

import {address, call} from "./api.js";
import {doing, element, say} from "./dom.js";

const place = document.getElementById("corrections");
const versions = document.getElementById("versions");

if (place) {
  const part = versions.dataset.part;
  const here = `/v1/inspectors/${part}`;
  const said = document.getElementById("learn-said");
  const progress = document.getElementById("learn-progress");
  const result = document.getElementById("learn-result");
  const button = document.getElementById("learn");

  /** A correction that asks a second person, with a way to look at it and, for one who may, to confirm it. */
  const waiting = (one) => {
    const told = element("span", {class: "small muted", role: "status"});
    const confirm = element("button", {type: "button"}, "It is good");
    confirm.addEventListener("click", () =>
      doing(confirm, told, async () => {
        await call(`${here}/corrections/${one.id}/confirm`, {method: "POST"});
        confirm.hidden = true;
        say(told, "Confirmed: it is learnt the next time.", "good");
        if (button) button.disabled = false;
      }),
    );
    return element(
      "li",
      {class: "row"},
      element("a", {href: address(`/parts/${part}/history`, {inspection: one.id})}, one.name),
      element("span", {class: "small muted"}, `${one.deviations.toFixed(1)} deviations from good parts`),
      ...(button && one.id !== null ? [confirm, told] : []),
    );
  };

  /** What a job that has ended found. */
  const show = (found) => {
    const shown = [element("ul", {class: "changes"}, ...found.sentences.map((one) => element("li", {}, one)))];
    if (found.waiting.length) {
      shown.push(
        element("h4", {}, "A second person is asked"),
        element("p", {class: "hint"}, "Far from all good parts that are known: somebody else corrects them too, or confirms here."),
        element("ul", {class: "waiting"}, ...found.waiting.map(waiting)),
      );
    }
    result.replaceChildren(...shown);
  };

  /** Follow a job until it has ended; gives how it ended. */
  const followed = async (id) => {
    for (;;) {
      const job = await call(`/v1/jobs/${id}`);
      if (!["waiting", "running"].includes(job.state)) return job;
      progress.hidden = false;
      if (job.progress === null) progress.removeAttribute("value");
      else progress.value = job.progress;
      say(said, job.says);
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  };

  const follow = async (id) => {
    try {
      const job = await followed(id);
      if (job.state !== "done") say(said, job.says, "bad");
      return job;
    } finally {
      progress.hidden = true;
    }
  };

  button?.addEventListener("click", () =>
    doing(button, said, async () => {
      const begun = await call(`${here}/learn`, {method: "POST", body: {}});
      const job = await follow(begun.id);
      if (job.state === "done") location.reload();
    }),
  );

  if (place.dataset.job) {
    follow(place.dataset.job)
      .then((job) => {
        if (place.dataset.running && job.state === "done") location.reload();
        if (job.result) show(job.result);
      })
      .catch((problem) => say(said, problem.message, "bad"));
  }
}
