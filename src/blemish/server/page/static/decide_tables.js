// What other thresholds would do, the decisions so far, and the inspections that would have been judged otherwise.

import {address} from "./api.js";
import {fine, inPercent, rule} from "./decide_words.js";
import {element} from "./dom.js";
import {moment, percent, verdictClass} from "./words.js";

const MOST_PICTURES = 12;

function table(caption, heads, rows) {
  return element("table", {}, element("caption", {class: "visually-hidden"}, caption),
    element("thead", {}, element("tr", {}, heads.map((one) => element("th", {scope: "col"}, one)))),
    element("tbody", {}, rows));
}

/** The thresholds of usual rates; `use` is called with a rate that somebody wants to try. */
export function otherTable(state, use) {
  const known = state.known_defects > 0;
  const heads = ["Rate", "Rejects above", "Good parts rejected", ...(known ? ["Known defects missed"] : []), ""];
  const rows = state.table.map((row) => {
    const rate = `${inPercent(row.rate)} %`;
    const name = element("th", {scope: "row"}, rate);
    if (row.threshold === null) {
      return element("tr", {}, name, element("td", {colspan: heads.length - 1, class: "muted"}, `needs ${row.more_needed.toLocaleString("en")} more good photographs`));
    }
    const missed = known ? [`${row.missed} of ${state.known_defects} (of others ${percent(row.missed_low)} to ${percent(row.missed_high)})`] : [];
    const cells = [fine(row.threshold), `${percent(row.expected)} (at most ${percent(row.at_most)})`, ...missed];
    const button = element("button", {type: "button", class: "plain", "aria-label": `Try a rate of ${rate}`, onclick: () => use(row.rate)}, "Try");
    return element("tr", {class: row.threshold === state.decision.threshold ? "current" : null}, name,
      cells.map((one) => element("td", {}, one)), element("td", {}, button));
  });
  return table("What other thresholds would do", heads, rows);
}

/** All decisions that are remembered, the one in effect first. */
export function decisionTable(state) {
  const heads = ["Decision", "Rejects above", "To review above", "Good parts rejected", "For", "Why", "Made"];
  const rows = [state.decision, ...state.earlier].map((one, place) => {
    const reviews = one.review_threshold < one.threshold ? fine(one.review_threshold) : "no review";
    const cells = [fine(one.threshold), reviews, `${percent(one.expected)} (at most ${percent(one.at_most)})`,
      rule(one) + (one.restores ? `, as decision ${one.restores}` : "")];
    return element("tr", {class: place ? null : "current"}, element("th", {scope: "row"}, `${one.version}${place ? "" : ", in effect"}`),
      cells.map((text) => element("td", {}, text)), element("td", {class: "note-of"}, one.note ?? ""),
      element("td", {}, `${moment(one.made)} by ${one.by}`));
  });
  return table("Decisions so far, newest first", heads, rows);
}

/** Inspections with another verdict, newest first, each a link to it in the history. */
export function showChanged(seen, part, place) {
  const shown = seen.newest_changed.slice(0, MOST_PICTURES);
  const key = JSON.stringify(shown);
  if (place.dataset.key === key && !place.hidden) return;
  place.dataset.key = key;
  place.hidden = !shown.length;
  const items = shown.map((one) => {
    const picture = one.thumbnail ? element("img", {alt: "", loading: "lazy", src: one.thumbnail}) : null;
    const verdict = (name) => element("span", {class: `verdict ${verdictClass(name)}`}, name);
    return element("li", {}, element("a", {href: address(`/parts/${encodeURIComponent(part)}/history`, {inspection: one.id})}, picture,
      element("span", {}, `Inspection ${one.id}, score ${fine(one.score)}`),
      element("span", {}, verdict(one.before), " → ", verdict(one.after))));
  });
  place.querySelector("ul").replaceChildren(...items);
  const more = seen.changed - shown.length;
  place.querySelector("#changed-more").textContent = more > 0 ? `And ${more.toLocaleString("en")} more.` : "";
}
