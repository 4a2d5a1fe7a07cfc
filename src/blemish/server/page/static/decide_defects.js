// Known defects besides those that people found: photographs that a job scores, by the address of which they count.

import {call} from "./api.js";
import {filesOf} from "./dropped.js";
import {say} from "./dom.js";
import {Upload} from "./upload.js";

const EVERY = 700;
const at = (id) => document.getElementById(id);

export class KnownDefects {
  /** `job` is the one that counts, or null; `changed(job)` is called when another does, or none. */
  constructor(root, job, changed) {
    Object.assign(this, {part: root.dataset.part, job, changed, running: null});
    at("without-job").addEventListener("click", () => this.count(null));
    if (!at("more-defects")) return; // the person may start no job
    const limits = {photograph: Number(root.dataset.photograph), zip: Number(root.dataset.zip)};
    this.upload = new Upload(limits, () => this.drawUpload());
    for (const [button, input] of [["defects-choose", "defects-files"], ["defects-choose-folder", "defects-folder-files"]]) {
      at(button).addEventListener("click", () => at(input).click());
      at(input).addEventListener("change", () => {
        this.upload.add([...at(input).files], "");
        at(input).value = "";
      });
    }
    const drop = at("defects-drop");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.upload.add(await filesOf(event.dataTransfer, () => true), "");
    });
    at("score-defects").addEventListener("click", () => this.score());
    at("score-stop").addEventListener("click", () => this.running && call(`/v1/jobs/${this.running}/stop`, {method: "POST"}).catch((problem) => this.say(problem.message, "bad")));
  }

  /** Let the defects of a job count from now on; null for none. */
  count(job) {
    this.job = job;
    this.changed(job);
  }

  /** Say what counts, of so many known defects in all. */
  show(n) {
    at("of-job").hidden = !this.job;
    if (this.job) at("of-job-says").textContent = `With those of the job ${this.job} there are ${n.toLocaleString("en")} known defects.`;
  }

  say(text, kind = "") {
    say(at("scored-note"), text, kind);
  }

  drawUpload() {
    const {upload} = this;
    const told = upload.active ? `Sent ${upload.sent.toLocaleString("en")} of ${upload.total.toLocaleString("en")} files.`
      : upload.photographs || upload.leftOutCount ? `${upload.photographs.toLocaleString("en")} photographs can be used${upload.leftOutCount ? `, ${upload.leftOutCount.toLocaleString("en")} cannot` : ""}.` : "";
    at("defects-sent").textContent = told;
    if (upload.trouble) this.say(upload.trouble, "bad");
  }

  /** Begin a job, follow it, and let what it has scored count. */
  async score() {
    const button = at("score-defects");
    button.disabled = true;
    this.say("");
    try {
      const job = await call("/v1/jobs", {method: "POST", body: {kind: "decide", inspector: this.part, ...await this.photographs()}});
      this.running = job.id;
      at("score-stop").hidden = at("scored").hidden = false;
      await this.followed(job.id);
    } catch (problem) {
      this.say(problem.message, "bad");
    } finally {
      this.running = null;
      at("score-stop").hidden = at("scored").hidden = true;
      button.disabled = false;
    }
  }

  async photographs() {
    const folder = at("defects-folder").value.trim();
    if (folder) return {folder};
    await this.upload.finished();
    if (this.upload.trouble) throw new Error(this.upload.trouble);
    if (!this.upload.photographs) throw new Error("There are no photographs yet: choose some of defective parts, or name a folder on the server.");
    return {upload: this.upload.id};
  }

  async followed(id) {
    for (;;) {
      const job = await call(`/v1/jobs/${id}`);
      if (job.state === "done") {
        this.upload.forget();
        this.drawUpload();
        this.say("They are scored, and count below.", "good");
        this.count(id);
        return;
      }
      if (!["waiting", "running"].includes(job.state)) throw new Error(job.says);
      this.say(job.says);
      if (job.progress === null) at("scored").removeAttribute("value");
      else at("scored").value = job.progress;
      await new Promise((done) => setTimeout(done, EVERY));
    }
  }
}
