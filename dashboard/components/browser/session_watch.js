// Asks whether the server answers and the user is still logged in. While it does not answer the page
// is covered, and comes back by itself; where the login is over, the browser goes to the login, which
// leads back to here.
const EVERY_MS = 5_000;
const SOON_MS = 1_000;
const PATIENCE_MS = 30_000;
let watching = false;
let words = {};
let failures = 0;
let cover = null;

function show(text) {
  cover ??= document.body.appendChild(document.createElement("div"));
  cover.setAttribute("role", "alert");
  cover.style.cssText =
    "visibility: visible; position: fixed; inset: 0; z-index: 2147483647; display: grid; place-items: center;" +
    "padding: 2rem; text-align: center; font: 1.1rem/1.6 sans-serif; color-scheme: light dark;" +
    "background: light-dark(#ffffff, #0b1319); color: light-dark(#1a2230, #e4e9ee)";
  cover.textContent = text;
  document.body.style.visibility = "hidden"; // dialogs and what is read aloud too
  for (const video of document.querySelectorAll("video")) video.pause();
}

function toLogin() {
  const here = location.pathname + location.search;
  document.body.style.visibility = "hidden";
  location.replace(`/login?next=${encodeURIComponent(here)}`);
}

async function ask() {
  try {
    const answer = await fetch("/session", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 401) return toLogin();
    if (cover) return location.reload();
    failures = 0;
  } catch {
    failures += 1;
    if (failures > 1) show(words.no_answer);
  }
  setTimeout(ask, failures ? SOON_MS : EVERY_MS);
}

export default function ({ data }) {
  words = data;
  if (watching) return;
  watching = true;
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setTimeout(ask, EVERY_MS);
}
