// What a decision does, in sentences. Every number in them is the API's; here they only become words.

import {number, percent} from "./words.js";

const RULES = {rate: "a rate", threshold: "a threshold by hand", cost: "the least cost", recall: "a recall", f1: "the best F1",
  tail: "a model of the tail", quantile: "a quantile"};

/** Of 1,000 parts so many, with two digits that mean something. */
export function ofThousand(share) {
  const many = 1000 * share;
  return many >= 100 ? String(Math.round(many)) : String(Number(many.toPrecision(2)));
}

/** A score in four digits, so that scores on both sides of a threshold look different. */
export function fine(score) {
  return String(Number(score.toPrecision(4)));
}

/** What the decision promises of good parts: [sentence, kind]s. */
export function promises(seen) {
  const {decision, rejects, reviews} = seen;
  const about = `Rejects about ${ofThousand(rejects.expected)} of 1,000 good parts`;
  const bound = decision.tail
    ? `by the model; without it at most ${ofThousand(rejects.at_most)} are promised, with 95 % confidence`
    : `(at most ${ofThousand(rejects.at_most)}, with 95 % confidence)`;
  const more = reviews ? `, and shows about ${ofThousand(Math.max(0, decision.review_expected - decision.expected))} more to a person` : ", and shows none to a person";
  const found = [[`${about} ${bound}${more}.`, ""]];
  if (seen.model) found.push([`It is ${seen.model}.`, decision.tail.goodness <= 0.05 ? "warn" : ""]);
  if (decision.gave_way) found.push([decision.gave_way, "warn"]);
  return found;
}

/** All known defects: those that people found, and those that a job has scored. */
export function knownDefects({known_defects: found, defects_elsewhere: elsewhere}) {
  return elsewhere ? Object.fromEntries(Object.entries(found).map(([name, n]) => [name, n + elsewhere[name]])) : found;
}

/** What it does to parts that people have corrected, and to known defects of elsewhere. */
export function corrected(seen) {
  const {known_good: good, rejects, decision} = seen;
  const bad = knownDefects(seen);
  const found = [];
  if (bad.n) {
    const review = bad.n - bad.rejected_after - bad.passed_after;
    const others = rejects.missed === null ? "" : ` Of others like them ${percent(rejects.missed_low)} to ${percent(rejects.missed_high)} would not be rejected (95 %).`;
    found.push(`Catches ${bad.rejected_after} of your ${bad.n} known ${bad.n === 1 ? "defect" : "defects"}, shows ${review} to a person and passes ${bad.passed_after}.${others}`);
  } else {
    found.push("No part was found defective by a person yet: what people say under Judge and History is counted here.");
  }
  if (good.n) found.push(`Of ${good.n} ${good.n === 1 ? "part that was" : "parts that were"} found good by a person it rejects ${good.rejected_after}.`);
  const made = decision.seen;
  if (made?.cost !== null && made?.cost !== undefined) found.push(`A part costs ${number(made.cost)} in the mean, where ${percent(made.defective_share)} are defective.`);
  if (made?.f1 !== null && made?.f1 !== undefined) found.push(`F1 ${number(made.f1)} on the ${made.n} defects that were seen.`);
  return found;
}

/** What it would have made of the latest verdicts. */
export function changed(seen) {
  if (!seen.n) return "No part was judged yet by a version whose scores mean the same.";
  const verdicts = `the last ${seen.n.toLocaleString("en")} ${seen.n === 1 ? "verdict" : "verdicts"}`;
  if (!seen.changed) return `Would have changed none of ${verdicts}.`;
  const turns = seen.turns.filter((turn) => turn.before !== turn.after).sort((one, other) => other.n - one.n);
  const said = turns.map((turn) => `${turn.n} from ${turn.before} to ${turn.after}`).join(", ");
  return `Would have changed ${seen.changed} of ${verdicts}: ${said}.`;
}

/** How a decision's threshold came about. */
export function rule(decision) {
  if (decision.rule === "rate" || decision.rule === "tail") return `${RULES[decision.rule]} of ${percent(decision.false_reject_rate)}`;
  if (decision.rule === "recall") return `a recall of ${percent(decision.seen.recall)}`;
  return RULES[decision.rule] ?? decision.rule;
}

/** A share as the number of percent in a field: three digits, rounded up, so that a rate that is read there can be asked for. */
export function inPercent(share) {
  if (share === null || share === undefined) return "";
  if (share <= 0) return "0";
  const digits = 2 - Math.floor(Math.log10(100 * share));
  return String(Number((Math.ceil(100 * share * 10 ** digits - 1e-6) / 10 ** digits).toPrecision(3)));
}
