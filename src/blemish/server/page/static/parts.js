// The cards of the parts: kept up to date while somebody sees them, and found by name.

import {address, call, prefix} from "./api.js";
import {drawn, element, say} from "./dom.js";
import {moment, percent} from "./words.js";

const EVERY = 15_000;
const VERDICTS = ["passed", "reviewed", "rejected", "not_judged"];
const list = document.getElementById("parts");
const said = document.getElementById("said");
const troubles = document.getElementById("troubles");
const search = document.getElementById("search");
const cards = new Map([...list.children].map((card) => [card.dataset.part, card]));
const inAddress = (path) => path.slice(prefix.length);

/** Write a text only where it is another one: what does not change does not flicker, nor is it read out again. */
function write(place, text) {
  if (place && place.textContent !== text) place.textContent = text;
}

function time(place, value, without) {
  if (!place) return;
  if (value) place.setAttribute("datetime", value);
  write(place, value ? moment(value) : without);
}

function drift(part) {
  if (part.version === null) return "Nothing judges.";
  if (part.drift === null) return "The history is being read.";
  return part.drift.state === "drifted" ? `moved: ${part.drift.moved.join(", ")}` : part.drift.message;
}

function bars(card, day) {
  const all = day.judged + day.not_judged;
  let left = 0;
  for (const verdict of VERDICTS) {
    const wide = all ? (100 * day[verdict]) / all : 0;
    const bar = card.querySelector(`[data-bar=${verdict}]`);
    bar.setAttribute("x", left.toFixed(3));
    bar.setAttribute("width", wide.toFixed(3));
    left += wide;
  }
}

function needs(card, part) {
  const place = card.querySelector("[data-field=needs]");
  card.classList.toggle("needs", part.needs.length > 0);
  place.hidden = part.needs.length === 0;
  const text = part.needs.map((need) => need.message).join("\n");
  if ([...place.children].map((one) => one.textContent.trim()).join("\n") === text) return;
  place.replaceChildren(
    ...part.needs.map((need) => {
      const area = need.area === "judge" ? "" : `/${need.area}`;
      return element("li", {}, element("a", {href: address(`/parts/${part.name}${area}`)}, need.message));
    }),
  );
}

function picture(card, part) {
  const place = card.querySelector(".thumb");
  if (!part.picture || place.dataset.picture === part.picture) return;
  place.dataset.picture = part.picture;
  const fresh = element("img", {src: `${part.picture}&side=${list.dataset.side}`, alt: "", width: 88, height: 88});
  fresh.decode().then(() => place.replaceChildren(fresh), () => {});
}

function show(card, part) {
  const field = (name) => card.querySelector(`[data-field=${name}]`);
  write(field("version"), part.version === null ? "no version judges" : `version ${part.version}`);
  write(field("detector"), part.detector || "");
  time(field("active_since"), part.active_since, "");
  for (const verdict of VERDICTS) write(field(verdict), part.today[verdict].toLocaleString("en"));
  write(field("reject_rate"), part.today.reject_rate === null ? "none judged" : percent(part.today.reject_rate));
  write(field("usual"), part.usual.message);
  field("usual").hidden = !part.today.judged || ["above", "below"].includes(part.usual.state);
  write(field("drift"), drift(part));
  time(field("last_inspection"), part.last_inspection, "none yet");
  bars(card, part.today);
  needs(card, part);
  picture(card, part);
}

function inOrder(parts) {
  const wanted = parts.map((part) => cards.get(part.name));
  if (wanted.every((card, place) => list.children[place] === card)) return;
  // Not under the fingers of somebody who is about to press something in them.
  if (list.contains(document.activeElement) || list.matches(":hover")) return;
  list.append(...wanted);
}

async function refresh() {
  let found;
  try {
    found = await call("/v1/parts");
  } catch (problem) {
    say(said, `${problem.message} What is shown is of before.`, "bad");
    return;
  }
  say(said, "");
  write(troubles, found.troubles.join(" "));
  troubles.hidden = found.troubles.length === 0 || document.querySelector(".band.bad") !== null;
  if (found.parts.length !== cards.size || found.parts.some((part) => !cards.has(part.name))) {
    location.reload(); // a part has come or gone
    return;
  }
  for (const part of found.parts) show(cards.get(part.name), part);
  inOrder(found.parts);
}

function find() {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const [name, card] of cards) {
    card.hidden = !name.toLowerCase().includes(wanted);
    shown += card.hidden ? 0 : 1;
  }
  document.getElementById("none-found").hidden = shown > 0 || cards.size === 0;
  history.replaceState(null, "", address(inAddress(location.pathname), {search: search.value.trim()}));
}

let waiting = null;
let latest = 0;

/** Ask again after a while, for as long as the page is seen; at once when it is seen again. */
async function follow() {
  clearTimeout(waiting);
  if (document.hidden) return;
  const mine = ++latest;
  await refresh();
  if (mine === latest) waiting = setTimeout(follow, EVERY);
}

for (const place of list.querySelectorAll("time[datetime]")) write(place, moment(place.getAttribute("datetime")));
for (const image of list.querySelectorAll(".thumb img")) {
  // What has been removed meanwhile leaves a drawing, not a broken picture.
  const gone = () => image.replaceWith(drawn("svg", {viewBox: "0 0 88 88"}, drawn("circle", {cx: 44, cy: 44, r: 26})));
  if (image.complete && image.currentSrc && !image.naturalWidth) gone();
  else image.addEventListener("error", gone);
}
if (search) {
  search.addEventListener("input", find);
  document.getElementById("search-form").addEventListener("submit", (event) => event.preventDefault());
  if (search.value) find();
}
document.addEventListener("visibilitychange", follow);
waiting = setTimeout(follow, 1500);
