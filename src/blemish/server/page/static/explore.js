// The page Explore: reports on photographs, and on what an inspector is worth on them.

import {PastJobs, ShownJob, data} from "./jobs.js";

async function prepareForm() {
  const {beginsJobs, settings, typed, wrong} = await import("./job_form.js");
  const form = document.getElementById("form");
  const kind = () => form.querySelector("[name=kind]:checked").value;
  const show = () => form.querySelectorAll("[data-kind]").forEach((one) => { one.hidden = !one.dataset.kind.split(" ").includes(kind()); });
  form.addEventListener("change", show);
  show();
  beginsJobs(() => {
    if (kind() === "explore") return {kind: "explore", backbone: typed("backbone"), weights: settings("weights", false)};
    if (!typed("inspector")) throw wrong("inspector", "Choose the part that is on the photographs");
    return {kind: kind(), inspector: typed("inspector")};
  });
}

if (data.job) new ShownJob();
else if (data.admin) prepareForm();
new PastJobs();
