// Photographs on their way to the server: a few at once, none lost.

import {call} from "./api.js";

const AT_ONCE = 2;
const MOST_WAIT = 20; // seconds between two tries

/** Sends photographs one by one in order; `changed(item)` is called whenever one has a new state. */
export class Sending {
  constructor(part, changed) {
    this.part = part;
    this.changed = changed;
    this.waiting = [];
    this.items = [];
    this.running = 0;
  }

  /** Take files; each is an item {file, state, inspection, problem}, state one of waiting, sent, judged, refused. */
  add(files) {
    const items = files.map((file) => ({file, name: file.path || file.name, state: "waiting", inspection: null, problem: null}));
    this.items.push(...items);
    this.waiting.push(...items);
    items.forEach((item) => this.changed(item));
    this.#go();
    return items;
  }

  /** How many are done, and how many there are. */
  get progress() {
    return [this.items.filter((item) => item.state === "judged" || item.state === "refused").length, this.items.length];
  }

  #go() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.#send(this.waiting.shift()).finally(() => {
        this.running -= 1;
        this.#go();
      });
    }
  }

  async #send(item) {
    for (let tries = 0; ; tries += 1) {
      item.state = "sent";
      this.changed(item);
      const form = new FormData();
      form.append("inspector", this.part);
      form.append("images", item.file, item.name);
      try {
        const answer = await call("/v1/inspect", {method: "POST", body: form, search: {heatmap: "layer"}});
        item.inspection = answer.inspections[0];
        item.state = "judged";
        item.problem = null;
        this.changed(item);
        return;
      } catch (problem) {
        item.problem = problem;
        if (![0, 408, 429, 503].includes(problem.status)) {
          item.state = "refused";
          this.changed(item);
          return;
        }
        item.state = "waiting"; // it says why meanwhile, and is sent again
        this.changed(item);
        const seconds = problem.retryAfter ?? Math.min(MOST_WAIT, 2 ** tries);
        await new Promise((done) => setTimeout(done, 1000 * seconds));
      }
    }
  }
}
