// Files on their way to the server: several at once, each by itself, so that none is lost and each is told by its name.

import {Problem, address, call} from "./api.js";

const AT_ONCE = 4;
const TRIES = 10; // one after the other without an answer: more than a minute
const PASSING = [0, 408, 429, 502, 503, 504]; // what another try may mend; 0: no answer
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
      leftOutCount: 0, folders: {}, trouble: "", stopped: false, whenDone: [], setbacks: 0, pause: null, own: []});
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
        this.refuseHere(name, `it has ${file.size.toLocaleString("en")} bytes, more than the ${most.toLocaleString("en")} that this server takes.`);
      } else {
        this.bytes += file.size;
        this.waiting.push({file, name});
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
    this.setbacks = 0;
    if (!this.id) this.add([], "");
    this.go();
    this.changed();
  }

  /** Stop sending; what has arrived stays. */
  stop() {
    this.stopped = true;
    this.endPause();
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
    while (this.id && !this.stopped && !this.trouble && !this.pause && this.running.size < AT_ONCE && this.waiting.length) this.send(this.waiting.shift());
    if (!this.active) this.settle();
    this.changed();
  }

  /** All is sent, or it is halted: what the server has counts, as an answer may have been lost. */
  async settle() {
    const id = this.id;
    if (id && !this.trouble) {
      try {
        const document = await call(`/v1/uploads/${id}`);
        if (this.id === id && !this.active) this.take({...document, left_out: [...document.left_out, ...this.own], left_out_count: document.left_out_count + this.own.length});
      } catch (problem) {
        if (this.id === id) this.trouble = problem.message;
      }
    }
    this.whenDone.splice(0).forEach((done) => done());
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
    } else if (PASSING.includes(request.status) && this.setbacks < TRIES) {
      this.waiting.unshift(one);
      this.wait(Number(request.getResponseHeader("Retry-After")));
    } else {
      const problem = new Problem(request.status, read(request));
      this.failed(one, problem);
    }
    return this.go();
  }

  /** Send nothing for a while: the server is busy, or starts anew. */
  wait(seconds) {
    if (this.pause) return;
    this.setbacks += 1;
    this.pause = setTimeout(() => {
      this.pause = null;
      this.go();
    }, 1000 * (seconds || Math.min(10, 0.5 * 2 ** this.setbacks)));
  }

  endPause() {
    clearTimeout(this.pause);
    this.pause = null;
  }

  received(one, document) {
    this.setbacks = 0;
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
      this.refuseHere(one.name, problem.message);
    } else {
      this.waiting.unshift(one);
      this.halt(problem.status === 0 ? "The server cannot be reached: see whether it runs, then send the rest." : problem.message);
    }
  }

  /** A file that the server knows nothing of. */
  refuseHere(name, reason) {
    this.own.push({name, reason});
    this.refuse(name, reason);
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
