// A rectangle over a picture: drawn, moved and resized by mouse, finger or arrow keys. Regions that
// are stored of it are drawn as well: a click, or Enter on one, makes the rectangle the same.
const LEAST = 0.04;
const STEP = 0.02;
const CLICK_PX = 4;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export default function ({ data, parentElement, setStateValue }) {
  const frame = parentElement.querySelector(".frame");
  const image = frame.querySelector("img");
  const box = frame.querySelector(".box");
  if (image.src !== data.picture) image.src = data.picture;
  image.alt = data.alt;
  frame.style.setProperty("--ratio", data.ratio);
  box.setAttribute("aria-label", data.label);
  frame.sides ??= data.region ?? [0.25, 0.25, 0.75, 0.75];
  let sides = frame.sides;
  const stored = data.stored ?? [];
  const buttons = stored.map(({ label, sides: [left, top, right, bottom] }, number) => {
    const list = frame.querySelector(".stored");
    const button = list.children[number] ?? list.appendChild(document.createElement("button"));
    button.type = "button";
    button.setAttribute("aria-label", label);
    place(button, [left, top, right, bottom]);
    button.onclick = () => choose(number);
    return button;
  });

  function place(element, [left, top, right, bottom]) {
    element.style.left = `${left * 100}%`;
    element.style.top = `${top * 100}%`;
    element.style.width = `${(right - left) * 100}%`;
    element.style.height = `${(bottom - top) * 100}%`;
  }
  function choose(number) {
    sides = stored[number].sides;
    draw();
    commit();
  }
  // The smallest stored region at a point: what lies within a larger one can be chosen as well.
  function storedAt([x, y]) {
    const area = ({ sides: [left, top, right, bottom] }) => (right - left) * (bottom - top);
    const there = stored.filter(
      ({ sides: [left, top, right, bottom] }) => left <= x && x <= right && top <= y && y <= bottom,
    );
    return stored.indexOf(there.sort((one, other) => area(one) - area(other))[0]);
  }
  function draw() {
    frame.sides = sides;
    place(box, sides);
    buttons.forEach((button, number) => {
      const same = stored[number].sides.every((side, at) => Math.abs(side - sides[at]) < 0.001);
      button.setAttribute("aria-pressed", String(same));
    });
  }
  function commit() {
    frame.waiting = undefined;
    setStateValue("region", sides.map((side) => Math.round(side * 1000) / 1000));
  }
  function at(event) {
    const rect = frame.getBoundingClientRect();
    return [
      clamp((event.clientX - rect.left) / rect.width, 0, 1),
      clamp((event.clientY - rect.top) / rect.height, 0, 1),
    ];
  }
  function between([ax, ay], [bx, by]) {
    return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  }
  function moved(dx, dy) {
    const [left, top, right, bottom] = sides;
    const x = clamp(dx, -left, 1 - right);
    const y = clamp(dy, -top, 1 - bottom);
    return [left + x, top + y, right + x, bottom + y];
  }

  frame.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    box.focus();
    frame.setPointerCapture(event.pointerId);
    const before = sides;
    const start = at(event);
    const corner = event.target.dataset.corner;
    const [left, top, right, bottom] = sides;
    const fixed = corner && [corner.includes("w") ? right : left, corner.includes("n") ? bottom : top];
    const moves = event.target === box;
    frame.onpointermove = (moving) => {
      const now = at(moving);
      if (moves) {
        sides = before;
        sides = moved(now[0] - start[0], now[1] - start[1]);
      } else {
        sides = between(fixed ?? start, now);
      }
      draw();
    };
    frame.onpointerup = frame.onpointercancel = (ended) => {
      frame.onpointermove = frame.onpointerup = frame.onpointercancel = null;
      const far = Math.hypot(ended.clientX - event.clientX, ended.clientY - event.clientY);
      const clicked = far < CLICK_PX && !corner && ended.type === "pointerup" ? storedAt(start) : -1;
      if (clicked >= 0) return choose(clicked);
      if (sides[2] - sides[0] < LEAST || sides[3] - sides[1] < LEAST) sides = before;
      draw();
      if (sides !== before) commit();
    };
  };
  box.onkeydown = (event) => {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const [left, top, right, bottom] = sides;
    sides = event.shiftKey
      ? [left, top, clamp(right + by[0], left + LEAST, 1), clamp(bottom + by[1], top + LEAST, 1)]
      : moved(...by);
    draw();
    clearTimeout(frame.waiting);
    frame.waiting = setTimeout(commit, 300);
  };
  box.onblur = () => {
    if (frame.waiting === undefined) return;
    clearTimeout(frame.waiting);
    commit();
  };
  draw();
}
