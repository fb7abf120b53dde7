// Shift with a tick goes for all cards from the one that was ticked before.
const CARD = ".st-key-results [class*='st-key-card-']";
let shown = "";
let anchor = null;
let listening = null;

function numberOf(card) {
  const name = [...card.classList].find((one) => one.startsWith("st-key-card-"));
  return Number(name.split("-").pop());
}

export default function ({ data, setTriggerValue }) {
  if (shown !== data.shown) anchor = null;
  shown = data.shown;
  listening?.abort();
  const mine = (listening = new AbortController());
  document.addEventListener(
    "click",
    (event) => {
      const box = event.target.closest?.(".stCheckbox");
      const card = box?.closest(CARD);
      if (!card) return;
      const from = anchor;
      anchor = numberOf(card);
      if (!event.shiftKey || from === null || from === anchor) return;
      const [first, last] = [Math.min(from, anchor), Math.max(from, anchor)];
      // The others become what this one becomes, which it is once the click was handled.
      requestAnimationFrame(() => {
        setTriggerValue("range", { first, last, ticked: box.querySelector("input").checked });
      });
    },
    { signal: mine.signal, capture: true },
  );
  // Shift with a click marks text, which nobody wants of a tick.
  document.addEventListener(
    "mousedown",
    (event) => {
      if (event.shiftKey && event.target.closest?.(`${CARD} .stCheckbox`)) event.preventDefault();
    },
    { signal: mine.signal, capture: true },
  );
  return () => mine.abort();
}
