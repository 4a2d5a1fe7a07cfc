// How a station is, in words: what its list and its own page have in common.

import {element} from "./dom.js";
import {verdictClass} from "./words.js";

export const VERDICTS = ["pass", "review", "reject", "not judged"];
const STATES = {starting: "starts", running: "runs", stopping: "stops", stopped: "stopped", silent: "does not answer"};

/** Show the state of a station in its badge. */
export function showState(badge, station) {
  const status = station.status;
  const lost = station.supervised && (!status || status.state === "stopped");
  const state = lost ? "lost" : status ? status.state : "";
  badge.className = `state ${state}`;
  badge.textContent = lost ? "is started anew" : status ? STATES[status.state] : "has never run";
}

/** Verdicts since the start, a number each. */
export function showVerdicts(place, status) {
  place.replaceChildren(...VERDICTS.map((verdict) => element("span", {class: verdictClass(verdict)},
    element("b", {}, (status?.verdicts[verdict] ?? 0).toLocaleString("en")), ` ${verdict}`)),
  ...(status?.refused ? [element("span", {class: "muted"}, element("b", {}, status.refused.toLocaleString("en")), " not photographs")] : []));
}

/** What does not work, a sentence each. */
export function showTroubles(place, station) {
  const status = station.status;
  const said = status && ["starting", "running", "stopping"].includes(status.state) ? status.troubles.map((one) => `${one.what}: ${one.sentence}`) : [];
  if (status?.state === "silent") said.unshift("The station has said nothing for some time: it was ended, or it hangs; see its log.");
  if (station.ended && station.supervised) said.unshift(`It has ended: ${station.ended}`);
  place.replaceChildren(...said.map((sentence) => element("li", {}, sentence)));
}

/** What judges, in words. */
export function judges(status) {
  return status ? `${status.inspector}${status.version ? `, version ${status.version}` : ""}` : "It has never run.";
}
