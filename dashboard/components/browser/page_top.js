// Turning a page leaves the view at the pager, below the grid: what was turned to begins at its top.
const GRID = ".st-key-results";
let before = null;

export default function ({ data }) {
  const turned = before?.shown === data.shown && before.page !== data.page;
  before = data;
  if (!turned) return;
  // The new pictures come with this message, or just after it.
  requestAnimationFrame(() => {
    const grid = document.querySelector(GRID);
    if (!grid || grid.getBoundingClientRect().top >= 0) return;
    grid.scrollIntoView({ block: "start" });
    // A button that turned to the last page is disabled then, and holds the focus no more.
    const active = document.activeElement;
    if (active === document.body || active?.closest(".st-key-pager")) {
      grid.querySelector(".stButton button, input")?.focus({ preventScroll: true });
    }
  });
}
