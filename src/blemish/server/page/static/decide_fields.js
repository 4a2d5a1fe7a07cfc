// Between the form's fields and what is considered.

import {REGIONS} from "./decide_proposal.js";
import {inPercent} from "./decide_words.js";

const PERCENT = ["false_reject_rate", "review_rate", "pixel_rate", "recall", "defective_share", "limit"];

/** The value of a field as the API takes it: null where it is empty, undefined where it is no number. */
function valueOf(field) {
  const text = field.value.trim();
  if (field.validity.badInput) return undefined;
  if (text === "") return null;
  if (field.type !== "number") return text;
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  return PERCENT.includes(field.name) ? value / 100 : value;
}

/** What is considered once a field was typed into; null while it is unfinished. */
export function fromField(proposal, field) {
  if (field.name === "tail") return proposal.rejecting({false_reject_rate: proposal.policy.false_reject_rate, tail: field.checked});
  const value = valueOf(field);
  if (value === undefined) return null;
  if (REGIONS.includes(field.name)) return proposal.region(field.name, value);
  const asked = value === null ? {} : {[field.name]: value};
  if (field.name === "false_reject_rate" && proposal.policy.tail) asked.tail = true;
  return field.name.startsWith("review") ? proposal.reviewing(asked) : proposal.rejecting(asked);
}

/** What known defects are asked to decide; null while it is unfinished. */
export function fromDefects(form) {
  const value = (name) => valueOf(form.elements[name]);
  const by = form.elements.by.value;
  if (!by) return {};
  const asked = {false_reject_rate: value("limit")};
  if (by === "recall") {
    if (!form.elements.recall.value) form.elements.recall.value = "95";
    asked.recall = value("recall");
  } else {
    asked.defective_share = value("defective_share");
  }
  if (by === "f1") asked.best_f1 = true;
  if (by === "cost") {
    Object.assign(asked, {cost_missed: value("cost_missed"), cost_false_reject: value("cost_false_reject")});
    if (asked.cost_missed === null || asked.cost_false_reject === null) return null;
  }
  return Object.values(asked).includes(undefined) ? null : asked;
}

/** Show the fields of one way in which known defects decide. */
export function showBy(form, by) {
  form.querySelectorAll("[data-by]").forEach((one) => {
    one.hidden = !one.dataset.by.split(" ").includes(by);
  });
}

/** Fill the form with what is considered and what it would become; what somebody is typing into stays. */
export function fill(form, proposal, seen, state) {
  const {policy, regions, by} = proposal;
  const {decision, reviews} = seen;
  const byDefects = ["recall", "cost", "f1"].includes(by) ? by : "";
  const byRate = ["rate", "tail"].includes(decision.rule); // of other rules a rate is a limit, or there is none
  const asked = byRate ? decision.false_reject_rate : decision.expected;
  const pixels = decision.pixels;
  const values = {
    false_reject_rate: inPercent(asked),
    threshold: String(Number(decision.threshold.toPrecision(6))),
    review_rate: reviews ? inPercent(decision.review_rate ?? reviews.expected) : "0",
    review_threshold: String(Number(decision.review_threshold.toPrecision(6))),
    by: byDefects,
    pixel_rate: inPercent(pixels.rate),
    hysteresis: String(regions.hysteresis ?? Number((state.regions?.hysteresis ?? 1).toPrecision(3))),
    smallest_region: regions.smallest_region ?? `${pixels.smallest_side}px`,
    merge_distance: regions.merge_distance ?? `${pixels.merge_distance}px`,
  };
  if (byDefects) {
    Object.assign(values, {
      recall: inPercent(policy.recall), cost_missed: policy.cost_missed ?? "", cost_false_reject: policy.cost_false_reject ?? "",
      defective_share: inPercent(policy.defective_share), limit: inPercent(policy.false_reject_rate),
    });
  }
  for (const [name, value] of Object.entries(values)) {
    const field = form.elements[name];
    if (field !== document.activeElement) field.value = value;
  }
  showBy(form, form.elements.by.value);
}
