// The area Decide: what somebody considers, tried on the past by the API at every move, and saved as a version.

import {address, call} from "./api.js";
import {KnownDefects} from "./decide_defects.js";
import {fill, fromDefects, fromField, showBy} from "./decide_fields.js";
import {Histogram} from "./decide_histogram.js";
import {Painting} from "./decide_painting.js";
import {Proposal} from "./decide_proposal.js";
import {Rejudging} from "./decide_rejudging.js";
import {decisionTable, otherTable, showChanged} from "./decide_tables.js";
import {changed, corrected, fine, knownDefects, ofThousand, promises} from "./decide_words.js";
import {clearProblems, doing, element, say, sayProblem} from "./dom.js";

const PREVIEW_MILLISECONDS = 120;
const PICTURES_MILLISECONDS = 400;

const at = (id) => document.getElementById(id);

class Decide {
  constructor(root, painting) {
    this.part = root.dataset.part;
    this.painting = painting;
    this.base = `/v1/inspectors/${encodeURIComponent(this.part)}`;
    this.form = at("proposal");
    this.search = new URLSearchParams(location.search);
    this.proposal = Proposal.of(this.search);
    this.histogram = new Histogram(at("histogram"), (name, value) => this.dragged(name, value));
    this.edited = null;
    this.rejudging = new Rejudging(this.base, this.part);
    this.defects = new KnownDefects(root, this.search.get("defects"), (job) => {
      this.keep("defects", job);
      this.showState();
      this.later();
    });
    this.listen();
  }

  async load() {
    [this.state, this.scores] = await Promise.all([call(`${this.base}/decision`), call(`${this.base}/calibration`)]);
    const {decision} = this.state;
    this.histogram.show(this.scores, decision, decision, {});
    this.showState();
    await this.preview();
  }

  listen() {
    const last = this.search.get("last");
    if ([...at("last").options].some((one) => one.value === last)) at("last").value = last;
    at("last").addEventListener("change", () => {
      this.keep("last", at("last").value === "500" ? null : at("last").value);
      this.later();
    });
    for (const [id, near] of [["show-all", false], ["show-near", true]]) {
      at(id).addEventListener("click", () => this.shown(near));
    }
    this.shown(this.search.get("shown") === "near");
    this.form.addEventListener("input", (event) => this.typed(event.target));
    // Enter ends a number; it does not change what judges.
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input:not([name=note])")) event.preventDefault();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (at("save")) this.save();
    });
    at("reset").addEventListener("click", () => this.change(new Proposal(), null));
    at("undo")?.addEventListener("click", () => this.undo());
  }

  shown(near) {
    this.histogram.near = near;
    this.histogram.draw();
    at("show-all").setAttribute("aria-pressed", String(!near));
    at("show-near").setAttribute("aria-pressed", String(near));
    this.keep("shown", near ? "near" : null);
  }

  /** Keep something in the address; null takes it out. */
  keep(name, value) {
    if (value === null) this.search.delete(name);
    else this.search.set(name, value);
    this.toAddress();
  }

  toAddress() {
    this.search = this.proposal.into(this.search);
    // What is painted stands there too, and is the painting's.
    for (const one of ["ignore", "narrowed", "photograph"]) {
      const now = new URLSearchParams(location.search).getAll(one);
      this.search.delete(one);
      now.forEach((each) => this.search.append(one, each));
    }
    const query = this.search.toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
  }

  dragged(name, value) {
    const asked = {[name]: value};
    this.change(name === "threshold" ? this.proposal.rejecting(asked) : this.proposal.reviewing(asked), null);
    const {threshold, review_threshold: review} = {...this.histogram.thresholds, ...asked};
    this.histogram.set({threshold, review_threshold: Math.min(review, threshold)});
    this.form.elements[name].value = value;
  }

  typed(field) {
    if (field.name === "note" || !field.name) return;
    const by = at("by");
    if (field === by || field.closest("[data-by]")) {
      if (field === by) showBy(this.form, by.value);
      const asked = fromDefects(this.form);
      if (asked) this.change(this.proposal.rejecting(asked), field);
      else this.unfinished("Give what a miss and what a false reject cost, in one unit.");
      return;
    }
    const proposal = fromField(this.proposal, field);
    if (proposal) this.change(proposal, field);
    else this.unfinished(`${field.labels[0]?.textContent ?? field.name} is no number yet.`);
  }

  change(proposal, field) {
    this.proposal = proposal;
    this.edited = field;
    this.toAddress();
    this.later();
  }

  later() {
    at("sentences").setAttribute("aria-busy", "true");
    if (at("save")) at("save").disabled = true;
    this.forget();
    this.timer = setTimeout(() => this.preview(), PREVIEW_MILLISECONDS);
  }

  /** What is asked at the moment is no longer what is considered. */
  forget() {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = null;
  }

  unfinished(text) {
    this.forget();
    at("sentences").setAttribute("aria-busy", "true");
    if (at("save")) at("save").disabled = true;
    say(at("problem"), text);
  }

  async preview() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    const {policy, regions} = this.proposal;
    const body = {...policy, last: Number(at("last").value)};
    if (Object.keys(regions).length) body.regions = regions;
    if (this.defects.job) body.defects_of_job = this.defects.job;
    let seen;
    try {
      seen = await call(`${this.base}/decision/preview`, {method: "POST", body, signal: controller.signal});
    } catch (problem) {
      if (problem.name !== "AbortError" && this.controller === controller) this.refused(problem);
      return;
    }
    if (this.controller !== controller) return;
    this.seen = seen;
    const {last, ...asked} = body;
    this.rejudging.offer(seen.regions, asked);
    clearProblems(this.form);
    say(at("problem"), "");
    this.showSeen();
  }

  /** What cannot be decided so is said beside what was typed; the rest stays as it was. */
  refused(problem) {
    clearProblems(this.form);
    const field = this.edited;
    this.offerTail();
    if (field && !Object.keys(problem.fields ?? {}).length && problem.status === 422) {
      const id = `wrong-${field.name}`;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", id);
      field.closest(".field").append(element("p", {class: "wrong", id, role: "alert"}, problem.message));
      say(at("problem"), "");
    } else {
      sayProblem(problem, this.form, at("problem"));
    }
    at("reset").hidden = !this.proposal.asked;
  }

  showState() {
    const {state} = this;
    const {n, grouped, smallest_rate: smallest} = state.calibration;
    const least = Math.ceil(smallest * 1e4 - 1e-9) / 100;
    at("rate-hint").textContent = `${n} ${grouped ? "groups of " : ""}good photographs promise rates from ${least} % on.`;
    at("known").textContent = state.known_defects
      ? `${state.known_defects} ${state.known_defects === 1 ? "part was" : "parts were"} found defective by a person.`
      : "None was found by a person yet: they come from what people say under Judge and History.";
    at("by-defects-fields").hidden = !state.known_defects && !this.defects.job;
    at("share-hint").textContent = "Empty: 1 % for costs; for F1 as among what was seen.";
    at("details").hidden = !state.regions;
    if (state.regions) at("millimetres").hidden = state.regions.millimetres === null;
    at("others").replaceChildren(otherTable(state, (rate) => this.change(this.proposal.rejecting({false_reject_rate: rate}), null)));
    at("decisions").replaceChildren(decisionTable(state));
    if (at("undo")) at("undo").hidden = !state.earlier.length;
    const head = document.querySelector(".part-head p");
    head.textContent = head.textContent.replace(/version \d+/, `version ${state.version}`);
    if (Object.keys(this.proposal.regions).length) at("details").open = true;
  }

  showSeen() {
    const {seen, state} = this;
    const {decision, rejects, reviews} = seen;
    const words = {threshold: `rejects about ${ofThousand(rejects.expected)} of 1,000 good parts`,
      review_threshold: reviews ? `shows about ${ofThousand(reviews.expected)} of 1,000 good parts to a person or rejects them` : "none is shown to a person"};
    if (this.histogram.held) this.histogram.set(this.histogram.thresholds, words);
    else this.histogram.set(decision, words);
    fill(this.form, this.proposal, seen, state);
    this.offerTail();
    this.defects.show(knownDefects(seen).n);
    const sentences = [...promises(seen), ...corrected(seen).map((text) => [text, ""]), [changed(seen), ""]];
    if (seen.regions) sentences.push([seen.regions.in_words, ""]);
    at("sentences").replaceChildren(...sentences.map(([text, kind]) => element("p", {class: kind ? `note ${kind}` : null}, text)));
    at("sentences").setAttribute("aria-busy", "false");
    if (at("save")) at("save").disabled = !this.proposal.asked;
    at("reset").hidden = !this.proposal.asked;
    clearTimeout(this.pictures);
    this.pictures = setTimeout(() => showChanged(seen, this.part, at("changed")), PICTURES_MILLISECONDS);
  }

  offerTail() {
    const {policy} = this.proposal;
    const small = policy.false_reject_rate < this.state.calibration.smallest_rate && this.proposal.by === "rate";
    at("tail-offer").hidden = !(small || policy.tail);
    at("tail").checked = Boolean(policy.tail);
  }

  async save() {
    const {policy, regions} = this.proposal;
    const note = at("note").value.trim();
    const body = {...policy, expected_version: this.state.version};
    if (Object.keys(regions).length) body.regions = regions;
    if (this.defects.job) body.defects_of_job = this.defects.job;
    if (note) body.note = note;
    await this.decided(at("save"), at("saved"), () => call(`${this.base}/decision`, {method: "PUT", body}));
  }

  async undo() {
    const body = {expected_version: this.state.version};
    await this.decided(at("undo"), at("undone"), () => call(`${this.base}/decision/undo`, {method: "POST", body}));
  }

  /** Change the decision, and show the one that is in effect then. */
  async decided(button, place, work) {
    for (const other of ["saved", "undone"]) if (at(other)) say(at(other), "");
    const failed = async (problem) => {
      if (problem.status === 409) {
        await Promise.all([this.load(), this.painting.renew()]);
        say(place, `${problem.message} What decides now is shown; what you considered is kept.`, "warn");
      } else {
        sayProblem(problem, this.form, place);
      }
    };
    await doing(button, place, async () => {
      try {
        const {version, decision} = await work();
        this.proposal = new Proposal();
        at("note").value = "";
        this.toAddress();
        await Promise.all([this.load(), this.painting.renew()]);
        say(place, `Version ${version} judges from now on, by decision ${decision.version}: it rejects above ${fine(decision.threshold)}.`, "good");
      } catch (problem) {
        await failed(problem);
      }
    });
    if (at("save")) at("save").disabled = !this.proposal.asked;
  }
}

const root = at("decide");
if (root) {
  const painting = new Painting(root.dataset.part, root.dataset.admin === "yes");
  const decide = new Decide(root, painting);
  decide.load().catch((problem) => {
    at("sentences").setAttribute("aria-busy", "false");
    say(at("sentences"), problem.message, "bad");
  });
  painting.load().catch((problem) => say(at("looks-at"), problem.message, "bad"));
}
