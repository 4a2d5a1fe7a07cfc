// One inspection beside the list: its photograph, why it was judged so, what people said, and what a person may say.

import {address, call, prefix} from "./api.js";
import {doing, element, say, sayProblem} from "./dom.js";
import {Reasons} from "./reasons.js";
import {Viewer} from "./viewer.js";
import {moment, number, verdictClass} from "./words.js";

const find = (id) => document.getElementById(id);

/** Marks of an inspection that is void, or a repeat of another. */
export function badges(inspection) {
  return [
    inspection.voided ? element("span", {class: "badge", title: inspection.void_reason}, "void") : null,
    inspection.repeat_of ? element("span", {class: "badge", title: "The very same file was judged before"}, `repeat of ${inspection.repeat_of}`) : null,
  ];
}

export class Drawer {
  /**
   * `part` is its name, `mayJudge` whether the person may say what parts are. `on` has opened(item, push), closed(item),
   * changed(item, inspection) and step(item, by), where an item is {inspection, reason?} of the list.
   */
  constructor(part, mayJudge, on) {
    Object.assign(this, {part, mayJudge, on, item: null});
    this.place = find("drawer");
    this.viewer = new Viewer(find("viewer"));
    this.reasons = new Reasons(find("why"), find("why-note"), find("reasons"));
    find("close").addEventListener("click", () => this.close());
    find("previous").addEventListener("click", () => this.on.step(this.item, -1));
    find("next").addEventListener("click", () => this.on.step(this.item, 1));
    if (mayJudge) this.#listen();
  }

  /** Show an item of the list; one that has only a number is asked for. */
  async open(item, push) {
    const first = this.item === null;
    this.item = item;
    this.place.hidden = false;
    this.on.opened(item, push);
    find("title").textContent = `Inspection ${item.inspection.id}`;
    say(find("drawer-note"), "");
    if (first || push) find("title").focus({preventScroll: matchMedia("(min-width: 820px)").matches});
    this.place.scrollTop = 0;
    if (item.inspection.verdict) this.#show(item.inspection);
    else find("shown").hidden = true;
    try {
      const inspection = await call(`/v1/inspections/${item.inspection.id}`);
      if (this.item !== item) return;
      item.inspection = inspection;
      this.#show(inspection);
      this.#words(inspection);
      this.#similar(inspection);
      this.reasons.show(inspection);
      await this.#said(inspection.id);
    } catch (problem) {
      if (this.item === item) say(find("drawer-note"), problem.message, "bad");
    }
  }

  close(tell = true) {
    if (!this.item) return;
    const item = this.item;
    this.item = null;
    this.place.hidden = true;
    this.reasons.hide();
    if (tell) this.on.closed(item);
  }

  /** What a key does while an inspection is open; `by` is a step in the list, or undefined. */
  key(event, by) {
    if (event.key === "Escape" && this.item) this.close();
    else if (by) this.on.step(this.item, by);
    else if (this.mayJudge && this.item && event.key === "g") this.#judge("good");
    else if (this.mayJudge && this.item && event.key === "d") this.#judge("bad");
    else return;
    event.preventDefault();
  }

  #show(inspection) {
    find("shown").hidden = false;
    const word = find("word");
    word.textContent = inspection.verdict;
    word.className = `verdict ${verdictClass(inspection.verdict)}`;
    find("marks").replaceChildren(...badges(inspection).filter(Boolean));
    say(find("waits"), this.item.reason || "", "warn");
    find("reason").textContent = inspection.sentence || `Score ${number(inspection.score)}, threshold ${number(inspection.threshold)}.`;
    const there = Boolean(inspection.image);
    find("viewer").hidden = !there;
    find("no-photograph").hidden = there;
    find("no-photograph").textContent = there ? "" : `Its photograph is not there (any more). ${document.getElementById("history").dataset.kept}`;
    if (there && this.pictured !== inspection.id) {
      this.pictured = inspection.id;
      this.viewer.show({
        source: inspection.image,
        alt: `Photograph ${inspection.file_name}`,
        width: inspection.width,
        height: inspection.height,
        heat: inspection.heatmap ? `${inspection.heatmap}?style=layer` : null,
        regions: inspection.regions,
      });
    }
    this.#regions(inspection.regions);
    this.#facts(inspection);
    if (!this.mayJudge) return;
    find("void-form").hidden = Boolean(inspection.voided);
    find("take-back").hidden = !inspection.voided;
  }

  /** The fields belong to this inspection alone: nothing of the one before stays in them. */
  #words() {
    if (!this.mayJudge) return;
    find("feedback").reset();
    find("void-form").reset();
    for (const id of ["feedback-note", "void-note"]) say(find(id), "");
  }

  #regions(regions) {
    find("regions-of").hidden = regions.length === 0;
    find("regions").replaceChildren(
      ...regions.map((one, index) =>
        element("tr", {},
          element("td", {}, element("button", {type: "button", class: "plain", "aria-label": `Show region ${index + 1}`, onclick: () => this.viewer.focus(one)}, `${index + 1}`)),
          element("td", {}, `${one.x}, ${one.y}`), element("td", {}, `${one.width} × ${one.height}`), element("td", {}, number(one.score)))),
    );
  }

  #facts(inspection) {
    const facts = [
      ["File", inspection.file_name],
      ["Serial number", inspection.serial_number, "serial_number"],
      ["Batch", inspection.batch, "batch"],
      ["Shift", inspection.shift, "shift"],
      ["Camera", inspection.camera, "camera"],
      ["When", moment(inspection.time)],
      ["Version", inspection.version],
      ["Score, threshold", `${number(inspection.score)}, ${number(inspection.threshold)}`],
      ["Photograph", {kept: "kept", buffered: "held until newer passes need the room"}[inspection.photograph] || "not there"],
      ["Sent by", inspection.by],
      ["Void", inspection.voided && `since ${moment(inspection.voided)}, by ${inspection.void_by}: ${inspection.void_reason}`],
    ];
    const there = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
    const here = location.pathname.slice(prefix.length);
    const shown = (value, filter) => (filter ? element("a", {href: address(here, {[filter]: value})}, String(value)) : String(value));
    find("facts").replaceChildren(...there.map(([name, value, filter]) => element("div", {}, element("dt", {}, name), element("dd", {}, shown(value, filter)))));
    if (inspection.repeat_of) {
      const other = address(here, {inspection: inspection.repeat_of});
      find("facts").append(element("div", {}, element("dt", {}, "Repeat of"), element("dd", {}, element("a", {href: other}, String(inspection.repeat_of)))));
    }
  }

  async #said(id) {
    const all = await call(`/v1/inspections/${id}/feedback`);
    if (this.item?.inspection.id !== id) return;
    const words = (one) => [one.truth === "good" ? "Good" : `Defective${one.defect_type ? `: ${one.defect_type}` : ""}`, one.note, `${one.by}, ${moment(one.time)}`].filter(Boolean).join(" · ");
    find("said").replaceChildren(...(all.length ? all.map((one) => element("li", {}, words(one))) : [element("li", {class: "muted"}, "Nobody has said anything.")]));
  }

  /** Past defects of this part alone: other parts' have no say. */
  async #similar(inspection) {
    const section = find("similar-of");
    section.hidden = true;
    if (!inspection.image || !inspection.heatmap || inspection.verdict === "pass") return;
    let found;
    try {
      found = await call(`/v1/inspections/${inspection.id}/similar`, {search: {category: this.part, top: 4}});
    } catch {
      return; // there is no gallery
    }
    if (this.item?.inspection.id !== inspection.id || found.neighbours.length === 0) return;
    section.hidden = false;
    const proposed = found.proposal.defect_type;
    find("similar-note").textContent = proposed ? `Most of them are called ${proposed}.` : "";
    find("similar").replaceChildren(
      ...found.neighbours.map((one) => {
        const name = `${one.defect_type || "not named"}, ${one.distance.toFixed(2)} apart`;
        if (one.inspection_id === null) return element("li", {}, name);
        const here = address(location.pathname.slice(prefix.length), {inspection: one.inspection_id});
        const picture = element("img", {src: address(`/v1/inspections/${one.inspection_id}/thumbnail`), alt: "", loading: "lazy", width: 96, height: 96});
        picture.addEventListener("error", () => picture.remove());
        const both = address(location.pathname.slice(prefix.length), {compare: `${inspection.id},${one.inspection_id}`});
        return element("li", {}, element("a", {href: here}, picture, element("span", {}, `${one.inspection_id}`)), element("span", {class: "small"}, name),
          element("a", {href: both, class: "small", "aria-label": `Compare ${inspection.id} with ${one.inspection_id}`}, "Side by side"));
      }),
    );
  }

  #listen() {
    for (const button of find("feedback").querySelectorAll("[data-truth]")) {
      button.addEventListener("click", () => this.#judge(button.dataset.truth));
    }
    find("feedback").addEventListener("submit", (event) => {
      event.preventDefault(); // Enter in the field of the type: it names a defect
      this.#judge("bad");
    });
    find("void-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const form = event.target;
      const reason = form.elements.reason.value.trim();
      if (!reason) {
        sayProblem({message: "", fields: {reason: "say why, in a few words"}}, form, find("void-note"));
        return;
      }
      await this.#change(form.querySelector("button"), find("void-note"), "/void", {reason}, "It is void now, and counts for nothing.");
    });
    find("take-back").addEventListener("click", (event) =>
      this.#change(event.target, find("void-note"), "/void/undo", undefined, "It counts again."));
  }

  async #judge(truth) {
    const form = find("feedback");
    const button = form.querySelector(`[data-truth=${truth}]`);
    if (button.disabled) return;
    const type = form.elements.defect_type.value.trim();
    const body = {truth, defect_type: truth === "bad" && type ? type : null, note: form.elements.note.value.trim()};
    const words = truth === "good" ? "Kept: the part is good." : `Kept: the part is defective${type ? ` (${type})` : ""}.`;
    const before = this.item?.inspection.photograph;
    await this.#change(button, find("feedback-note"), "/feedback", body, words, (now) =>
      truth === "bad" && before === "buffered" && now.photograph === "kept" ? " Its photograph is kept now." : "");
  }

  /** Do something to the open inspection, show it anew, and say that it is done. */
  async #change(button, note, what, body, words, more = () => "") {
    const item = this.item;
    if (!item) return;
    const id = item.inspection.id;
    await doing(button, note, async () => {
      await call(`/v1/inspections/${id}${what}`, {method: "POST", body});
      const now = await call(`/v1/inspections/${id}`);
      this.on.changed(item, now);
      if (this.item !== item) return;
      this.item.reason = "";
      this.#show(now);
      this.#words();
      say(note, words + more(now), "good");
      await this.#said(id);
    });
  }
}
