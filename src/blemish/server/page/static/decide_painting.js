// What is not looked at, over a photograph; an admin paints what else is to be ignored, and makes a version of it.

import {address, call, Problem} from "./api.js";
import {boxBetween, cornersInWords, outline, parsed, polygonOf, written} from "./decide_shapes.js";
import {doing, drawn, element, say} from "./dom.js";

const LEAST = 3;
const MOST_PHOTOGRAPHS = 16;
const LAYER_MILLISECONDS = 150;
const HINTS = {
  box: "Drag across the photograph.",
  polygon: "Click corner after corner; a double click, or Enter, ends it. Backspace takes the last corner back, Escape all of them.",
};

const at = (id) => document.getElementById(id);

export class Painting {
  constructor(part, paints) {
    this.part = part;
    this.base = `/v1/inspectors/${encodeURIComponent(part)}`;
    this.paints = paints;
    const search = new URLSearchParams(location.search);
    this.shapes = search.getAll("ignore").map(parsed).filter((one) => one !== null);
    this.version = Number(search.get("narrowed")) || null;
    this.wanted = Number(search.get("photograph")) || null;
    this.before = [];
    this.corners = [];
    this.chosen = null;
  }

  async load() {
    const path = `${this.base}/view`;
    try {
      this.view = await call(path, {search: {version: this.version}});
    } catch (problem) {
      if (this.version === null) {
        say(at("looks-at"), problem.message, "bad");
        return;
      }
      this.version = null; // of an address that names a version that is gone
      this.view = await call(path);
    }
    this.version = this.view.version;
    this.describe();
    if (!this.view.photograph) return;
    at("painting").hidden = false;
    this.prepare();
    if (this.paints) this.list();
    this.changed();
    // Far below what is usually looked at: photographs are fetched for whoever comes near.
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      near.disconnect();
      this.photographs().catch((problem) => say(at("paint-problem"), problem.message, "bad"));
    }, {rootMargin: "300px"});
    near.observe(at("painting"));
  }

  /** Another version judges by now: go on from that one, with what was painted. */
  async renew() {
    if (!this.view) return;
    const {version, active, ignored_later: ignored} = this.view;
    this.view = await call(`${this.base}/view`);
    if (this.view.version === version) return;
    this.version = this.view.version;
    if (!active) {
      const lost = ignored.filter((one) => !this.view.ignored_later.includes(one)).map(parsed);
      this.shapes = [...lost, ...this.shapes];
      say(at("narrowed"), `Version ${version} does not know the decision that was made since: make one from version ${this.version} instead.`, "warn");
    }
    this.describe();
    if (!this.svg) return;
    if (this.paints) this.list();
    this.changed();
  }

  describe() {
    const {view} = this;
    const [width, height] = view.photograph ?? [0, 0];
    const usual = view.photograph ? ` Photographs are usually ${width} x ${height} pixels.` : "";
    const placed = view.aligned ? " Parts are brought to their place first: the shapes are those of the place." : "";
    const edge = view.margin ? ` Around what was taken away after the learning, ${view.margin} pixels of the network's input are not judged.` : "";
    at("looks-at").textContent = `Version ${view.version}${view.active ? "" : ", which does not judge yet,"} looks at ${view.looks_at}.${usual}${placed}${edge}`;
    at("less-only").hidden = !view.can_ignore_more;
    at("why-not").hidden = view.can_ignore_more;
    at("why-not").textContent = view.why_not ?? "";
    if (this.paints) {
      at("shapes").hidden = !view.can_ignore_more && view.active;
      at("activate").hidden = view.active;
      at("activate").textContent = `Let version ${view.version} judge`;
    }
  }

  prepare() {
    const [width, height] = this.view.photograph;
    this.picture = element("img", {alt: "The photograph, its part at its place", hidden: true});
    this.layer = element("img", {class: "layer", alt: "What is ignored", hidden: true});
    this.svg = drawn("svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true"});
    this.empty = element("p", {}, "No photograph of this part is kept: choose one of this device.");
    at("paint").style.aspectRatio = `${width} / ${height}`;
    at("paint").replaceChildren(this.empty, this.picture, this.layer, this.svg);
    at("photograph")?.addEventListener("change", (event) => this.sent(event.target.files[0]));
    if (!this.paints || !this.view.can_ignore_more) return;
    this.svg.classList.add("drawing");
    this.svg.setAttribute("tabindex", "0");
    this.svg.setAttribute("role", "application");
    this.svg.setAttribute("aria-label", "Draw what is to be ignored; the fields beside it do the same");
    this.svg.removeAttribute("aria-hidden");
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("dblclick", () => this.close());
    this.svg.addEventListener("keydown", (event) => this.key(event));
    at("shapes").addEventListener("submit", (event) => {
      event.preventDefault();
      this.narrow();
    });
    at("shapes").querySelectorAll("[name=tool]").forEach((one) => one.addEventListener("change", () => this.tool()));
    at("add-box").addEventListener("click", () => this.addByNumbers());
    at("shape-undo").addEventListener("click", () => this.takeBack());
    at("activate").addEventListener("click", () => this.activate());
    this.tool();
  }

  get kind() {
    return at("shapes").elements.tool.value;
  }

  tool() {
    this.corners = [];
    at("tool-hint").textContent = HINTS[this.kind];
    at("add-box").textContent = `Add a ${this.kind} by numbers`;
    this.draw();
  }

  // Drawing with the pointer

  place(event) {
    const box = this.svg.getBoundingClientRect();
    const [width, height] = this.view.photograph;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  down(event) {
    if (event.button) return;
    const start = this.place(event);
    if (this.kind === "polygon") {
      if (event.detail < 2) this.corners.push(start);
      this.draw();
      return;
    }
    event.preventDefault();
    this.svg.focus();
    this.svg.setPointerCapture(event.pointerId);
    const move = (moved) => {
      this.pending = boxBetween(start, this.place(moved), this.view.photograph);
      this.draw();
    };
    const end = (ended) => {
      for (const [kind, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.svg.removeEventListener(kind, listener);
      const box = this.pending;
      this.pending = null;
      if (ended.type === "pointerup" && box && box.numbers[2] >= LEAST && box.numbers[3] >= LEAST) this.change([...this.shapes, box], this.shapes.length);
      else this.draw();
    };
    for (const [kind, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.svg.addEventListener(kind, listener);
  }

  key(event) {
    if (this.kind !== "polygon" || !this.corners.length) return;
    if (event.key === "Enter") this.close();
    else if (event.key === "Escape") this.corners = [];
    else if (event.key === "Backspace") this.corners.pop();
    else return;
    event.preventDefault();
    this.draw();
  }

  close() {
    const corners = this.corners;
    this.corners = [];
    if (corners.length < LEAST) {
      this.draw();
      return;
    }
    this.change([...this.shapes, polygonOf(corners, this.view.photograph)], this.shapes.length);
  }

  // The list, by which the same is done without a pointer

  addByNumbers() {
    const [width, height] = this.view.photograph;
    const [x, y, right, bottom] = [width * 0.4, height * 0.4, width * 0.6, height * 0.6];
    const box = boxBetween([x, y], [right, bottom], this.view.photograph);
    const shape = this.kind === "box" ? box : polygonOf([[x, y], [right, y], [right, bottom], [x, bottom]], this.view.photograph);
    this.change([...this.shapes, shape], this.shapes.length);
    at("shape-list").lastElementChild.querySelector("input, textarea").focus();
  }

  change(shapes, chosen = null) {
    this.before.push(this.shapes);
    this.shapes = shapes;
    this.chosen = chosen;
    this.list();
    this.changed();
  }

  takeBack() {
    this.shapes = this.before.pop() ?? this.shapes;
    this.chosen = null;
    this.list();
    this.changed();
  }

  /** Others of the same number, typed: the list stays, so that the focus does. */
  typed(place, shape) {
    this.before.push(this.shapes);
    this.shapes = this.shapes.map((one, other) => (other === place ? shape : one));
    this.chosen = place;
    this.changed();
  }

  changed() {
    if (this.paints) {
      at("shape-undo").disabled = !this.before.length;
      at("narrow").disabled = !this.shapes.length;
    }
    this.keep();
    this.draw();
  }

  list() {
    at("shape-list").replaceChildren(...this.shapes.map((shape, place) => this.item(shape, place)));
  }

  item(shape, place) {
    const name = `${shape.kind === "box" ? "Box" : "Polygon"} ${place + 1}`;
    const remove = element("button", {type: "button", class: "plain", "aria-label": `Remove ${name}`,
      onclick: () => this.change(this.shapes.filter((_, other) => other !== place))}, "Remove");
    const fields = shape.kind === "box" ? this.boxFields(shape, place, name) : this.polygonField(shape, place, name);
    return element("li", {}, element("div", {class: "row"}, element("strong", {}, name), remove), fields);
  }

  boxFields(shape, place, name) {
    const fields = ["x", "y", "width", "height"].map((label, number) => {
      const field = element("input", {type: "number", min: number < 2 ? 0 : 1, step: 1, value: shape.numbers[number], "aria-label": `${name}, ${label}`});
      field.addEventListener("input", () => {
        const value = field.value === "" ? NaN : Math.round(Number(field.value));
        if (!(value >= (number < 2 ? 0 : 1))) return;
        const numbers = [...this.shapes[place].numbers];
        numbers[number] = value;
        this.typed(place, {kind: "box", numbers});
      });
      return element("label", {}, label, field);
    });
    return element("div", {class: "numbers"}, fields);
  }

  polygonField(shape, place, name) {
    const field = element("textarea", {"aria-label": `${name}, corners as x,y x,y x,y`, rows: 2}, cornersInWords(shape));
    field.addEventListener("input", () => {
      const typed = parsed(`polygon:${field.value.trim().split(/[\s,;]+/).join(",")}`);
      field.setAttribute("aria-invalid", String(!typed));
      if (typed) this.typed(place, typed);
    });
    return field;
  }

  // What is seen

  draw() {
    if (!this.svg) return;
    const shapes = this.pending ? [...this.shapes, this.pending] : this.shapes;
    const made = shapes.flatMap((shape, place) => {
      const chosen = place === this.chosen ? " chosen" : "";
      return [drawn("polygon", {class: "shape edge", points: outline(shape)}), drawn("polygon", {class: `shape${chosen}`, points: outline(shape)})];
    });
    if (this.corners.length) {
      const [width] = this.view.photograph;
      made.push(drawn("polyline", {class: "shape chosen", points: this.corners.flat().join(" ")}));
      made.push(...this.corners.map(([x, y]) => drawn("circle", {class: "corner", cx: x, cy: y, r: width / 100})));
    }
    this.svg.replaceChildren(...made);
    clearTimeout(this.timer);
    if (!this.pending) this.timer = setTimeout(() => this.showLayer(), LAYER_MILLISECONDS);
  }

  /** What is ignored already, and what would not be judged besides, as the API says of these shapes. */
  async showLayer() {
    const asked = this.shapes.map((one) => `&ignore=${encodeURIComponent(written(one))}`).join("");
    const source = address(`${this.base}/view/unseen.png`, {version: this.version}) + asked;
    if (source === this.layerSource) return;
    this.layerSource = source;
    try {
      const picture = await blobOf(source);
      if (source !== this.layerSource) return;
      show(this.layer, picture);
      say(at("paint-problem"), "");
    } catch (problem) {
      say(at("paint-problem"), problem.message, "warn");
    }
  }

  async photographs() {
    const {inspections} = await call("/v1/inspections", {search: {inspector: this.part, limit: MOST_PHOTOGRAPHS}});
    const kept = inspections.filter((one) => one.image);
    const first = kept.some((one) => one.id === this.wanted) ? this.wanted : kept[0]?.id;
    at("strip").replaceChildren(...kept.map((one) => this.thumbnail(one)));
    at("strip").hidden = !kept.length;
    if (first) this.choose(first);
  }

  thumbnail(one) {
    const picture = element("img", {alt: "", src: one.thumbnail, loading: "lazy"});
    return element("button", {type: "button", "data-id": one.id, "aria-label": `The photograph of inspection ${one.id}, ${one.verdict}`,
      onclick: () => this.choose(one.id, true)}, picture);
  }

  choose(id, asked = false) {
    this.picture.src = address(`${this.base}/view/photograph.jpg`, {inspection: id, version: this.version});
    this.picture.hidden = false;
    this.empty.hidden = true;
    at("strip").querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(Number(one.dataset.id) === id)));
    if (asked) {
      this.wanted = id;
      this.keep();
    }
  }

  async sent(file) {
    if (!file) return;
    const body = new FormData();
    body.append("image", file);
    try {
      show(this.picture, await blobOf(address(`${this.base}/view/photograph`, {version: this.version}), {method: "POST", body}));
      this.empty.hidden = true;
      at("strip").querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", "false"));
      say(at("paint-problem"), "");
    } catch (problem) {
      say(at("paint-problem"), problem.message, "bad");
    }
  }

  keep() {
    const search = new URLSearchParams(location.search);
    for (const name of ["ignore", "narrowed", "photograph"]) search.delete(name);
    this.shapes.forEach((one) => search.append("ignore", written(one)));
    if (this.view && !this.view.active) search.set("narrowed", this.version);
    if (this.wanted) search.set("photograph", this.wanted);
    const query = search.toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
  }

  async narrow() {
    const ignore = this.shapes.map(written);
    await doing(at("narrow"), at("narrowed"), async () => {
      const made = await call(`${this.base}/regions`, {method: "POST", body: {ignore, version: this.version}});
      this.shapes = [];
      this.before = [];
      this.version = made.version;
      this.view = await call(`${this.base}/view`, {search: {version: made.version}});
      this.list();
      this.describe();
      this.changed();
      say(at("narrowed"), `Version ${made.version} is made and ignores ${ignore.length} ${ignore.length === 1 ? "shape" : "shapes"} more. It does not judge yet. Thresholds stay as they are; what people said of earlier scores does not count for its scores.`, "good");
    });
    at("narrow").disabled = !this.shapes.length;
  }

  async activate() {
    await doing(at("activate"), at("narrowed"), async () => {
      await call(`${this.base}/activate`, {method: "POST", body: {version: this.version}});
      this.view.active = true;
      this.keep();
      location.reload(); // scores mean something else from now on
    });
  }
}

/** A picture of the API. */
async function blobOf(source, sent = {}) {
  let answer;
  try {
    answer = await fetch(source, sent);
  } catch {
    throw new Problem(0, {detail: "The server cannot be reached: see whether it runs, then try again."});
  }
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer.blob();
}

function show(picture, blob) {
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(blob);
  picture.hidden = false;
}
