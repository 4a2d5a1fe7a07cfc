// Scores on one line: good photographs above, corrected parts below, and two thresholds to drag across them.

import {drawn} from "./dom.js";
import {number} from "./words.js";

const TOP = 30;
const BOTTOM = 30;
const AXIS = 22;
const GOOD = 150;
const NAMES = 20;
const CORRECTED = 36;
const DEFECTS = 84;
const HIT = 28;
const GRIP = {width: 62, height: 24};
const MOST_CIRCLES = 400;
const STEPS = 400;
const ROOM = 0.4;

/** Steps of an axis that read well: the next of 1, 2, 5 times a power of ten. */
export function niceStep(wanted) {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 5, 10].find((one) => one * power >= wanted) ?? 10);
}

/** How many of `kind` = {n, scores} lie in each bin of width `step` from `low`: quantiles stand for their share of n. */
export function counted(kind, low, step, bins) {
  const counts = new Array(bins).fill(0);
  const each = kind.scores.length ? kind.n / kind.scores.length : 0;
  for (const score of kind.scores) {
    const place = Math.floor((score - low) / step);
    if (place >= 0 && place < bins) counts[place] += each;
  }
  return counts;
}

export class Histogram {
  /** `moved(name, value)` is called while "threshold" or "review_threshold" is moved; `let go` ends it. */
  constructor(place, moved) {
    this.place = place;
    this.moved = moved;
    this.near = false;
    this.held = null;
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** Show scores = {good, known_good, known_defects}, thresholds = {threshold, review_threshold} and those in effect. */
  show(scores, thresholds, inEffect, words) {
    Object.assign(this, {scores, thresholds, inEffect, words});
    this.draw();
  }

  /** First and last score of the axis. */
  range() {
    const {good, known_good: okay, known_defects: bad} = this.scores;
    const {threshold, review_threshold: review} = this.inEffect;
    const ends = (kind) => (kind.scores.length ? [kind.scores[0], kind.scores.at(-1)] : []);
    const usual = good.scores[Math.floor(good.scores.length / 2)];
    const low = Math.min(...ends(good), ...ends(okay), ...ends(bad), review);
    // Above the threshold there is room to drag it, also where no score lies there.
    const high = Math.max(...ends(good), ...ends(okay), ...ends(bad), threshold + ROOM * Math.max(0, threshold - usual));
    const margin = (high - low || Math.abs(high) || 1) * 0.04;
    if (this.near) {
      const reach = Math.max((threshold - usual) * 0.6, margin);
      return [Math.max(low - margin, review - reach), Math.min(high + margin, threshold + reach)];
    }
    return [low - margin, high + margin];
  }

  draw() {
    const width = Math.max(280, this.place.clientWidth);
    if (!this.scores || !this.place.clientWidth) return;
    const [low, high] = this.range();
    // Grips stay where they can be taken, also where their value lies beyond the axis.
    this.x = (score) => Math.min(width, Math.max(0, ((score - low) / (high - low)) * width));
    this.score = (x) => low + (x / width) * (high - low);
    this.bounds = [low, high];
    const {known_good: okay, known_defects: bad} = this.scores;
    const goodTop = TOP + NAMES;
    const okayTop = goodTop + GOOD;
    const badTop = okayTop + (okay.n ? CORRECTED : 0);
    const axis = badTop + (bad.n ? DEFECTS + 18 : 0);
    const height = axis + AXIS + BOTTOM;
    const step = niceStep((high - low) / Math.min(100, Math.max(24, Math.round(width / 8))));
    const first = Math.floor(low / step) * step;
    const bins = Math.ceil((high - first) / step) + 1;
    const svg = drawn("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": this.label()});
    svg.append(drawn("defs", {}, drawn("pattern", {id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
      drawn("line", {class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6}))));
    svg.append(...this.zones(width, axis));
    svg.append(...bars(this.scores.good, "bar", first, step, bins, this.x, okayTop, GOOD - 8));
    svg.append(laneName(`${this.scores.good.n.toLocaleString("en")} good photographs`, goodTop + 12));
    if (okay.n) svg.append(...circles(okay, this.x, okayTop + CORRECTED - 9, low, high), laneName(`${okay.n} found good`, okayTop + 14));
    if (bad.n) {
      svg.append(...bars(bad, "bar defect", first, step, bins, this.x, axis, DEFECTS - 4));
      svg.append(laneName(`${bad.n} known ${bad.n === 1 ? "defect" : "defects"}`, badTop + 13));
    }
    svg.append(...ticks(low, high, width, this.x, axis));
    for (const name of ["threshold", "review_threshold"]) {
      const x = this.x(this.inEffect[name]);
      svg.append(drawn("line", {class: "now", x1: x, x2: x, y1: TOP, y2: axis}));
    }
    this.handles = {
      review_threshold: this.handle("review_threshold", "review", axis, height),
      threshold: this.handle("threshold", "reject", axis, height),
    };
    svg.append(this.handles.review_threshold, this.handles.threshold);
    const focused = this.place.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.place.replaceChildren(svg);
    if (focused) this.handles[focused].focus();
    this.place_handles();
  }

  label() {
    const {good, known_defects: bad} = this.scores;
    return `Scores of ${good.n} good photographs${bad.n ? ` and ${bad.n} known defects` : ""}, ${number(this.bounds[0])} to ${number(this.bounds[1])}`;
  }

  zones(width, bottom) {
    this.zone = {};
    const made = [];
    for (const name of ["pass", "review", "reject"]) {
      const area = drawn("rect", {class: `zone ${name}`, y: TOP, height: bottom - TOP});
      const word = drawn("text", {class: name, y: TOP + 14, "text-anchor": "middle"}, name);
      this.zone[name] = {area, word};
      made.push(area, word);
    }
    return made;
  }

  handle(name, kind, axis, height) {
    const above = kind === "reject";
    const y = above ? 0 : height - GRIP.height;
    const grab = above ? [0, TOP + (axis - TOP) * 0.6] : [TOP + (axis - TOP) * 0.6, height];
    const group = drawn("g", {class: `handle ${kind}`, role: "slider", tabindex: 0, "data-name": name, "aria-orientation": "horizontal",
      "aria-label": above ? "Threshold: rejected above" : "Review threshold: shown to a person above"},
      drawn("line", {class: "rule", x1: 0, x2: 0, y1: above ? GRIP.height : TOP, y2: above ? axis : height - GRIP.height}),
      drawn("rect", {class: "grip", x: -GRIP.width / 2, y, width: GRIP.width, height: GRIP.height, rx: 6}),
      drawn("text", {y: y + 16}),
      drawn("rect", {class: "hit", x: -HIT / 2, y: grab[0], width: HIT, height: grab[1] - grab[0]}),
      drawn("rect", {class: "hit", x: -GRIP.width / 2, y, width: GRIP.width, height: GRIP.height}));
    group.addEventListener("pointerdown", (event) => this.hold(event, group, name));
    group.addEventListener("keydown", (event) => this.key(event, name));
    return group;
  }

  hold(event, group, name) {
    if (event.button) return;
    event.preventDefault();
    group.focus();
    this.held = name;
    // On the place, which stays when the chart is drawn anew meanwhile.
    this.place.setPointerCapture(event.pointerId);
    const move = (moved) => this.move(name, this.score(moved.clientX - this.place.getBoundingClientRect().left));
    const end = () => {
      this.held = null;
      for (const [kind, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.place.removeEventListener(kind, listener);
    };
    for (const [kind, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.place.addEventListener(kind, listener);
  }

  key(event, name) {
    const [low, high] = this.bounds;
    const step = niceStep((high - low) / STEPS);
    const by = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10}[event.key];
    const to = {Home: low, End: high}[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    this.move(name, to ?? Math.round(this.thresholds[name] / step) * step + by * step);
  }

  move(name, score) {
    const [low, high] = this.bounds;
    const digits = Math.max(0, Math.ceil(-Math.log10((high - low) / 2000)));
    const most = name === "review_threshold" ? this.thresholds.threshold : Infinity;
    this.moved(name, Number(Math.min(most, Math.max(low, Math.min(high, score))).toFixed(digits)));
  }

  /** Bring grips, lines, zones and what is said of them to the thresholds; nothing else is drawn anew. */
  place_handles() {
    const {threshold, review_threshold: review} = this.thresholds;
    const width = this.x(this.bounds[1]);
    const ends = {pass: [0, this.x(review)], review: [this.x(review), this.x(threshold)], reject: [this.x(threshold), width]};
    for (const [name, [from, to]] of Object.entries(ends)) {
      this.zone[name].area.setAttribute("x", from);
      this.zone[name].area.setAttribute("width", Math.max(0, to - from));
      this.zone[name].word.setAttribute("x", (from + to) / 2);
      this.zone[name].word.toggleAttribute("hidden", to - from < 46);
    }
    for (const [name, group] of Object.entries(this.handles)) {
      const value = this.thresholds[name];
      const x = this.x(value);
      group.setAttribute("transform", `translate(${x} 0)`);
      // A grip at the edge is moved inside, its line stays.
      const inside = Math.min(width - GRIP.width / 2, Math.max(GRIP.width / 2, x)) - x;
      group.querySelector(".grip").setAttribute("x", inside - GRIP.width / 2);
      group.querySelector("text").setAttribute("x", inside);
      group.lastElementChild.setAttribute("x", inside - GRIP.width / 2);
      group.querySelector("text").textContent = value.toPrecision(4);
      group.setAttribute("aria-valuemin", this.bounds[0]);
      group.setAttribute("aria-valuemax", name === "review_threshold" ? threshold : this.bounds[1]);
      group.setAttribute("aria-valuenow", value);
      group.setAttribute("aria-valuetext", [value.toPrecision(4), this.words[name]].filter(Boolean).join(": "));
    }
  }

  /** Other thresholds, with what is said of them. */
  set(thresholds, words = this.words) {
    Object.assign(this, {thresholds, words});
    if (this.handles) this.place_handles();
  }
}

function bars(kind, name, first, step, bins, x, bottom, height) {
  const counts = counted(kind, first, step, bins);
  const highest = Math.max(...counts, 1);
  return counts.flatMap((count, place) => {
    if (!count) return [];
    const [from, to] = [x(first + place * step), x(first + (place + 1) * step)];
    const tall = Math.max(2, (count / highest) * height);
    return to - from < 0.5 ? [] : [drawn("rect", {class: name, x: from + 0.5, y: bottom - tall, width: Math.max(1, to - from - 1), height: tall})];
  });
}

function circles(kind, x, y, low, high) {
  const every = Math.max(1, Math.ceil(kind.scores.length / MOST_CIRCLES));
  const shown = kind.scores.filter((score, place) => place % every === 0 && score >= low && score <= high);
  return shown.map((score) => drawn("circle", {class: "found-good", cx: x(score), cy: y, r: 4}));
}

function laneName(text, y) {
  return drawn("text", {class: "lane", x: 4, y}, text);
}

function ticks(low, high, width, x, y) {
  const step = niceStep((high - low) / Math.max(3, Math.round(width / 90)));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const made = [drawn("line", {class: "axis", x1: 0, x2: width, y1: y, y2: y})];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    const place = x(value);
    made.push(drawn("line", {class: "axis", x1: place, x2: place, y1: y, y2: y + 5}));
    if (place > 12 && place < width - 12) made.push(drawn("text", {x: place, y: y + 18, "text-anchor": "middle"}, value.toFixed(digits)));
  }
  return made;
}
