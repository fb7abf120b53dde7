// The check boxes of cards, all of them one element of the page: as one each they delay pictures.
// Shift with a click goes for all cards from the one that was ticked before.
let shown = "";
let anchor = null;
let drawn = null;
let send = null;
let last = 0;
// Changes that the server has not said yet to have heard of; several may be on their way.
let waiting = [];
const told = new WeakMap();

function draw(name, tick) {
  const card = document.querySelector(`.st-key-results .st-key-${CSS.escape(name)}`);
  if (!card) return;
  let box = card.querySelector(":scope > .tick");
  if (!box) {
    box = document.createElement("input");
    box.type = "checkbox";
    box.className = "tick";
    box.addEventListener("click", clicked);
    // Shift with a click marks text, which nobody wants of a tick.
    box.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());
    card.append(box);
  }
  box.dataset.number = tick.number;
  box.ariaLabel = tick.label;
  // What was clicked since stays, unless it became another card or the server changed its mind.
  const now = `${tick.card} ${tick.checked}`;
  if (told.get(box) !== now) box.checked = tick.checked;
  told.set(box, now);
}

function clicked(event) {
  const { checked } = event.target;
  const number = Number(event.target.dataset.number);
  const from = event.shiftKey && anchor !== null ? anchor : number;
  anchor = number;
  const [first, until] = [Math.min(from, number), Math.max(from, number)];
  for (const box of document.querySelectorAll(".st-key-results .tick")) {
    const between = Number(box.dataset.number);
    if (first <= between && between <= until) box.checked = checked;
  }
  waiting.push({ n: ++last, shown, first, last: until, ticked: checked });
  send("changes", [...waiting]);
}

export default function ({ data, setStateValue }) {
  if (shown !== data.shown) anchor = null;
  shown = data.shown;
  send = setStateValue;
  last = Math.max(last, data.heard);
  waiting = waiting.filter((change) => change.n > data.heard);
  const mine = (drawn = {});
  for (const box of document.querySelectorAll(".tick")) {
    const names = Object.keys(data.ticks).map((name) => `st-key-${name}`);
    if (!names.some((name) => box.parentElement.classList.contains(name))) box.remove();
  }
  for (const [name, tick] of Object.entries(data.ticks)) draw(name, tick);
  return () => {
    // Streamlit may use a card's place on the page for something else.
    queueMicrotask(() => {
      if (drawn === mine) document.querySelectorAll(".tick").forEach((box) => box.remove());
    });
  };
}
