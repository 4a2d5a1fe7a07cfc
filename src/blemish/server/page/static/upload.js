// Files on their way to the server: several at once, each by itself, so that none is lost and each is told by its name.

import {Problem, address, call} from "./api.js";

const AT_ONCE = 4;
const TRIES = 8;
const LITTER = /(^|\/)(\.[^/]*|thumbs\.db|desktop\.ini|__macosx\/.*)$/i;

/**
 * An upload, begun with its first file. `changed` is called whenever a figure moves; the figures are `total` and `sent`
 * (files), `bytes` and `sentBytes`, `leftOut` ({name, reason}), `folders` (photographs by the first folder of their
 * names), `active`, and `trouble`, one sentence where it has come to a halt.
 */
export class Upload {
  constructor(limits, changed) {
    this.limits = limits;
    this.changed = changed;
    this.forget();
  }

  forget() {
    Object.assign(this, {id: null, waiting: [], running: new Map(), total: 0, sent: 0, bytes: 0, arrived: 0, leftOut: [],
      leftOutCount: 0, folders: {}, trouble: "", stopped: false, whenDone: []});
  }

  get active() {
    return this.running.size > 0 || (this.waiting.length > 0 && !this.stopped && !this.trouble);
  }

  get sentBytes() {
    return this.arrived + [...this.running.values()].reduce((sum, one) => sum + one.loaded, 0);
  }

  get photographs() {
    return Object.values(this.folders).reduce((sum, one) => sum + one, 0);
  }

  /** Take up an upload that the server has already. */
  async resume(id) {
    this.take(await call(`/v1/uploads/${id}`));
  }

  take(document) {
    this.id = document.id;
    this.folders = document.folders;
    this.leftOut = document.left_out;
    this.leftOutCount = document.left_out_count;
    this.changed();
  }

  /** Send files; each is a File, `zone` the folder of the upload that they go to, "" for none. */
  async add(files, zone) {
    for (const file of files) {
      const path = file.path || file.webkitRelativePath || file.name;
      if (LITTER.test(path)) continue;
      const name = zone ? `${zone}/${path}` : path;
      const most = /\.zip$/i.test(name) ? this.limits.zip : this.limits.photograph;
      this.total += 1;
      if (file.size > most) {
        this.sent += 1;
        this.refuse(name, `it has ${file.size.toLocaleString("en")} bytes, more than the ${most.toLocaleString("en")} that this server takes.`);
      } else {
        this.bytes += file.size;
        this.waiting.push({file, name, tries: 0});
      }
    }
    this.stopped = false;
    this.trouble = "";
    this.changed();
    if (!this.waiting.length) return;
    if (!this.id) {
      this.beginning = this.beginning || call("/v1/uploads", {method: "POST"});
      try {
        this.id = (await this.beginning).id;
      } catch (problem) {
        this.halt(problem.message);
      } finally {
        this.beginning = null;
      }
    }
    this.go();
  }

  /** Send the rest of what was halted. */
  again() {
    this.stopped = false;
    this.trouble = "";
    if (!this.id) this.add([], "");
    this.go();
    this.changed();
  }

  /** Stop sending; what has arrived stays. */
  stop() {
    this.stopped = true;
    for (const request of this.running.keys()) request.abort();
    this.changed();
  }

  /** Stop, and have the server remove what has arrived. */
  async remove() {
    this.stop();
    const id = this.id;
    this.forget();
    this.changed();
    if (id) await call(`/v1/uploads/${id}`, {method: "DELETE"}).catch((problem) => { if (problem.status !== 404) throw problem; });
  }

  /** Resolves when nothing is on its way any more. */
  finished() {
    return this.active ? new Promise((done) => this.whenDone.push(done)) : Promise.resolve();
  }

  go() {
    while (this.id && !this.stopped && !this.trouble && this.running.size < AT_ONCE && this.waiting.length) this.send(this.waiting.shift());
    if (!this.active) this.whenDone.splice(0).forEach((done) => done());
    this.changed();
  }

  send(one) {
    const request = new XMLHttpRequest(); // fetch says nothing of how far a body is
    const progress = {loaded: 0};
    this.running.set(request, progress);
    request.upload.onprogress = (event) => {
      progress.loaded = Math.min(event.loaded, one.file.size);
      this.changed();
    };
    request.onloadend = () => {
      this.running.delete(request);
      this.ended(one, request);
    };
    const path = one.name.split("/").map(encodeURIComponent).join("/");
    request.open("PUT", address(`/v1/uploads/${this.id}/files/${path}`));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(one.file);
  }

  ended(one, request) {
    if (this.stopped && request.status === 0) {
      this.waiting.unshift(one);
    } else if (request.status === 200) {
      this.received(one, JSON.parse(request.responseText));
    } else if ([0, 408, 429, 502, 503, 504].includes(request.status) && one.tries < TRIES) {
      one.tries += 1;
      const seconds = Number(request.getResponseHeader("Retry-After")) || Math.min(10, 0.5 * 2 ** one.tries);
      this.waiting.unshift(one);
      setTimeout(() => this.go(), 1000 * seconds);
      return this.changed();
    } else {
      const problem = new Problem(request.status, read(request));
      this.failed(one, problem);
    }
    return this.go();
  }

  received(one, document) {
    this.sent += 1;
    this.arrived += one.file.size;
    const folder = document.name.includes("/") ? document.name.split("/")[0] : "";
    if (document.photographs) this.folders = {...this.folders, [folder]: (this.folders[folder] || 0) + document.photographs};
    document.left_out.forEach((left) => this.refuse(left.name, left.reason));
  }

  failed(one, problem) {
    // What is wrong with this file alone is told of it; what is wrong with all ends the sending.
    if ([400, 415, 422].includes(problem.status) || (problem.status === 413 && problem.kind)) {
      this.sent += 1;
      this.arrived += one.file.size;
      this.refuse(one.name, problem.message);
    } else {
      this.waiting.unshift(one);
      this.halt(problem.status === 0 ? "The server cannot be reached: see whether it runs, then send the rest." : problem.message);
    }
  }

  refuse(name, reason) {
    this.leftOut = [...this.leftOut, {name, reason}];
    this.leftOutCount += 1;
  }

  halt(sentence) {
    this.trouble = sentence;
    this.whenDone.splice(0).forEach((done) => done());
    this.changed();
  }
}

function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}
