// Jobs on a page: one that is looked at, with progress and report, and those before it.

import {address, call} from "./api.js";
import {element, say} from "./dom.js";
import {moment} from "./words.js";

const EVERY = 700;
const LISTED_EVERY = 3000;

const at = (id) => document.getElementById(id);
export const data = JSON.parse(at("data").textContent);
const ended = (job) => !["waiting", "running"].includes(job.state);

/** How long, in words: "8 s", "2 min 5 s", "1 h 3 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return whole >= 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole} s`;
}

function took(job) {
  if (!job.started) return "";
  return duration((new Date(job.ended || Date.now()) - new Date(job.started)) / 1000);
}

/** Show the job of this address until it has ended; `drawResult(job)` gives nodes once it is done. */
export class ShownJob {
  constructor({drawResult = () => [], follow = async () => {}} = {}) {
    Object.assign(this, {job: data.job, drawResult, follow});
    at("job-stop").addEventListener("click", () => this.act(`/v1/jobs/${this.job.id}/stop`, "POST"));
    at("job-remove").addEventListener("click", () => this.remove());
    at("job-details").addEventListener("toggle", () => this.log());
    this.draw();
    if (!ended(this.job)) this.watch();
    else this.follow(this.job);
  }

  async watch() {
    while (!ended(this.job)) {
      await new Promise((done) => setTimeout(done, EVERY));
      try {
        this.job = await call(`/v1/jobs/${this.job.id}`);
        say(at("job-note"), "");
        await this.follow(this.job);
        await this.log();
      } catch (problem) {
        say(at("job-note"), problem.message, "bad"); // the server may be starting anew
        if (problem.status === 404) return;
      }
      this.draw();
    }
  }

  async act(path, method) {
    try {
      this.job = await call(path, {method});
      this.draw();
    } catch (problem) {
      say(at("job-note"), problem.message, "bad");
    }
  }

  async remove() {
    try {
      await call(`/v1/jobs/${this.job.id}`, {method: "DELETE"});
      location.assign(location.pathname);
    } catch (problem) {
      say(at("job-note"), problem.message, "bad");
    }
  }

  async log() {
    if (!at("job-details").open) return;
    const answer = await fetch(address(`/v1/jobs/${this.job.id}/log`));
    if (answer.ok) at("job-log").textContent = (await answer.text()) || "Nothing yet.";
  }

  draw() {
    const job = this.job;
    document.title = `${job.title}: ${job.state} · Blemish`;
    at("job-state").className = `state ${job.state}`;
    at("job-state").textContent = job.state;
    at("job-facts").textContent = [took(job), `begun by ${job.by}`, moment(job.created)].filter(Boolean).join(" · ");
    at("job-says").textContent = job.says;
    at("job-says").hidden = job.says === "Done.";
    const bar = at("job-progress");
    bar.hidden = ended(job);
    if (job.progress === null) bar.removeAttribute("value");
    else bar.value = job.progress;
    at("job-stop").hidden = ended(job) || !data.admin;
    at("job-remove").hidden = !ended(job) || !data.admin;
    say(at("job-left-out"), leftOut(job), "warn");
    if (this.shown === job.state) return;
    this.shown = job.state;
    at("job-result").replaceChildren(...(job.state === "done" ? this.drawResult(job) : []));
    if (job.state === "failed") at("job-details").open = true;
    if (job.report) this.drawReport();
  }

  drawReport() {
    const path = address(`/v1/jobs/${this.job.id}/report`);
    const frame = element("iframe", {src: path, title: `Report: ${this.job.title}`, sandbox: "allow-scripts allow-downloads"});
    const heading = element("div", {class: "row spread"}, element("h2", {class: "flush"}, "Report"),
      element("div", {class: "row"}, element("a", {class: "button", href: path, target: "_blank", rel: "noopener"}, "Open by itself"),
        element("a", {class: "button", href: path, download: `${this.job.title}.html`}, "Download")));
    at("report").replaceChildren(heading, frame);
    at("report").hidden = false;
  }
}

function leftOut(job) {
  if (!job.left_out_count) return "";
  const all = job.left_out_count + (job.photographs || 0);
  const more = job.left_out_count > 3 ? " ..." : "";
  const verb = job.left_out_count === 1 ? "was" : "were";
  return `${job.left_out_count.toLocaleString("en")} of ${all.toLocaleString("en")} ${verb} left out: ${job.left_out.slice(0, 3).join(" ")}${more}`;
}

/** The table of jobs of this page's kinds, which follows those that are on their way. */
export class PastJobs {
  constructor() {
    this.jobs = data.jobs;
    this.draw();
    this.watch();
  }

  async watch() {
    while (this.jobs.some((job) => !ended(job))) {
      await new Promise((done) => setTimeout(done, LISTED_EVERY));
      if (!document.hidden) await this.read();
    }
  }

  async read() {
    try {
      const jobs = await call("/v1/jobs");
      this.jobs = jobs.filter((job) => data.kinds.includes(job.request.kind)).slice(0, 100);
      this.draw();
    } catch (problem) {
      say(at("past-note"), problem.message, "bad");
    }
  }

  async act(path, method) {
    say(at("past-note"), "");
    try {
      await call(path, {method});
    } catch (problem) {
      say(at("past-note"), problem.message, "bad");
    }
    await this.read();
  }

  draw() {
    at("past").hidden = this.jobs.length === 0;
    at("past-none").hidden = this.jobs.length > 0;
    at("past-rows").replaceChildren(...this.jobs.map((job) => this.row(job)));
  }

  row(job) {
    const open = element("a", {href: `${location.pathname}?${new URLSearchParams({job: job.id})}`}, job.title);
    const button = (word, path, method) => element("button", {type: "button", class: "plain", "aria-label": `${word} ${job.title}, ${moment(job.created)}`,
      onclick: () => this.act(path, method)}, word);
    const act = !data.admin ? null
      : ended(job) ? button("Remove", `/v1/jobs/${job.id}`, "DELETE") : button("Cancel", `/v1/jobs/${job.id}/stop`, "POST");
    return element("tr", {class: data.job && data.job.id === job.id ? "here" : null},
      element("td", {}, moment(job.created).slice(0, 16)), element("td", {}, open),
      element("td", {}, element("span", {class: `state ${job.state}`}, job.state)),
      element("td", {}, job.by), element("td", {}, took(job)), element("td", {}, act));
  }
}
