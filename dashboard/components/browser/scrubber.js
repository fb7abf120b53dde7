// A slim histogram: a click, a finger along it, or arrows go to the time of one of its bars.
const WAIT_MS = 300;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".scrubber");
  const row = root.querySelector(".bars");
  const [begins, said, ends] = root.querySelectorAll(".words > *");
  const { bars, slots } = data; // of each bar: its slot, height (0 to 1) and words
  let at = data.chosen; // the bar that is gone to, by its place among those there are; null for none
  clearTimeout(root.waiting);

  row.replaceChildren(
    ...bars.map((bar) => {
      const drawn = document.createElement("i");
      drawn.style.left = `${(100 * bar.slot) / slots}%`;
      drawn.style.width = `${100 / slots}%`;
      drawn.style.height = `${Math.max(8, 100 * bar.height)}%`;
      return drawn;
    }),
  );
  begins.textContent = data.begins;
  ends.textContent = data.ends;
  root.setAttribute("aria-label", data.label);
  root.setAttribute("aria-valuemin", 0);
  root.setAttribute("aria-valuemax", bars.length - 1);

  function draw(over = null) {
    const shown = over ?? at;
    [...row.children].forEach((drawn, place) => {
      drawn.classList.toggle("chosen", place === at);
      drawn.classList.toggle("over", place === over);
    });
    said.textContent = shown === null ? "" : bars[shown].words;
    root.setAttribute("aria-valuenow", at ?? bars.length - 1);
    root.setAttribute("aria-valuetext", at === null ? data.nothing : bars[at].words);
  }
  function go(to, wait = 0) {
    at = to;
    draw();
    clearTimeout(root.waiting);
    if (to === data.chosen) return;
    root.waiting = setTimeout(() => setTriggerValue("chosen", to === null ? "none" : String(to)), wait);
  }
  function nearest(event) {
    const rect = row.getBoundingClientRect();
    const slot = ((event.clientX - rect.left) / rect.width) * slots - 0.5;
    const far = (place) => Math.abs(bars[place].slot - slot);
    return bars.reduce((best, _bar, place) => (far(place) < far(best) ? place : best), 0);
  }

  root.onpointermove = (event) => {
    const place = nearest(event);
    if (root.hasPointerCapture(event.pointerId)) at = place;
    draw(place);
  };
  root.onpointerleave = () => draw();
  root.onpointerdown = (event) => {
    if (event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    root.again = nearest(event) === data.chosen; // what is clicked again is let go
    at = nearest(event);
    draw(at);
  };
  root.onpointerup = (event) => {
    if (!root.hasPointerCapture(event.pointerId)) return;
    root.releasePointerCapture(event.pointerId);
    go(root.again && at === data.chosen ? null : at);
  };
  root.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const last = bars.length - 1;
    const to = {
      ArrowLeft: at === null ? last : at - 1,
      ArrowDown: at === null ? last : at - 1,
      ArrowRight: at === null ? last : at + 1,
      ArrowUp: at === null ? last : at + 1,
      Home: 0,
      End: last,
      Escape: null,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(to === null ? null : clamp(to, 0, last), WAIT_MS);
  };
  draw();
}
