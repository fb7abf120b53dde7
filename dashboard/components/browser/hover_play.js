// A card of a video plays a few seconds, without sound, while the pointer rests on it, or at P while
// it has the focus. Nothing is loaded before.
const REST_MS = 300;
const PLAYS_S = 6;
const CARD = "[class*='st-key-card-']";
const stillness = matchMedia("(prefers-reduced-motion: reduce)");
let listening = null;
let waiting = null;
let over = null;
let playing = null;

function stop() {
  clearTimeout(waiting);
  if (!playing) return;
  playing.video.removeAttribute("src"); // what is still on its way is not waited for
  playing.video.load();
  playing.video.remove();
  playing = null;
}

function start(card, [address, start_s]) {
  const image = card.querySelector("img");
  if (!image) return;
  stop();
  const video = document.createElement("video");
  playing = { card, video };
  Object.assign(video, { muted: true, playsInline: true, disablePictureInPicture: true });
  video.setAttribute("aria-hidden", "true");
  const [outer, inner] = [card, image].map((element) => element.getBoundingClientRect());
  Object.assign(video.style, {
    position: "absolute",
    left: `${inner.left - outer.left - card.clientLeft}px`,
    top: `${inner.top - outer.top - card.clientTop}px`,
    width: `${inner.width}px`,
    height: `${inner.height}px`,
    objectFit: "contain",
    background: "#0b0f14",
    pointerEvents: "none",
    visibility: "hidden", // the still is seen until there is more
  });
  video.onplaying = () => (video.style.visibility = "visible");
  video.onerror = () => playing?.video === video && stop();
  video.onended = video.onerror;
  video.ontimeupdate = () => video.currentTime > start_s + PLAYS_S && video.onerror();
  card.append(video);
  video.src = `${address}#t=${start_s}`;
  video.play().catch(() => {}); // it was stopped before it began
}

export default function ({ data }) {
  listening?.abort();
  stop();
  over = null;
  const mine = (listening = new AbortController());
  const on = (name, handle) => document.addEventListener(name, handle, { signal: mine.signal });
  const named = (card) => [...(card?.classList ?? [])].find((name) => name.startsWith("st-key-card-"));
  const moment = (card) => data.moments[named(card)?.slice("st-key-".length)];

  on("pointerover", (event) => {
    const card = event.pointerType === "mouse" ? event.target.closest?.(CARD) : null;
    if (card === over) return;
    over = card;
    stop();
    if (!moment(card) || stillness.matches) return;
    waiting = setTimeout(() => start(card, moment(card)), REST_MS);
  });
  document.documentElement.addEventListener("pointerleave", () => ((over = null), stop()), { signal: mine.signal });
  on("pointerdown", stop);
  on("focusout", (event) => playing?.card.contains(event.target) && stop());
  on("keydown", (event) => {
    if (event.key.toLowerCase() !== "p" || event.ctrlKey || event.metaKey || event.altKey) return;
    const button = document.activeElement?.closest?.(".stButton button");
    const card = button?.closest(CARD);
    if (!moment(card)) return;
    if (playing?.card === card) stop();
    else start(card, moment(card));
  });
  return () => {
    mine.abort();
    stop();
  };
}
