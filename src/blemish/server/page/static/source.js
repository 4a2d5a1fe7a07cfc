// The part of a form that says where photographs come from: sent from here, or a folder on the server.

import {element, say} from "./dom.js";
import {filesOf} from "./dropped.js";
import {Upload} from "./upload.js";

/** The fieldset of photographs.html; `ready` gives what a job's request has of it. */
export class Source {
  constructor(limits) {
    this.place = document.getElementById("source");
    this.upload = new Upload(limits, () => this.draw());
    this.place.addEventListener("change", (event) => {
      if (event.target.name === "source") this.show();
    });
    this.place.querySelectorAll(".drop").forEach((drop) => this.listen(drop));
    this.button("sending-stop", () => this.upload.stop());
    this.button("sending-again", () => this.upload.again());
    this.button("sending-clear", () => this.upload.remove().catch((problem) => this.note(problem.message)));
    window.addEventListener("beforeunload", (event) => {
      if (this.upload.active) event.preventDefault(); // what is not sent yet would be lost
    });
    const asked = new URLSearchParams(location.search);
    if (asked.get("source")) this.kind = asked.get("source");
    this.resuming = asked.get("upload");
    this.show();
    if (this.resuming) this.resume(this.resuming);
  }

  get kind() {
    return this.place.querySelector("[name=source]:checked").value;
  }

  set kind(value) {
    const found = [...this.place.querySelectorAll("[name=source]")].find((one) => one.value === value);
    if (found) found.checked = true;
  }

  button(id, does) {
    document.getElementById(id).addEventListener("click", does);
  }

  note(sentence) {
    this.upload.trouble = sentence;
    this.draw();
  }

  async resume(id) {
    try {
      await this.upload.resume(id);
      this.resuming = null;
      this.draw();
    } catch (problem) {
      this.resuming = null;
      this.note(problem.message);
    }
  }

  show() {
    this.place.querySelectorAll("[data-source]").forEach((one) => { one.hidden = one.dataset.source !== this.kind; });
    this.draw();
  }

  listen(drop) {
    const send = (files) => files.length && this.upload.add(files, drop.dataset.zone);
    for (const what of ["files", "folder"]) {
      const input = drop.querySelector(`[data-input=${what}]`);
      drop.querySelector(`[data-choose=${what}]`).addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        send([...input.files]);
        input.value = "";
      });
    }
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      send(await filesOf(event.dataTransfer, () => true));
    });
  }

  draw() {
    const upload = this.upload;
    document.getElementById("sending").hidden = this.kind === "server" || !(upload.total || upload.photographs || upload.leftOutCount || upload.trouble);
    for (const drop of this.place.querySelectorAll(".drop")) {
      const zone = drop.dataset.zone;
      const here = zone ? upload.folders[zone] || 0 : upload.photographs - (upload.folders.good || 0) - (upload.folders.bad || 0);
      drop.querySelector("[data-count]").textContent = here ? `${here.toLocaleString("en")} ${here === 1 ? "photograph is" : "photographs are"} on the server` : "";
    }
    const bar = document.getElementById("sent");
    bar.hidden = !upload.active;
    bar.max = Math.max(1, upload.bytes);
    bar.value = upload.sentBytes;
    document.getElementById("sent-says").textContent = this.said();
    document.getElementById("sending-stop").hidden = !upload.active;
    document.getElementById("sending-again").hidden = upload.active || !upload.waiting.length;
    document.getElementById("sending-clear").hidden = upload.active || !upload.id;
    say(document.getElementById("sending-note"), upload.trouble, "bad");
    this.drawLeftOut();
    const address = new URL(location.href);
    if (upload.id) address.searchParams.set("upload", upload.id);
    else if (!this.resuming) address.searchParams.delete("upload");
    if (this.kind === "files") address.searchParams.delete("source");
    else address.searchParams.set("source", this.kind);
    if (address.href !== location.href) history.replaceState(null, "", address);
  }

  said() {
    const upload = this.upload;
    const sizes = `${megabytes(upload.sentBytes)} of ${megabytes(upload.bytes)} MB`;
    if (upload.active) return `Sent ${upload.sent.toLocaleString("en")} of ${upload.total.toLocaleString("en")} files, ${sizes}.`;
    if (upload.waiting.length) return `Halted: ${upload.sent.toLocaleString("en")} of ${upload.total.toLocaleString("en")} files are sent, ${sizes}.`;
    return upload.photographs || upload.leftOutCount ? `${upload.photographs.toLocaleString("en")} ${upload.photographs === 1 ? "photograph" : "photographs"} can be used.` : "";
  }

  drawLeftOut() {
    const {leftOut, leftOutCount, photographs} = this.upload;
    const details = document.getElementById("left-out");
    details.hidden = leftOutCount === 0;
    if (details.dataset.count === String(leftOutCount) && details.dataset.of === String(photographs)) return;
    Object.assign(details.dataset, {count: leftOutCount, of: photographs});
    const verb = leftOutCount === 1 ? "was" : "were";
    details.querySelector("summary").textContent = `${leftOutCount.toLocaleString("en")} of ${(leftOutCount + photographs).toLocaleString("en")} ${verb} left out`;
    const named = leftOut.slice(-200).map((one) => element("li", {}, element("strong", {}, shortly(one.name)), `: ${one.reason}`));
    details.querySelector("ul").replaceChildren(...named);
    if (leftOutCount > 0 && leftOutCount <= 20) details.open = true;
  }

  /** What a request has of it: the folder, or the upload once all has arrived. Throws an Error with one sentence. */
  async ready(says) {
    if (this.kind === "server") return {folder: document.getElementById("folder").value.trim()};
    if (this.upload.active) says("It begins when all photographs have arrived.");
    await this.upload.finished();
    if (this.upload.trouble || this.upload.waiting.length) throw new Error("Not all photographs have been sent: send the rest, or remove them.");
    if (!this.upload.photographs) throw new Error("There are no photographs yet: drop some, or name a folder on the server.");
    const {good = 0, bad = 0} = this.upload.folders;
    if (this.kind === "set") return {upload: this.upload.id};
    if (!good) throw new Error("There are no good parts yet: drop photographs of some.");
    return {upload: this.upload.id, good: ["good"], ...(bad ? {defective: ["bad"]} : {})};
  }
}

function megabytes(bytes) {
  return (bytes / 1e6).toLocaleString("en", {minimumFractionDigits: 1, maximumFractionDigits: 1});
}

/** A name without the folder that this page has put before it. */
function shortly(name) {
  return name.replace(/^(good|bad)\//, "");
}
