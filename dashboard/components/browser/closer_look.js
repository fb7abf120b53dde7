// Looks closer at what an opened moment shows: zoom, speed, and single frames of its video.
const PICTURE = ".st-key-moment-picture";
const MOST_ZOOM = 8;
const PAN_PX = 60;
const EDGE_S = 0.002; // less than any frame lasts
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4, 8];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const shownAt = new WeakMap(); // the time (s) of the frame that a video shows
const tick = (ms) => new Promise((done) => setTimeout(done, ms));
let listening = null;
let speed = 1;
let view = { of: null, zoom: 1, x: 0, y: 0 };
let stepping = false;

const video = () => document.querySelector(`${PICTURE} video`);
const shown = () => video() ?? document.querySelector(`${PICTURE} .stImage img`);

function isWriting(event) {
  return event
    .composedPath()[0]
    .matches?.("input:not([type=checkbox]), textarea, select, [contenteditable=true], [role=combobox], [role=slider]");
}

// A frame is known by the time that the browser says it is of: exact, whatever the rate.
function watch(player) {
  if (!player?.requestVideoFrameCallback || shownAt.has(player)) return;
  shownAt.set(player, player.currentTime);
  const seen = (now, frame) => {
    shownAt.set(player, frame.mediaTime);
    player.dispatchEvent(new Event("sightlineframe"));
    player.requestVideoFrameCallback(seen);
  };
  player.requestVideoFrameCallback(seen);
}

async function seek(player, to) {
  const drawn = new Promise((done) => player.addEventListener("sightlineframe", done, { once: true }));
  const there = new Promise((done) => player.addEventListener("seeked", done, { once: true }));
  player.currentTime = clamp(to, 0, player.duration || to);
  await there;
  await Promise.race([drawn, tick(200)]); // the same frame again may not be told
}

// The frame before is shown just before this one's time. The next begins a frame's length after it,
// or later, where the rate varies: it is looked for from there on, in ever longer strides, and then
// back to the first that is another.
async function step(by, frame) {
  const player = video();
  if (!player || stepping) return;
  stepping = true;
  try {
    if (!player.paused) {
      player.pause();
      await tick(60);
    }
    const now = () => shownAt.get(player) ?? player.currentTime;
    const from = now();
    if (by < 0) return await seek(player, from - EDGE_S);
    let to = from + 1.5 * frame;
    for (let stride = frame; ; stride *= 2) {
      await seek(player, to);
      if (now() > from + EDGE_S || !(to < player.duration)) break;
      to += stride;
    }
    for (let found = now(); found > from + 1.1 * frame; found = now()) {
      await seek(player, found - EDGE_S);
      if (now() < from + EDGE_S) return await seek(player, found + EDGE_S);
    }
  } finally {
    stepping = false;
  }
}

function box(media) {
  const rect = media.getBoundingClientRect();
  return {
    wide: media.offsetWidth,
    high: media.offsetHeight,
    x: rect.left + rect.width / 2 - view.x,
    y: rect.top + rect.height / 2 - view.y,
  };
}

function draw() {
  const media = shown();
  if (!media) return;
  const { wide, high } = box(media);
  view.x = clamp(view.x, (-wide * (view.zoom - 1)) / 2, (wide * (view.zoom - 1)) / 2);
  view.y = clamp(view.y, (-high * (view.zoom - 1)) / 2, (high * (view.zoom - 1)) / 2);
  const near = view.zoom > 1;
  media.style.transform = near ? `translate(${view.x}px, ${view.y}px) scale(${view.zoom})` : "";
  media.style.cursor = near ? "grab" : "";
  media.style.touchAction = near ? "none" : "pan-x pan-y"; // two fingers zoom it, not the page
  media.parentElement.style.overflow = near ? "hidden" : "";
  if (media.tagName === "VIDEO") media.controls = !near; // they would be as large, and out of sight
}

function zoomTo(zoom, at) {
  const media = shown();
  if (!media) return;
  const middle = box(media);
  const [x, y] = at ? [at.clientX - middle.x, at.clientY - middle.y] : [0, 0];
  const now = clamp(zoom, 1, MOST_ZOOM);
  view.x = x - ((x - view.x) * now) / view.zoom;
  view.y = y - ((y - view.y) * now) / view.zoom;
  view.zoom = now;
  draw();
}

const apart = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
const between = ([one, other]) => ({
  clientX: (one.clientX + other.clientX) / 2,
  clientY: (one.clientY + other.clientY) / 2,
});

function clock(seconds) {
  const ms = Math.round(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  const head = hours ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${head}:${two(Math.floor(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}

export default function ({ data, parentElement }) {
  const find = (name) => parentElement.querySelector(`[data-do=${name}]`);
  const select = parentElement.querySelector("select");
  const time = parentElement.querySelector("output");
  listening?.abort();
  const mine = (listening = new AbortController());
  const on = (name, handle, options = {}) =>
    document.addEventListener(name, handle, { signal: mine.signal, capture: true, ...options });
  if (view.of !== data.of) view = { of: data.of, zoom: 1, x: 0, y: 0 };

  for (const [name, text] of Object.entries(data.words)) {
    const control = find(name) ?? select;
    control.title = text;
    control.setAttribute("aria-label", text);
  }
  select.replaceChildren(...SPEEDS.map((one) => new Option(`${one}×`, one)));

  function tell() {
    const player = video();
    parentElement.querySelector(".video").hidden = !player || !data.frame_s;
    find("reset").textContent = `${Math.round(view.zoom * 100)} %`;
    find("out").disabled = view.zoom <= 1;
    find("in").disabled = view.zoom >= MOST_ZOOM;
    select.value = speed;
    if (!player) return;
    find("play").dataset.now = player.paused ? "paused" : "playing";
    time.textContent = clock(shownAt.get(player) ?? player.currentTime);
  }
  function setSpeed(to) {
    speed = to;
    const player = video();
    if (player) player.playbackRate = speed;
    tell();
  }
  function faster(by) {
    setSpeed(SPEEDS[clamp(SPEEDS.indexOf(speed) + by, 0, SPEEDS.length - 1)]);
  }
  function play() {
    const player = video();
    if (player?.paused) player.play();
    else player?.pause();
  }
  function zoom(to, at) {
    zoomTo(to, at);
    tell();
  }
  const does = {
    back: () => step(-1, data.frame_s),
    on: () => step(1, data.frame_s),
    play,
    out: () => zoom(view.zoom / 1.5),
    in: () => zoom(view.zoom * 1.5),
    reset: () => zoom(1),
  };
  parentElement.querySelector(".bar").onclick = (event) =>
    does[event.target.closest("[data-do]")?.dataset.do]?.();
  let pointed = false;
  select.onpointerdown = () => (pointed = true);
  select.onkeydown = () => (pointed = false);
  select.onchange = () => {
    setSpeed(Number(select.value));
    if (pointed) select.blur(); // or arrows would go on changing it
  };

  // A video comes with this message or just after it, and another in its place without one.
  const isShown = (event) => event.target instanceof Element && event.target === shown();
  for (const name of ["loadedmetadata", "play", "pause", "seeked", "sightlineframe"]) {
    on(name, (event) => {
      if (!isShown(event)) return;
      watch(event.target);
      if (event.target.playbackRate !== speed) event.target.playbackRate = speed;
      if (name === "loadedmetadata") draw();
      tell();
    });
  }
  on(
    "wheel",
    (event) => {
      if (!isShown(event)) return;
      const scrolls = view.zoom === 1 && (event.deltaY > 0 || event.target.closest("[role=dialog]")?.scrollTop > 0);
      if (scrolls && !event.ctrlKey) return; // the page
      event.preventDefault();
      zoom(view.zoom * Math.exp(-event.deltaY / 400), event);
    },
    { passive: false },
  );
  let held = null;
  on("pointerdown", (event) => {
    if (!isShown(event) || view.zoom === 1 || event.button !== 0) return;
    event.preventDefault();
    held = { x: event.clientX - view.x, y: event.clientY - view.y, moved: false };
    event.target.setPointerCapture(event.pointerId);
  });
  on("pointermove", (event) => {
    if (!held) return;
    const [x, y] = [event.clientX - held.x, event.clientY - held.y];
    held.moved ||= Math.hypot(x - view.x, y - view.y) > 3;
    if (held.moved) Object.assign(view, { x, y });
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    on(name, () => {
      if (held && !held.moved) play();
      held = null;
    });
  }
  let pinch = null;
  on(
    "touchstart",
    (event) => {
      if (event.touches.length !== 2 || !isShown(event)) return;
      event.preventDefault();
      held = null;
      pinch = { apart: apart(event.touches), zoom: view.zoom };
    },
    { passive: false },
  );
  on(
    "touchmove",
    (event) => {
      if (!pinch || event.touches.length !== 2) return;
      event.preventDefault();
      zoom((pinch.zoom * apart(event.touches)) / pinch.apart, between(event.touches));
    },
    { passive: false },
  );
  for (const name of ["touchend", "touchcancel"]) on(name, () => (pinch = null));
  on("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !shown() || isWriting(event)) return;
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (pans && event.shiftKey && view.zoom > 1) {
      view.x += pans[0] * PAN_PX;
      view.y += pans[1] * PAN_PX;
      draw();
    } else {
      const does_ = { "+": does.in, "=": does.in, "-": does.out, 0: does.reset }[event.key];
      const plays = { ",": does.back, ".": does.on, "<": () => faster(-1), ">": () => faster(1) }[event.key];
      if (!does_ && !(plays && video() && data.frame_s)) return;
      (does_ ?? plays)();
    }
    event.preventDefault();
    event.stopPropagation();
  });

  requestAnimationFrame(() => {
    watch(video());
    if (video()) video().playbackRate = speed;
    draw();
    tell();
  });
  tell();
  return () => mine.abort();
}
