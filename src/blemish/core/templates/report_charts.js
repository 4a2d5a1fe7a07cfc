"use strict";
(() => {
  // Charts take the page's colours on light ground and dark; on paper the style colours them.
  const WIDE = { width: 960, height: 600 };
  const PAPER = { width: 340, height: 260 };
  const SVG = "http://www.w3.org/2000/svg";
  const DASHES = { dash: "7 4", dot: "2 3", dashdot: "7 3 2 3", longdash: "11 4" };
  const DIAMOND = "M6 0.5 11.5 6 6 11.5 0.5 6Z";
  const SYMBOLS = {
    square: "M1 1H11V11H1Z", diamond: DIAMOND, "diamond-open": DIAMOND, cross: "M4 0H8V4H12V8H8V12H4V8H0V4H4Z",
    x: "M2 0 6 4 10 0 12 2 8 6 12 10 10 12 6 8 2 12 0 10 4 6 0 2Z", "triangle-up": "M6 0.5 12 11H0Z",
    "triangle-down": "M6 11.5 0 1H12Z", star: "M6 0 7.6 4.1 12 4.3 8.6 7 9.7 11.4 6 9 2.3 11.4 3.4 7 0 4.3 4.4 4.1Z",
  };
  const HATCHINGS = {
    "/": "M9 12 21 0M9 6 15 0M15 12 21 6", "\\": "M9 0 21 12M15 0 21 6M9 6 15 12", x: "M9 0 21 12M9 12 21 0", "-": "M9 4H21M9 8H21",
    "|": "M13 0V12M17 0V12", "+": "M9 6H21M15 0V12", ".": "M12 3.5h1M17 3.5h1M12 8.5h1M17 8.5h1",
  };
  const drawn = (name, attributes) => {
    const node = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  };
  const series = (trace) => trace.legendgroup || trace.name;
  const first = (value) => (Array.isArray(value) ? value[0] : value);

  // What stands before a name in the legend: the line with its dashes, the mark with its shape, the bar with its hatching.
  const swatch = (trace) => {
    const svg = drawn("svg", { viewBox: "0 0 30 12", width: 30, height: 12, "aria-hidden": "true" });
    const marker = trace.marker || {};
    const colour = (trace.line && trace.line.color) || first(marker.color) || "#888";
    if (trace.type === "bar") {
      svg.append(drawn("rect", { x: 9, y: 0, width: 12, height: 12, rx: 2, fill: first(marker.color), "fill-opacity": marker.opacity ?? 1 }));
      const hatching = HATCHINGS[marker.pattern && marker.pattern.shape];
      if (hatching) svg.append(drawn("path", { d: hatching, stroke: "#fff", "stroke-width": 1.6, fill: "none" }));
      return svg;
    }
    const mode = trace.mode || "lines";
    if (mode.includes("lines")) {
      svg.append(drawn("line", { x1: 1, y1: 6, x2: 29, y2: 6, stroke: colour, "stroke-width": 3.5, "stroke-dasharray": DASHES[trace.line && trace.line.dash] || "none" }));
    }
    if (mode.includes("markers")) {
      const path = SYMBOLS[first(marker.symbol)];
      const mark = path ? drawn("path", { d: path, transform: "translate(9 0)" }) : drawn("circle", { cx: 15, cy: 6, r: 5 });
      mark.setAttribute("fill", first(marker.color) || colour);
      svg.append(mark);
    }
    return svg;
  };

  class Chart {
    constructor(element) {
      const source = element.querySelector("script");
      const { data, layout } = JSON.parse(source.textContent);
      source.remove();
      this.element = element;
      this.data = data;
      this.title = element.dataset.title || "Chart";
      this.menu = (layout.updatemenus || [])[0];
      this.named = layout.showlegend === true;
      // Legend and menu stand above the drawing, where they wrap, can be reached by keys, and cover nothing.
      const margin = { ...layout.margin, t: Math.min(layout.margin.t, 14 + 16 * Math.max(1, (layout.annotations || []).length)) };
      this.layout = { ...layout, margin, updatemenus: [], showlegend: false };
      this.choice = 0;
      this.hidden = new Set();
      const head = document.createElement("div");
      head.className = "chart-head";
      this.legend = document.createElement("ul");
      this.legend.className = "legend";
      this.legend.setAttribute("aria-label", `Legend of ${this.title}`);
      if (this.named) head.append(this.legend);
      if (this.menu) head.append(this.select());
      if (head.children.length) element.before(head);
      element.after(reportFiles.tools(["SVG", "PNG", "CSV"].map((kind) =>
        [kind, `Save ${this.title} as ${kind}`, () => this.save(kind)])));
      this.fillLegend();
    }

    select() {
      const select = document.createElement("select");
      select.setAttribute("aria-label", `What ${this.title} shows`);
      this.menu.buttons.forEach(({ label }, place) => select.add(new Option(label, place)));
      select.addEventListener("change", () => {
        this.choice = Number(select.value);
        this.hidden.clear();
        this.fillLegend();
        this.draw();
      });
      return select;
    }

    chosen(place) {
      return this.menu ? this.menu.buttons[this.choice].args[0].visible[place] : this.data[place].visible !== false;
    }

    fillLegend() {
      const seen = new Set();
      this.legend.replaceChildren(...this.data.flatMap((trace, place) => {
        const key = series(trace);
        if (!this.chosen(place) || !trace.name || trace.showlegend === false || seen.has(key)) return [];
        seen.add(key);
        const item = document.createElement("li");
        item.append(legendButton(trace.name, swatch(trace), (shown) => this.toggle(key, shown)));
        return [item];
      }));
    }

    toggle(key, shown) {
      if (shown) this.hidden.delete(key); else this.hidden.add(key);
      return this.draw();
    }

    traces() {
      return this.data.map((trace, place) => ({ ...trace, visible: this.chosen(place) && !this.hidden.has(series(trace)) }));
    }

    coloured({ ink, grid }) {
      const axes = Object.entries(this.layout).filter(([name]) => /^[xy]axis\d*$/.test(name))
        .map(([name, axis]) => [name, { ...axis, gridcolor: grid, linecolor: grid, automargin: true }]);
      return { ...this.layout, ...Object.fromEntries(axes), font: { ...this.layout.font, color: ink } };
    }

    // A chart scales like a picture from the size at which it was drawn: nobody can wait for a drawing while a page prints.
    scalable() {
      const { width, height } = this.element._fullLayout;
      this.element.style.setProperty("--shape", `${width} / ${height}`);
      this.element.querySelectorAll(".main-svg").forEach((svg) => svg.setAttribute("viewBox", `0 0 ${width} ${height}`));
    }

    async draw(size = {}) {
      const layout = { ...this.coloured(screenColours()), ...size };
      await Plotly.react(this.element, this.traces(), layout, { displayModeBar: false, responsive: !size.width });
      this.scalable();
      this.element.removeAllListeners("plotly_afterplot");
      this.element.on("plotly_afterplot", () => this.scalable());
    }

    async save(kind) {
      const section = this.element.closest("section[aria-label]");
      const name = `${reportFiles.slug(section && section.getAttribute("aria-label"), this.title)}.${kind.toLowerCase()}`;
      if (kind === "CSV") return reportFiles.save(name, reportFiles.csv(this.rows()), "text/csv");
      const layout = {
        ...this.coloured({ ink: "#1a1f27", grid: "#dfe3e9" }), ...WIDE, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
        title: { text: this.title, x: 0.02 }, showlegend: this.named || this.element.hasAttribute("data-legend"),
        legend: { orientation: "h", y: -0.16, yanchor: "top" }, margin: { ...this.layout.margin, t: 70, r: 40 },
      };
      const picture = await Plotly.toImage({ data: this.traces(), layout }, { format: kind.toLowerCase(), ...WIDE, scale: kind === "PNG" ? 2 : 1 });
      const content = await (kind === "SVG" ? decodeURIComponent(picture.slice(picture.indexOf(",") + 1)) : bytes(picture));
      return reportFiles.save(name, content, kind === "SVG" ? "image/svg+xml" : "image/png");
    }

    // What the chart shows now, a row a point.
    rows() {
      const titleOf = (axis, other) => (this.layout[axis] && this.layout[axis].title && this.layout[axis].title.text) || other;
      const shown = this.element._fullData.filter((trace) => trace.visible === true && trace.hoverinfo !== "skip");
      const panels = new Set(shown.map((trace) => trace.yaxis || "y"));
      const panelOf = (trace) => (panels.size > 1 ? [titleOf(`yaxis${(trace.yaxis || "y").slice(1)}`, trace.yaxis)] : []);
      const texts = shown.some((trace) => Array.isArray(trace.text));
      const errors = shown.some((trace) => trace.error_y && trace.error_y.visible);
      const heat = shown.some((trace) => trace.z);
      const header = [...(panels.size > 1 ? ["panel"] : []), "series", titleOf("xaxis", "x"), panels.size > 1 ? "value" : titleOf("yaxis", "y")];
      const rows = [[...header, ...(heat ? ["z"] : []), ...(errors ? ["low", "high"] : []), ...(texts ? ["text"] : [])]];
      for (const trace of shown) {
        const name = this.data[trace.index].name || this.title;
        if (trace.z) {
          [...trace.z].forEach((line, y) => [...line].forEach((z, x) => rows.push([...panelOf(trace), name, trace.x?.[x] ?? x, trace.y?.[y] ?? y, z])));
          continue;
        }
        for (let place = 0; place < (trace.y || []).length; place += 1) {
          const { array, arrayminus } = trace.error_y || {};
          const y = trace.y[place];
          const range = array && y !== null ? [y - (arrayminus || array)[place], y + array[place]] : ["", ""];
          const text = Array.isArray(trace.text) ? trace.text[place] : "";
          rows.push([...panelOf(trace), name, trace.x[place], y, ...(errors ? range : []), ...(texts ? [text] : [])]);
        }
      }
      return rows;
    }
  }

  const bytes = (address) => Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  const screenColours = () => {
    const style = getComputedStyle(document.documentElement);
    return { ink: style.getPropertyValue("--ink").trim(), grid: style.getPropertyValue("--grid").trim() };
  };
  // A name that shows and hides its lines; `act` is told whether they are shown.
  const legendButton = (name, picture, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "series";
    button.setAttribute("aria-pressed", "true");
    button.append(picture, name);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      act(shown);
    });
    return button;
  };

  const charts = [...document.querySelectorAll(".chart")].map((element) => new Chart(element));
  // A legend that several charts share, filled from the first that is marked as its own.
  document.querySelectorAll("ul[data-shared-legend]").forEach((legend) => {
    const own = charts.filter(({ element }) => element.dataset.legend === legend.dataset.sharedLegend);
    const seen = new Set();
    for (const trace of own.flatMap(({ data }) => data)) {
      const key = series(trace);
      if (!trace.name || trace.showlegend === false || seen.has(key)) continue;
      seen.add(key);
      const item = document.createElement("li");
      item.append(legendButton(trace.name, swatch(trace), (shown) => own.forEach((chart) => chart.toggle(key, shown))));
      legend.append(item);
    }
  });
  const drawAll = () => Promise.all(charts.map((chart) => chart.draw()));
  drawAll().then(() => document.documentElement.setAttribute("data-drawn", charts.length));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // As wide as a column on paper, so that letters are neither tiny nor large there.
  addEventListener("beforeprint", () => charts.forEach((chart) => Plotly.relayout(chart.element, { autosize: false, ...PAPER })));
  addEventListener("afterprint", drawAll);
})();
