// A photograph that can be looked at closely: zoom and shift, a heatmap over it, regions outlined and numbered.

import {drawn, element} from "./dom.js";
import {number} from "./words.js";

const MOST = 16; // times the size at which the photograph fits
const STEP = 1.5;

export class Viewer {
  /** `place` is an empty element; what it shows is set by `show`. */
  constructor(place) {
    this.photograph = element("img", {alt: "", draggable: "false"});
    this.heat = element("img", {alt: "", class: "heat", draggable: "false"});
    this.outlines = drawn("svg", {class: "outlines", "aria-hidden": "true"});
    this.stage = element("div", {class: "stage"}, this.photograph, this.heat, this.outlines);
    this.window = element(
      "div",
      {class: "window", tabindex: "0", role: "group", "aria-label": "Photograph: + and - zoom, arrow keys shift, 0 fits"},
      this.stage,
    );
    const zoom = (label, said, act) => element("button", {type: "button", class: "small-button", "aria-label": said, title: said, onclick: act}, label);
    this.opacity = element("input", {type: "range", min: "0", max: "100", value: "70", "aria-label": "Opacity of the heatmap"});
    this.outlined = element("input", {type: "checkbox", checked: true});
    this.lowest = element("span");
    this.highest = element("span");
    this.legend = element("div", {class: "legend", title: "Values of the map: below the first it is usual and uncoloured"}, this.lowest, element("span", {class: "scale"}), this.highest);
    this.heatControls = element("label", {class: "opacity"}, element("span", {}, "Heatmap"), this.opacity);
    this.outlineControl = element("label", {class: "check"}, this.outlined, "Regions");
    const tools = element(
      "div",
      {class: "tools"},
      zoom("−", "Zoom out", () => this.zoom(1 / STEP)),
      zoom("+", "Zoom in", () => this.zoom(STEP)),
      zoom("Fit", "Fit into the window", () => this.fit()),
      this.outlineControl,
      this.heatControls,
      this.legend,
    );
    place.replaceChildren(element("div", {class: "viewer"}, this.window, tools));
    this.opacity.addEventListener("input", () => { this.heat.style.opacity = this.opacity.value / 100; });
    this.outlined.addEventListener("change", () => { this.outlines.style.display = this.outlined.checked ? "" : "none"; });
    this.heat.style.opacity = 0.7;
    this.#listen();
    new ResizeObserver(() => this.fit()).observe(this.window);
  }

  /**
   * Show a photograph of `width` x `height` pixels at `source`. `heat` is the address of a heatmap layer or null,
   * `scale` the map values of its coldest and warmest colour, `regions` as the API gives them.
   */
  show({source, alt, width, height, heat = null, scale = null, regions = []}) {
    [this.width, this.height] = [width, height];
    this.photograph.alt = alt;
    this.photograph.hidden = !source;
    if (source) this.photograph.src = source; else this.photograph.removeAttribute("src");
    this.heat.hidden = this.heatControls.hidden = this.legend.hidden = !heat;
    if (heat) this.heat.src = heat; else this.heat.removeAttribute("src");
    this.legend.hidden = !heat || !scale;
    if (scale) [this.lowest.textContent, this.highest.textContent] = scale.map(number);
    this.outlineControl.hidden = regions.length === 0;
    this.#outline(regions);
    this.fit();
  }

  /** Bring a region into the middle, so large that it fills a third of the window. */
  focus(region) {
    const {width, height} = this.window.getBoundingClientRect();
    const wanted = Math.min(width / (3 * region.width), height / (3 * region.height));
    this.scale = Math.min(Math.max(wanted, this.fitted), this.fitted * MOST);
    this.x = width / 2 - (region.x + region.width / 2) * this.scale;
    this.y = height / 2 - (region.y + region.height / 2) * this.scale;
    this.#place();
  }

  fit() {
    if (!this.width) return;
    const {width, height} = this.window.getBoundingClientRect();
    this.fitted = this.scale = Math.min(width / this.width, height / this.height);
    this.x = (width - this.width * this.scale) / 2;
    this.y = (height - this.height * this.scale) / 2;
    this.#place();
  }

  /** Zoom by a factor around a point of the window, its middle where none is given. */
  zoom(factor, x, y) {
    const box = this.window.getBoundingClientRect();
    const [across, down] = [x ?? box.width / 2, y ?? box.height / 2];
    const scale = Math.min(Math.max(this.scale * factor, this.fitted), this.fitted * MOST);
    this.x = across - ((across - this.x) * scale) / this.scale;
    this.y = down - ((down - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#place();
  }

  #place() {
    const box = this.window.getBoundingClientRect();
    const inside = (at, shown, room) => (shown <= room ? (room - shown) / 2 : Math.min(0, Math.max(room - shown, at)));
    this.x = inside(this.x, this.width * this.scale, box.width);
    this.y = inside(this.y, this.height * this.scale, box.height);
    Object.assign(this.stage.style, {
      width: `${this.width * this.scale}px`,
      height: `${this.height * this.scale}px`,
      transform: `translate(${this.x}px, ${this.y}px)`,
    });
    this.window.classList.toggle("movable", this.scale > this.fitted * 1.001);
  }

  #outline(regions) {
    const size = Math.max(this.width, this.height) / 26;
    this.outlines.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.outlines.replaceChildren(
      ...regions.flatMap((region, index) => {
        const contour = region.contour?.length
          ? drawn("polygon", {points: region.contour.map((point) => point.join(",")).join(" ")})
          : drawn("rect", {x: region.x, y: region.y, width: region.width, height: region.height});
        const label = drawn("text", {x: region.x, y: Math.max(region.y - size * 0.25, size), "font-size": size});
        label.textContent = index + 1;
        const edge = contour.cloneNode();
        edge.setAttribute("class", "edge");
        return [edge, contour, label];
      }),
    );
  }

  #listen() {
    const pointers = new Map();
    const at = (event) => {
      const box = this.window.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.window.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey && this.scale <= this.fitted * 1.001 && event.deltaY > 0) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...at(event));
    }, {passive: false});
    this.window.addEventListener("dblclick", (event) => this.scale > this.fitted * 1.001 ? this.fit() : this.zoom(3, ...at(event)));
    this.window.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, at(event));
      this.window.setPointerCapture(event.pointerId);
    });
    this.window.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      if (pointers.size === 1) {
        this.x += now[0] - before[0];
        this.y += now[1] - before[1];
        this.#place();
      } else {
        const [, other] = [...pointers].find(([id]) => id !== event.pointerId);
        const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
        this.zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      pointers.set(event.pointerId, now);
    });
    const gone = (event) => pointers.delete(event.pointerId);
    this.window.addEventListener("pointerup", gone);
    this.window.addEventListener("pointercancel", gone);
    this.window.addEventListener("keydown", (event) => {
      const shift = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40]}[event.key];
      if (shift && this.scale > this.fitted * 1.001) {
        this.x += shift[0];
        this.y += shift[1];
        this.#place();
      } else if (event.key === "+" || event.key === "=") this.zoom(STEP);
      else if (event.key === "-") this.zoom(1 / STEP);
      else if (event.key === "0") this.fit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}
