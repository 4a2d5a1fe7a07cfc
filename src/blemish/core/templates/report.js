"use strict";
(() => {
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
