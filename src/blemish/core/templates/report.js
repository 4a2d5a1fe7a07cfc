"use strict";
(() => {
  // Charts take the page's colours on light ground and dark; on paper the style colours them.
  const charts = [...document.querySelectorAll(".chart")].map((element) => {
    const source = element.querySelector("script");
    const figure = JSON.parse(source.textContent);
    source.remove();
    return { element, figure };
  });
  const screenColours = () => {
    const style = getComputedStyle(document.documentElement);
    return { ink: style.getPropertyValue("--ink").trim(), grid: style.getPropertyValue("--grid").trim() };
  };
  const coloured = (layout, { ink, grid }) => {
    const axes = Object.entries(layout).filter(([name]) => /^[xy]axis\d*$/.test(name))
      .map(([name, axis]) => [name, { ...axis, gridcolor: grid, linecolor: grid, automargin: true }]);
    return { ...layout, ...Object.fromEntries(axes), font: { ...layout.font, color: ink } };
  };
  // A chart scales like a picture from the size at which it was drawn: nobody can wait for a drawing while a page prints.
  const scalable = (element) => {
    const { width, height } = element._fullLayout;
    element.style.setProperty("--shape", `${width} / ${height}`);
    element.querySelectorAll(".main-svg").forEach((svg) => svg.setAttribute("viewBox", `0 0 ${width} ${height}`));
  };
  const draw = (colours) => Promise.all(charts.map(async ({ element, figure }) => {
    const layout = coloured(figure.layout, colours);
    await Plotly.react(element, figure.data, layout, { displayModeBar: false, responsive: true });
    scalable(element);
    element.removeAllListeners("plotly_afterplot");
    element.on("plotly_afterplot", () => scalable(element));
  }));
  draw(screenColours()).then(() => document.documentElement.setAttribute("data-drawn", charts.length));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(screenColours()));
  // As wide as a column on paper, so that letters are neither tiny nor large there, and with room for the legend above.
  addEventListener("beforeprint", () => charts.forEach(({ element }) => Plotly.relayout(element, {
    autosize: false, width: 340, height: 280,
    "legend.y": 1.02, "legend.yanchor": "bottom",
  })));
  addEventListener("afterprint", () => draw(screenColours()));

  // The viewer enlarges one part; arrow keys go to its neighbours, Escape closes.
  const viewer = document.getElementById("viewer");
  const parts = [...document.querySelectorAll(".exhibit")];
  let shown = 0;
  const show = (index) => {
    shown = (index + parts.length) % parts.length;
    const part = parts[shown];
    viewer.querySelector(".stage").replaceChildren(...[...part.querySelectorAll(".picture")].map((p) => p.cloneNode(true)));
    viewer.querySelector(".label").replaceChildren(...[...part.querySelector(".label").children].map((c) => c.cloneNode(true)));
  };
  parts.forEach((part, index) => part.querySelector(".pictures").addEventListener("click", () => {
    show(index);
    viewer.showModal();
  }));
  viewer.querySelectorAll("[data-step]").forEach((button) =>
    button.addEventListener("click", () => show(shown + Number(button.dataset.step))));
  viewer.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) show(shown + step);
  });
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => parts[shown].querySelector(".pictures").focus());
})();
