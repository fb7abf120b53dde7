// Says in the page's language what Streamlit says of its own in English only: `data.words` has what
// is to stand for each text, {} being the part of it that differs.
const PLACES = [
  "[data-testid=stFileUploaderDropzone]",
  "[data-testid=stDateTimeInputPopoverTime]",
  "[data-testid=InputInstructions]",
  "[role=listbox]",
].join(", ");
const originals = new WeakMap(); // of what was translated: another language may be chosen
let translated = [];
let observing = null;

function pattern(text) {
  const [before, after] = text.split("{}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(after === undefined ? `^${before}$` : `^${before}(.+)${after}$`);
}

function translate(node) {
  const before = originals.get(node);
  const text = before?.own === node.data ? before.english : node.data;
  const match = translated.find(([english]) => english.test(text));
  const own = match?.[1].replace("{}", () => text.match(match[0])[1]);
  if (!match || own === node.data) return;
  originals.set(node, { own, english: text });
  node.data = own;
}

function translateIn(root) {
  const places = root.closest?.(PLACES) ? [root] : (root.querySelectorAll?.(PLACES) ?? []);
  for (const place of places) {
    const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translate(texts.currentNode);
  }
}

export default function ({ data }) {
  translated = Object.entries(data.words).map(([english, own]) => [pattern(english), own]);
  translateIn(document.body);
  observing ??= new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "characterData" && target.parentElement?.closest(PLACES)) translate(target);
      for (const node of addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) translateIn(node);
        else if (node.nodeType === Node.TEXT_NODE && node.parentElement?.closest(PLACES)) translate(node);
      }
    }
  });
  observing.observe(document.body, { childList: true, subtree: true, characterData: true });
}
