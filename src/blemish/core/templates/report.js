"use strict";
(() => {
  // Charts take the page's colours, on light ground, dark ground and paper alike.
  const charts = [...document.querySelectorAll(".chart")].map((element) => {
    const source = element.querySelector("script");
    const figure = JSON.parse(source.textContent);
    source.remove();
    return { element, figure };
  });
  const paper = { ink: "#000", grid: "#ddd" };
  const screenColours = () => {
    const style = getComputedStyle(document.documentElement);
    return { ink: style.getPropertyValue("--ink").trim(), grid: style.getPropertyValue("--grid").trim() };
  };
  const coloured = (layout, { ink, grid }) => {
    const axes = Object.entries(layout).filter(([name]) => /^[xy]axis\d*$/.test(name))
      .map(([name, axis]) => [name, { ...axis, gridcolor: grid, linecolor: grid }]);
    return { ...layout, ...Object.fromEntries(axes), font: { ...layout.font, color: ink } };
  };
  const draw = (colours) => Promise.all(charts.map(({ element, figure }) =>
    Plotly.react(element, figure.data, coloured(figure.layout, colours), { displayModeBar: false, responsive: true })));
  draw(screenColours()).then(() => document.documentElement.setAttribute("data-drawn", charts.length));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(screenColours()));
  addEventListener("beforeprint", () => { draw(paper); charts.forEach(({ element }) => Plotly.Plots.resize(element)); });
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
