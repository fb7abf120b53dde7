// A strip that is wider than the screen begins with the keyframe that is shown, not with its first.
export default function ({ data }) {
  // The strip comes with this message, or just after it.
  requestAnimationFrame(() => {
    const strip = document.querySelector(".st-key-strip");
    const here = strip?.querySelector("[class*='st-key-card-here-']");
    if (!here || strip.dataset.here === data.here) return;
    strip.dataset.here = data.here;
    const [outer, inner] = [strip, here].map((element) => element.getBoundingClientRect());
    strip.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
  });
}
