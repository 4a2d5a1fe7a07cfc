// The list of stations, as they say they are, every second or two.

import {address, call} from "./api.js";
import {say} from "./dom.js";
import {judges, showState, showTroubles, showVerdicts} from "./station_words.js";

const EVERY = 2000; // milliseconds
const list = document.getElementById("stations");
const known = () => new Map([...list.children].map((card) => [card.dataset.station, card]));

async function show() {
  const {stations} = await call("/v1/stations");
  const cards = known();
  if (stations.some((one) => !cards.has(one.name))) {
    location.reload(); // another one has come
    return;
  }
  for (const station of stations) {
    const card = cards.get(station.name);
    const field = (name) => card.querySelector(`[data-field=${name}]`);
    showState(field("state"), station);
    field("judges").textContent = judges(station.status);
    showVerdicts(field("verdicts"), station.status);
    showTroubles(field("troubles"), station);
  }
}

async function watch() {
  const said = document.getElementById("said");
  for (;;) {
    try {
      if (!document.hidden) await show();
      say(said, "");
    } catch (problem) {
      say(said, problem.message, "bad");
    }
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

document.getElementById("new-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = event.currentTarget.elements.name.value.trim();
  if (name) location.assign(address(`/stations/${encodeURIComponent(name)}`, {new: 1}));
});
watch();
