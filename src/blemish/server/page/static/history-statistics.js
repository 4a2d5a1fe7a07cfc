// The statistics above the list, always of the scope: who judged and when, whatever the list is filtered by.

import {barChart, timeChart} from "./chart.js";
import {element} from "./dom.js";
import {number, percent} from "./words.js";

const find = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en");
let latest = null;

/** Show what `/v1/stats` says; charts are drawn once they are looked at. */
export function showStatistics(found, part, search) {
  latest = {found, part};
  scope(found, part, search);
  numbers(found);
  const drift = found.drift.find((one) => one.inspector === part);
  find("drift").textContent = drift ? `Drift: ${drift.message}` : "";
  charts();
}

function scope({scope: {version, since, until, repeats, batch, shift, camera, serial_number: serial}}, part, search) {
  const days = [search.get("since") && `from ${search.get("since")}`, search.get("until") && `to ${search.get("until")}`].filter(Boolean).join(" ");
  const who = version ? `version ${version} of ${part}` : part;
  const parts = [batch && `batch ${batch}`, shift && `shift ${shift}`, camera && `camera ${camera}`, serial && `serial number ${serial}`].filter(Boolean).join(", ");
  find("scope").textContent =
    `Of all inspections of ${who}${parts ? `, ${parts}` : ""}${since || until ? ` ${days}` : ""}, whatever the list below is filtered by. ` +
    `Void ones are in none of it${repeats ? "" : ", repeats of one file neither"}.`;
}

function numbers({summary, first_pass: first}) {
  const judged = summary.n - summary.not_judged;
  const shown = [
    ["Inspections", count(summary.n)],
    ["Reject rate", summary.reject_rate === null ? "none judged" : percent(summary.reject_rate), `${count(summary.rejected)} of ${count(judged)} judged`],
    ["For review", count(summary.reviewed)],
    ["Not judged", count(summary.not_judged)],
    ["Passed at first", first.n ? percent(first.passed / first.n) : "none", `${count(first.passed)} of ${count(first.n)} parts`],
    ["Rejected, but good", count(summary.false_rejects)],
    ["Passed, but defective", count(summary.missed)],
  ];
  find("numbers").replaceChildren(...shown.map(([name, value, more]) => element("div", {}, element("dt", {}, name), element("dd", {}, value, more ? element("span", {class: "small muted"}, more) : null))));
}

function charts() {
  if (!latest || !find("charts").open) return;
  const {found} = latest;
  const hours = found.reject_rates.length > 1 && found.reject_rates.some((one) => new Date(one.start).getUTCHours());
  const when = (time) => (hours ? time.toISOString().slice(0, 16).replace("T", " ") : time.toISOString().slice(0, 10));
  const rates = found.reject_rates;
  const out = rates.flatMap((one, index) => (one.out_of_control ? [index] : []));
  timeChart(find("chart-rate"), {
    said: `Reject rate by ${hours ? "hour" : "day"} (UTC): ${rates.length} points, ${out.length} beyond the control limits (three standard errors).`,
    times: rates.map((one) => new Date(one.start)),
    lines: [{name: "reject rate", values: rates.map((one) => one.rate), class: "of-rate", dots: true}],
    band: {name: "control limits", lower: rates.map((one) => one.lower), upper: rates.map((one) => one.upper)},
    marked: out, show: percent, when, low: 0,
  });
  const scores = found.score_trend;
  timeChart(find("chart-score"), {
    said: `Scores by ${hours ? "hour" : "day"} (UTC): median, 5 % and 95 % points, and the threshold.`,
    times: scores.map((one) => new Date(one.start)),
    lines: [
      {name: "median", values: scores.map((one) => one.median), class: "of-score"},
      {name: "threshold", values: scores.map((one) => one.threshold), class: "of-threshold"},
    ],
    band: {name: "5 to 95 %", lower: scores.map((one) => one.low), upper: scores.map((one) => one.high)},
    show: number, when,
  });
  barChart(find("chart-types"), {
    said: "Defect types that people gave, the most frequent first",
    bars: found.pareto.slice(0, 8).map((one) => ({name: one.defect_type, value: one.count, words: `${count(one.count)} · ${percent(one.cumulative_share)} so far`})),
  });
}

find("charts").addEventListener("toggle", charts);
let resized = null;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(charts, 150);
});
