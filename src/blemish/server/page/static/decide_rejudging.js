// Regions that the log does not tell: the kept photographs judged anew by what is considered, one by one.

import {address, call} from "./api.js";
import {doing, element, say} from "./dom.js";

const AT_MOST_TOLD = 20;
const at = (id) => document.getElementById(id);

export class Rejudging {
  constructor(base, part) {
    Object.assign(this, {base, part, going: null});
    at("rejudge").addEventListener("click", () => doing(at("rejudge"), at("rejudged-note"), () => this.run()));
    at("rejudge-stop").addEventListener("click", () => this.going?.abort());
  }

  /** Offer to judge what a preview needs photographs for; `body` is what was asked for. */
  offer(regions, body) {
    this.going?.abort();
    const numbers = regions?.photographs ?? [];
    Object.assign(this, {numbers, body});
    at("rejudging").hidden = numbers.length === 0;
    at("rejudge").textContent = numbers.length === 1 ? "Judge the kept photograph anew" : `Judge the ${numbers.length} kept photographs anew`;
    at("rejudged").replaceChildren();
    say(at("rejudged-note"), "");
  }

  async run() {
    const {numbers, body} = this;
    const controller = new AbortController();
    this.going = controller;
    const bar = at("rejudged-bar");
    Object.assign(bar, {max: numbers.length, value: 0, hidden: false});
    at("rejudge-stop").hidden = false;
    at("rejudged").replaceChildren();
    const sum = {done: 0, before: 0, after: 0, changed: 0, gone: 0};
    try {
      for (const number of numbers) {
        try {
          const found = await call(`${this.base}/decision/preview/${number}`, {method: "POST", body, signal: controller.signal});
          this.add(found, sum);
        } catch (problem) {
          if (problem.status !== 404) throw problem;
          sum.gone += 1; // it was kept when the preview was made
        }
        bar.value += 1;
      }
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    } finally {
      if (this.going === controller) {
        at("rejudge-stop").hidden = bar.hidden = true;
        this.tell(sum);
      }
    }
  }

  add(found, sum) {
    const after = found.regions.length;
    sum.done += 1;
    sum.before += found.regions_before;
    sum.after += after;
    if (after === found.regions_before && found.after === found.before) return;
    sum.changed += 1;
    if (sum.changed > AT_MOST_TOLD) return;
    const turned = found.after === found.before ? found.after : `${found.before}, then ${found.after}`;
    at("rejudged").append(element("li", {}, element("a", {href: address(`/parts/${this.part}/history`, {inspection: found.inspection})}, `Inspection ${found.inspection}`),
      ` ${turned}: ${found.regions_before} regions logged, ${after} then`));
  }

  tell({done, before, after, changed, gone}) {
    if (!done && !gone) return;
    const lost = gone ? ` Of ${gone} the photograph is gone by now.` : "";
    say(at("rejudged-note"), `Of ${done} photographs judged anew ${changed || "none"} would be shown otherwise: ${before} regions before, ${after} after.${lost}`);
  }
}
