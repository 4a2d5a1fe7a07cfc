// What somebody considers: a policy as the API takes it, kept in the page's address so that it can be sent to a colleague.

const REJECTING = ["false_reject_rate", "threshold", "tail", "recall", "cost_missed", "cost_false_reject", "defective_share", "best_f1"];
const REVIEWING = ["review_rate", "review_threshold"];
const SWITCHES = ["tail", "best_f1"];
export const REGIONS = ["pixel_rate", "hysteresis", "smallest_region", "merge_distance"];
const LENGTHS = ["smallest_region", "merge_distance"];

export class Proposal {
  constructor(policy = {}, regions = {}) {
    this.policy = policy;
    this.regions = regions;
  }

  /** What an address asks for; what it does not know there is left alone. */
  static of(search) {
    const given = new URLSearchParams(search);
    const policy = {};
    const regions = {};
    for (const name of [...REJECTING, ...REVIEWING]) {
      const value = given.get(name);
      if (value === null) continue;
      if (SWITCHES.includes(name)) policy[name] = true;
      else if (Number.isFinite(Number(value))) policy[name] = Number(value);
    }
    for (const name of REGIONS) {
      const value = given.get(name);
      if (value === null) continue;
      if (LENGTHS.includes(name)) regions[name] = value;
      else if (Number.isFinite(Number(value))) regions[name] = Number(value);
    }
    return new Proposal(policy, regions);
  }

  get asked() {
    return Object.keys(this.policy).length + Object.keys(this.regions).length > 0;
  }

  /** The way in which rejects come about: "", "rate", "threshold", "recall", "cost" or "f1". */
  get by() {
    if ("recall" in this.policy && !("cost_missed" in this.policy) && !this.policy.best_f1) return "recall";
    if ("cost_missed" in this.policy || "cost_false_reject" in this.policy) return "cost";
    if (this.policy.best_f1) return "f1";
    if ("threshold" in this.policy) return "threshold";
    return "false_reject_rate" in this.policy ? "rate" : "";
  }

  /** Another way to reject; where rejects end, reviews end too. */
  rejecting(asked) {
    const kept = pick(this.policy, REVIEWING);
    if ("threshold" in asked && kept.review_threshold > asked.threshold) kept.review_threshold = asked.threshold;
    return new Proposal({...given(asked), ...kept}, this.regions);
  }

  /** Another way to review. */
  reviewing(asked) {
    return new Proposal({...pick(this.policy, REJECTING), ...given(asked)}, this.regions);
  }

  /** Something else asked of regions; null takes it back. */
  region(name, value) {
    return new Proposal(this.policy, given({...this.regions, [name]: value}));
  }

  /** Put it into an address's search parameters, of which it leaves the others as they are. */
  into(search) {
    const kept = new URLSearchParams(search);
    for (const name of [...REJECTING, ...REVIEWING, ...REGIONS]) kept.delete(name);
    for (const [name, value] of Object.entries({...this.policy, ...this.regions})) kept.set(name, String(value));
    return kept;
  }
}

function pick(values, names) {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}

function given(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== false && value !== ""));
}
