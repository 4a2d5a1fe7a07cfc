// A version that judges beside the active one: how far it has come, and the parts of which both say something else.

import {address, call} from "./api.js";
import {doing, element, say, sayProblem} from "./dom.js";
import {number, percent, verdictClass} from "./words.js";

const FOLLOWED_SECONDS = 2;
const AT_ONCE = 24;

const place = document.getElementById("shadow");
if (place) start(place);

function start(section) {
  const part = section.dataset.part;
  const here = `/v1/inspectors/${part}/shadow`;
  const said = document.getElementById("shadow-said");
  const shown = document.getElementById("shadow-report");
  let drawn = "";

  const verdict = (word) => element("span", {class: `verdict ${verdictClass(word)}`}, word);

  const share = (one) =>
    one.rate === null ? "–" : `${percent(one.rate)} (${percent(one.interval[0])} to ${percent(one.interval[1])}, 95 %)`;

  const row = (name, ...cells) => element("tr", {}, element("th", {scope: "row"}, name), cells.map((one) => element("td", {}, one)));

  /** How often both said which pair of verdicts, and their rates. */
  const tables = (report) => {
    const met = report.met.map((one) =>
      element(
        "tr",
        {class: one.active === one.shadow ? null : "differs"},
        element("td", {}, verdict(one.active)),
        element("td", {}, verdict(one.shadow)),
        element("td", {}, one.n.toLocaleString("en")),
        element("td", {}, one.good + one.bad ? `${one.good} good, ${one.bad} defective` : "–"),
      ),
    );
    const heads = [`Version ${report.beside} says`, `Version ${report.version} says`, "Parts", "People found"];
    return element(
      "div",
      {class: "table", tabindex: "0", role: "region", "aria-label": "Verdicts of both versions"},
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, heads.map((one) => element("th", {scope: "col"}, one)))),
        element("tbody", {}, met),
      ),
      element(
        "table",
        {},
        element(
          "tbody",
          {},
          row("Verdicts that differ", share(report.differing)),
          row(`Rejected by version ${report.beside}`, share(report.rejected_by_active)),
          row(`Rejected by version ${report.version}`, share(report.rejected_by_shadow)),
        ),
      ),
    );
  };

  const card = (one) => {
    const inspection = one.inspection;
    const scores = `${number(inspection.score)} of ${number(inspection.threshold)} → ${number(one.score)} of ${number(one.threshold)}`;
    return element(
      "li",
      {},
      element(
        "a",
        {href: address(`/parts/${part}/history`, {inspection: inspection.id})},
        inspection.thumbnail ? element("img", {src: inspection.thumbnail, alt: "", loading: "lazy", width: 64, height: 64}) : null,
        element(
          "span",
          {},
          verdict(inspection.verdict),
          " → ",
          verdict(one.verdict),
          element("span", {class: "name muted"}, inspection.file_name),
          element("span", {class: "name muted"}, scores),
          inspection.truth ? element("span", {class: "name"}, `people found it ${inspection.truth === "good" ? "good" : "defective"}`) : null,
        ),
      ),
    );
  };

  /** The parts of which both say something else, a page after the other. */
  const differences = (report) => {
    const list = element("ul", {class: "turned"});
    const more = element("button", {type: "button"}, "Show more");
    let cursor = null;
    const next = () =>
      doing(more, said, async () => {
        const page = await call(`${here}/differences`, {search: {limit: AT_ONCE, cursor}});
        list.append(...page.differences.map(card));
        cursor = page.next_cursor;
        more.hidden = cursor === null;
      });
    more.addEventListener("click", next);
    next();
    return [element("h4", {}, `Where version ${report.version} says something else`), list, more];
  };

  const draw = (report) => {
    const state = JSON.stringify([report.n, report.met, report.ended, report.passed_over]);
    if (state === drawn) return;
    drawn = state;
    const progress = report.ended
      ? null
      : element("progress", {max: report.parts, value: Math.min(report.n, report.parts), "aria-label": "Parts judged by both"});
    shown.replaceChildren(
      element("p", {role: "status"}, report.message),
      ...[progress, report.n ? tables(report) : null].filter(Boolean),
      ...(report.differences ? differences(report) : []),
    );
  };

  /** Show how far it is, and again while it goes on and somebody looks. */
  const follow = async () => {
    for (;;) {
      if (!document.hidden) {
        try {
          const report = await call(here);
          const went = drawn !== "" && report.ended;
          draw(report);
          say(said, "");
          if (went) location.reload(); // what may be done now is another thing
          if (report.ended) return;
        } catch (problem) {
          say(said, problem.message, "bad");
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * FOLLOWED_SECONDS));
    }
  };
  if (section.dataset.known === "yes") follow();

  const begin = document.getElementById("shadow-begin");
  begin?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = begin.elements;
    const most = fields.most_differences.value;
    const body = {
      version: Number(fields.version.value),
      parts: Number(fields.parts.value),
      most_differences: most === "" ? null : Number(most),
    };
    try {
      await call(here, {method: "POST", body});
      location.reload();
    } catch (problem) {
      sayProblem(problem, begin, said);
    }
  });

  const stop = document.getElementById("shadow-stop");
  stop?.addEventListener("click", () =>
    doing(stop, said, async () => {
      await call(here, {method: "DELETE"});
      location.reload();
    }),
  );
}
