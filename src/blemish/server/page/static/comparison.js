// Two inspections of one part side by side; with one of them, the question which the other is.

import {address, call, prefix} from "./api.js";
import {badges} from "./drawer.js";
import {element, say} from "./dom.js";
import {Viewer} from "./viewer.js";
import {moment, number, verdictClass} from "./words.js";

const find = (id) => document.getElementById(id);

export class Comparison {
  /** `part` is its name; `closed()` is called when a person has had enough of it. */
  constructor(part, closed) {
    Object.assign(this, {part, ids: []});
    this.place = find("compare");
    find("compare-close").addEventListener("click", closed);
  }

  /** Whether one is chosen and the other is not. */
  get asks() {
    return this.ids.length === 1;
  }

  hide() {
    this.ids = [];
    this.place.hidden = true;
    find("compare-sides").replaceChildren();
  }

  /** Show what the numbers stand for: two, or one and a place for the other. */
  async show(ids) {
    const shown = [...new Set(ids)].slice(0, 2);
    if (this.ids.join() === shown.join()) return;
    this.ids = shown;
    this.place.hidden = false;
    find("compare-title").textContent = shown.length === 2 ? `Inspections ${shown[0]} and ${shown[1]}` : `Compare inspection ${shown[0]}`;
    say(find("compare-note"), "");
    find("compare-title").focus();
    const found = await Promise.allSettled(shown.map((id) => this.#asked(id)));
    if (this.ids !== shown) return;
    const wrong = found.filter((one) => one.status === "rejected").map((one) => one.reason.message);
    const there = found.filter((one) => one.status === "fulfilled").map((one) => one.value);
    find("compare-sides").replaceChildren();
    for (const inspection of there) this.asks ? this.#question(inspection) : this.#side(inspection);
    say(find("compare-note"), wrong.length ? wrong.join(" ") : remark(there), wrong.length ? "bad" : "warn");
  }

  /** An inspection of this part; of another part it is no matter what it looks like. */
  async #asked(id) {
    const inspection = await call(`/v1/inspections/${id}`);
    if (inspection.inspector !== this.part) throw new Error(`Inspection ${id} is of ${inspection.inspector}: only photographs of one part are compared.`);
    return inspection;
  }

  /** One is chosen: a line of it, so that the list stays in sight. */
  #question({thumbnail, verdict, file_name: name}) {
    const picture = thumbnail ? element("img", {src: thumbnail, alt: "", width: 56, height: 56}) : null;
    const word = element("span", {class: `verdict ${verdictClass(verdict)}`}, verdict);
    find("compare-sides").append(element("p", {class: "row"}, picture, word, name), element("p", {class: "note"}, "With which? Choose the other in the list: click it, or press Enter on it."));
  }

  #side(inspection) {
    const {id} = inspection;
    const here = address(location.pathname.slice(prefix.length), {inspection: id});
    const photograph = element("div");
    const said = inspection.truth ? `${inspection.truth === "good" ? "good" : "defective"}${inspection.defect_type ? `: ${inspection.defect_type}` : ""}` : "nobody has said";
    const facts = [
      ["Score, threshold", `${number(inspection.score)}, ${number(inspection.threshold)}`], ["Version", inspection.version],
      ["Found to be", said], ["File", inspection.file_name], ["Serial number", inspection.serial_number], ["When", moment(inspection.time)],
    ].filter(([, value]) => value);
    find("compare-sides").append(element("section", {class: "side", "aria-label": `Inspection ${id}`, "data-number": id},
      element("h3", {}, element("a", {href: here}, `Inspection ${id}`), " ", element("span", {class: `verdict ${verdictClass(inspection.verdict)}`}, inspection.verdict), ...badges(inspection)),
      element("p", {class: "said-why"}, inspection.sentence || ""), photograph,
      element("dl", {class: "facts small"}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))))));
    if (inspection.image) this.#photograph(inspection, photograph);
    else photograph.append(element("p", {class: "note"}, "Its photograph is not kept."));
  }

  async #photograph(inspection, place) {
    const viewer = new Viewer(place);
    const shown = {
      source: inspection.image,
      alt: `Photograph ${inspection.file_name}`,
      width: inspection.width,
      height: inspection.height,
      heat: inspection.heatmap ? `${inspection.heatmap}?style=layer` : null,
      regions: inspection.regions,
    };
    viewer.show(shown);
    try {
      const why = await call(`/v1/inspections/${inspection.id}/explanation`);
      if (place.isConnected) viewer.show({...shown, scale: why.map_scale});
    } catch {
      // the colours have no values beside them
    }
  }
}

/** What must be known before scores of both are set against each other. */
function remark(inspections) {
  if (inspections.length < 2) return "";
  const [one, other] = inspections;
  if (one.version !== other.version) return `Versions ${one.version} and ${other.version} judged them: scores and colours of different versions are not on one scale.`;
  return one.image_digest === other.image_digest ? "Both are the very same photograph." : "";
}
