"use strict";
(() => {
  const { specs, themes } = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let drawn = Promise.resolve();

  async function draw() {
    const name = dark.matches ? "dark" : "light";
    for (const place of document.querySelectorAll("[data-chart]")) {
      await vegaEmbed(place, specs[Number(place.dataset.chart)], {
        actions: false,
        config: themes[name],
        mode: "vega-lite",
        renderer: "svg",
        tooltip: { theme: "page" },
      });
    }
    document.documentElement.dataset.drawn = name;
  }

  const next = () => { drawn = drawn.then(draw); };
  dark.addEventListener("change", next);
  next();
})();
