// Charts as SVG: axes with units, limits, and a sentence and a table for those who do not see them.

import {drawn, element} from "./dom.js";
import {number} from "./words.js";

const MARGIN = {top: 12, right: 12, bottom: 26, left: 46};
const HEIGHT = 190;
const LEAST = 260;

/** Values at which an axis from `low` to `high` is marked: about `count` of them, each 1, 2 or 5 times a power of ten. */
export function ticks(low, high, count = 4) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step);
  return found;
}

function text(words, attributes) {
  const made = drawn("text", attributes);
  made.textContent = words;
  return made;
}

function frame(place, said) {
  const width = Math.max(LEAST, Math.round(place.getBoundingClientRect().width) || 480);
  const svg = drawn("svg", {viewBox: `0 0 ${width} ${HEIGHT}`, class: "chart", role: "img", "aria-label": said});
  return {svg, width, inner: {left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom}};
}

/** The values behind a chart, folded away below it. */
function values(caption, head, rows) {
  const cell = (name, content) => element(name, name === "th" ? {scope: "col"} : {}, content);
  return element(
    "details", {class: "small"},
    element("summary", {}, "Values"),
    element("div", {class: "table chart-values", tabindex: "0", role: "region", "aria-label": caption},
      element("table", {},
        element("caption", {class: "visually-hidden"}, caption),
        element("thead", {}, element("tr", {}, ...head.map((one) => cell("th", one)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((one) => cell("td", one))))))),
  );
}

function kept(place, ...shown) {
  place.replaceChildren(...shown);
}

/**
 * Lines over time. `said` is the chart in one sentence. `times` are Dates, `lines` are {name, values, class, dots?},
 * `band` is {lower, upper, name} or null, `marked` the indexes of points that stand out; `show` writes a value of the y
 * axis, `when` a time. The y axis begins at `low` where that is given.
 */
export function timeChart(place, {said, times, lines, band = null, marked = [], show = number, when, low = null, high = null}) {
  if (!times.length) return kept(place, element("p", {class: "muted small"}, "Nothing to show yet."));
  const {svg, inner} = frame(place, said);
  const all = [...lines.flatMap((line) => line.values), ...(band ? [...band.lower, ...band.upper] : [])].filter(Number.isFinite);
  const [least, most] = [low ?? Math.min(...all), Math.max(high ?? -Infinity, ...all)];
  const spread = most - least || Math.abs(most) || 1;
  const [bottom, top] = [low ?? least - 0.05 * spread, most + 0.05 * spread];
  const [first, last] = [times[0].getTime(), times.at(-1).getTime()];
  const x = (time) => (first === last ? (inner.left + inner.right) / 2 : inner.left + ((time.getTime() - first) / (last - first)) * (inner.right - inner.left));
  const y = (value) => inner.bottom - ((value - bottom) / (top - bottom)) * (inner.bottom - inner.top);
  const path = (points) => points.map(([one, other], place) => `${place ? "L" : "M"}${one.toFixed(1)} ${other.toFixed(1)}`).join("");
  for (const tick of ticks(bottom, top)) {
    svg.append(drawn("line", {x1: inner.left, x2: inner.right, y1: y(tick), y2: y(tick), class: "grid"}));
    svg.append(text(show(tick), {x: inner.left - 6, y: y(tick) + 4, "text-anchor": "end"}));
  }
  const labels = first === last ? [times[0]] : [times[0], times.at(-1)];
  labels.forEach((time, index) => svg.append(text(when(time), {x: labels.length === 1 ? x(time) : index ? inner.right : inner.left, y: HEIGHT - 8, "text-anchor": labels.length === 1 ? "middle" : index ? "end" : "start"})));
  if (band) {
    const there = times.map((time, index) => [x(time), band.upper[index]]);
    const back = times.map((time, index) => [x(time), band.lower[index]]).reverse();
    svg.append(drawn("path", {d: `${path([...there, ...back].map(([at, value]) => [at, y(value)]))}Z`, class: "band-area"}));
    if (times.length === 1) svg.append(drawn("line", {x1: x(times[0]), x2: x(times[0]), y1: y(band.lower[0]), y2: y(band.upper[0]), class: "band-line"}));
  }
  for (const line of lines) {
    svg.append(drawn("path", {d: path(times.map((time, index) => [x(time), y(line.values[index])])), class: `line ${line.class}`}));
    if (line.dots || times.length === 1) times.forEach((time, index) => svg.append(dot(x(time), y(line.values[index]), `${line.class}${marked.includes(index) ? " marked" : ""}`, marked.includes(index))));
  }
  const named = [...lines, ...(band ? [{name: band.name, class: "of-band"}] : [])];
  const legend = element("p", {class: "chart-legend small", "aria-hidden": "true"}, ...named.map((one) => element("span", {class: one.class}, one.name)));
  const columns = [...lines.map((line) => [line.name, line.values]), ...(band ? [[`${band.name}, lower`, band.lower], [`${band.name}, upper`, band.upper]] : [])];
  return kept(place, svg, legend, values(said, ["Time", ...columns.map(([name]) => name)], times.map((time, index) => [when(time), ...columns.map(([, column]) => show(column[index]))])));
}

/** What stands out is larger and of another shape: colour alone would not tell it. */
function dot(x, y, name, marked) {
  if (marked) return drawn("path", {d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z`, class: `dot ${name}`});
  return drawn("circle", {cx: x, cy: y, r: 2.6, class: `dot ${name}`});
}

/** Bars that lie, the longest first: `bars` are {name, value, words}. */
export function barChart(place, {said, bars}) {
  if (!bars.length) return kept(place, element("p", {class: "muted small"}, "Nothing to show yet."));
  const most = Math.max(...bars.map((bar) => bar.value));
  const list = element("ul", {class: "bars", "aria-label": said});
  for (const bar of bars) {
    const svg = drawn("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"}, drawn("rect", {x: 0, y: 0, height: 10, width: (100 * bar.value) / most, class: "bar"}));
    list.append(element("li", {}, element("span", {class: "bar-name"}, bar.name), svg, element("span", {class: "bar-words"}, bar.words)));
  }
  return kept(place, list);
}
