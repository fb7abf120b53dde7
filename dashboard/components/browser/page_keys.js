// What the search page does with the keyboard, the clipboard, dropped files and the way back.
const SIDE_PX = 1024;
const CARDS = ".st-key-results .stButton button";
const SENTENCE = ".st-key-search-bar .stTextInput input";
const GESTURES = ["pointerdown", "keydown", "paste", "drop"];
let listening = null;
let mayStep = false;
let left = "";

// Streamlit makes a step back of every part of the address that it sets, and none of a sentence that
// is changed. One gesture is one step: the first change of the address after it, or another sentence.
function stepsBackAreGestures() {
  if (window.sightlineSteps) return;
  const push = (window.sightlineSteps = history.pushState.bind(history));
  history.pushState = (state, title, url) => {
    const step = mayStep ? push : history.replaceState.bind(history);
    mayStep = false;
    return step(state, title, url);
  };
  for (const name of GESTURES) window.addEventListener(name, () => (mayStep = true), { capture: true });
  window.addEventListener("popstate", () => (mayStep = false));
}

function leaveSentence(input) {
  const before = new URLSearchParams(location.search).get("q") ?? "";
  const step = `${location.href} ${input.value.trim()}`;
  if (input.value.trim() === before || step === left) return;
  left = step; // Enter, and then leaving the box, is one
  mayStep = false;
  window.sightlineSteps(history.state, "", location.href); // what comes next replaces it
}

async function shrunk(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.93);
}

function isWriting(element) {
  return element.matches?.("input, textarea, select, video, [contenteditable], [role=slider], [role=tab], [role=radio], [role=combobox], [role=option]");
}

function move(key, cards, from) {
  if (from < 0) return 0;
  if (key === "ArrowLeft") return from - 1;
  if (key === "ArrowRight") return from + 1;
  if (key === "Home") return 0;
  if (key === "End") return cards.length - 1;
  const rect = (card) => card.getBoundingClientRect();
  const top = rect(cards[0]).top;
  const columns = cards.filter((card) => Math.abs(rect(card).top - top) < 4).length;
  return key === "ArrowUp" ? from - columns : from + columns;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const veil = parentElement.querySelector(".veil");
  veil.textContent = data.drop_here;
  listening?.abort();
  const mine = (listening = new AbortController());
  const on = (name, handle) =>
    document.addEventListener(name, handle, { signal: mine.signal, capture: name.startsWith("d") });

  async function send(file) {
    try {
      setTriggerValue("picture", await shrunk(file));
    } catch {
      setTriggerValue("picture", "unreadable");
    }
  }
  stepsBackAreGestures();
  window.addEventListener("popstate", () => (left = ""), { signal: mine.signal });
  for (const name of ["keydown", "focusout"]) {
    // Before Streamlit hears of it, which changes the address.
    document.addEventListener(
      name,
      (event) => {
        const given = name === "focusout" || event.key === "Enter";
        if (given && event.target.matches?.(SENTENCE)) leaveSentence(event.target);
      },
      { signal: mine.signal, capture: true },
    );
  }
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const inUploader = (event) => event.target.closest?.("[data-testid=stFileUploader]");
  const isOpen = () => document.querySelector("[role=dialog] [data-testid=stVerticalBlock]");

  on("paste", (event) => {
    const item = [...(event.clipboardData?.items ?? [])].find((one) => one.type.startsWith("image/"));
    if (!item || isOpen()) return;
    event.preventDefault();
    send(item.getAsFile());
  });
  on("dragover", (event) => {
    if (!carriesFiles(event) || inUploader(event) || isOpen()) return;
    event.preventDefault();
    veil.hidden = false;
  });
  on("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  on("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event) || inUploader(event) || isOpen()) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
  });
  on("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "/" && !isOpen() && !isWriting(document.activeElement)) {
      event.preventDefault();
      document.querySelector(SENTENCE)?.focus();
      return;
    }
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    const active = document.activeElement;
    const cards = [...document.querySelectorAll(CARDS)];
    const from = cards.indexOf(active);
    if (isOpen() || !cards.length || (from < 0 && (active !== document.body || event.key.length < 7))) return;
    if (from < 0 && (isWriting(active) || event.key === "Home" || event.key === "End")) return;
    const card = cards[move(event.key, cards, from)];
    if (!card) return;
    event.preventDefault();
    card.focus();
    card.scrollIntoView({ block: "nearest" });
  });
  return () => mine.abort();
}
