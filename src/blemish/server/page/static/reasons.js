// Why a part was judged as it was: the nearest good patch of each region, or what the network made of the photograph.

import {address, call} from "./api.js";
import {element} from "./dom.js";

export class Reasons {
  constructor(section, note, place) {
    Object.assign(this, {section, note, place});
  }

  hide() {
    this.section.hidden = true;
    this.place.replaceChildren();
  }

  /** Ask for the explanation of an inspection whose photograph is kept, and show it. */
  async show(inspection) {
    this.hide();
    this.wanted = inspection.id;
    if (!inspection.image || inspection.verdict === "pass") return;
    let why;
    try {
      why = await call(`/v1/inspections/${inspection.id}/explanation`);
    } catch (problem) {
      if (this.wanted === inspection.id && problem.status !== 404) this.#say(problem.message);
      return;
    }
    if (this.wanted !== inspection.id) return;
    this.#say(why.nearest.length ? "Each region beside the most similar place on a good part." : why.sentence);
    if (why.nearest.length) {
      for (const one of why.nearest) this.#add(`/v1/inspections/${inspection.id}/explanation/${one.region}.png`, one.sentence);
    } else if (why.reconstruction || why.attention) {
      this.#add(`/v1/inspections/${inspection.id}/explanation.png`, why.sentence);
    }
  }

  #say(words) {
    this.section.hidden = false;
    this.note.textContent = words;
  }

  #add(path, words) {
    this.place.append(element("figure", {}, element("img", {src: address(path), alt: words, loading: "lazy"}), element("figcaption", {}, words)));
  }
}
