"""How small a thing a search finds, with whole pictures alone and with regions.

``python -m benchmarks regions [--stills 220] [--clips 97] [--folder KEPT]`` renders scenes that the
demo encoder never saw at 1280x720, their things smaller by a factor: as stills, and as clips of 7 s
in which they slide in before an empty place. They go through the real ingest, store and search, and
precision@5 is printed for sentences about one object and about two attributes. Boxes are as the
proposers find them. ``--folder`` keeps what is rendered, and takes what is there; ``--picture``
draws the curves that docs/figures.md shows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import altair as alt
import av
import numpy as np
from PIL import Image

import sightline
from sightline import IngestOptions
from sightline.demo.footage import ClipRenderer
from sightline.demo.scenes.facts import Sentence
from sightline.demo.scenes.render import render_scene
from sightline.demo.scenes.scenes import Scene, extent
from sightline.demo.scenes.tracks import Clip
from sightline.demo.training.evaluate import SEED, make_sentences
from sightline.demo.training.sampling import sample_scene

FACTORS = (1.0, 0.5, 0.33, 0.2)
WIDTH, HEIGHT = 1280, 720
PICTURES, EMPTY_PICTURES, STEP_MS = 14, 6, 500
#: Sentences are true of so many scenes at least: fewer of the clips, of which there are fewer.
RELEVANT = {"stills": 6, "clips": 5}
WAYS = {"stills": ("off", "tiles"), "clips": ("off", "motion")}
HITS = 60


def scenes(count: int) -> list[Scene]:
    """Return scenes with things in them, never rendered for training."""
    rng = np.random.default_rng(SEED + 7)
    found: list[Scene] = []
    while len(found) < count:
        scene = sample_scene(rng)
        if scene.things:
            found.append(scene)
    return found


def shrunk(scene: Scene, factor: float) -> Scene:
    """Return a scene whose things are smaller, each somewhere on its ground."""
    if factor == 1.0:
        return scene
    rng = np.random.default_rng((scene.seed, 99))
    things = []
    for thing in scene.things:
        size = thing.at.size * factor
        half = extent(thing)[0] * size * 9 / 16 / 2
        x = float(rng.uniform(0.03 + half, 0.97 - half))
        y = float(rng.uniform(0.45, 0.93))
        things.append(replace(thing, at=replace(thing.at, x=x, y=y, size=size)))
    return replace(scene, things=tuple(things))


@dataclass(frozen=True, slots=True)
class _SlidingIn(Clip):
    """A clip of an empty place, before which a scene's things then slide in."""

    scene: Scene | None = None

    def scene_at(self, t_ms: int, *, seen: float = 0.0) -> Scene:
        """Return the scene at a moment."""
        assert self.scene is not None
        number = round(t_ms / STEP_MS)
        if number < EMPTY_PICTURES:
            return replace(self.scene, things=())
        ahead = (min(number, 12) - 9) * 0.012
        moved = (
            replace(thing, at=replace(thing.at, x=thing.at.x + ahead * thing.at.facing))
            for thing in self.scene.things
        )
        return replace(self.scene, things=tuple(moved))


def write_clip(scene: Scene, path: Path, number: int) -> None:
    """Write a clip in which a scene's things slide in; whole or not at all."""
    start = datetime(2026, 1, 1 + number % 28, 12, tzinfo=UTC)
    clip = _SlidingIn(
        f"c{number:04d}", scene.place, scene.light, scene.weather, start,
        scene.seed, (), scene=scene,
    )  # fmt: skip
    renderer = ClipRenderer(clip, WIDTH, HEIGHT)
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=1000 // STEP_MS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 2
        stream.options = {"crf": "23", "preset": "superfast", "threads": "1"}
        for picture in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(renderer.frame(picture * STEP_MS), format="rgb24")
            frame.pts = picture
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    part.replace(path)


def rendered(folder: Path, what: str, shown: Sequence[Scene], factor: float) -> list[Path]:
    """Return the files of scenes at a factor; rendered where they are not there."""
    place = folder / what / f"x{factor:g}"
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, scene in enumerate(shown):
        is_still = what == "stills"
        path = place / (f"s{number:04d}.jpg" if is_still else f"c{number:04d}.mp4")
        if not path.exists() and is_still:
            picture = render_scene(shrunk(scene, factor), WIDTH, HEIGHT, stamped=False)
            Image.fromarray(picture).save(path, quality=92)
        elif not path.exists():
            write_clip(shrunk(scene, factor), path, number)
        paths.append(path)
    return paths


def precision(
    library: sightline.Library, sentences: Sequence[Sentence], shown: Sequence[Scene]
) -> float:
    """Return the share of the first five scenes found of which a sentence is true, on average."""
    shares = []
    for sentence in sentences:
        found = [
            int(Path(hit.entity.uri).stem[1:]) for hit in library.search(sentence.text, k=HITS)
        ]
        first = list(dict.fromkeys(found))[:5]
        shares.append(sum(sentence.holds(shown[number]) for number in first) / 5)
    return float(np.mean(shares))


@dataclass(frozen=True, slots=True)
class Share:
    """Precision@5 of sentences of a kind, on stills or clips whose things are so many times as
    large, with a way to propose regions.
    """

    what: str
    way: str
    sentences: str
    factor: float
    precision: float


def measure(folder: Path, what: str, count: int, way: str, factors: Sequence[float]) -> list[Share]:
    """Print and return how a way to propose regions does on stills or clips at each factor."""
    measured = []
    shown = scenes(count)
    groups = make_sentences(shown, relevant=RELEVANT[what], two_attributes=80)
    asked = {name: groups[name] for name in ("one_object", "two_attributes")}
    sizes = ", ".join(f"{len(sentences)} {name}" for name, sentences in asked.items())
    print(f"{what}, {way}: {count} scenes, {sizes}", flush=True)
    for factor in factors:
        paths = rendered(folder, what, shown, factor)
        with tempfile.TemporaryDirectory() as data, sightline.open(Path(data)) as workspace:
            library = workspace.library("regions")
            began = time.monotonic()
            library.ingest(paths, IngestOptions(regions=way, read="off"))
            seconds = time.monotonic() - began
            got = [precision(library, sentences, shown) for sentences in asked.values()]
        measured += [
            Share(what, way, name, factor, share) for name, share in zip(asked, got, strict=True)
        ]
        said = ", ".join(f"{share:.3f}" for share in got)
        print(f"  x{factor:g}: {said}  (ingest {seconds:.0f} s)", flush=True)
    return measured


def draw(measured: Sequence[Share], path: Path) -> None:
    """Write the curves as a picture: PNG or SVG, by the name's ending."""
    titles = {"one_object": "one object", "two_attributes": "two attributes"}
    rows = [
        {
            "what": share.what,
            "regions": share.way,
            "sentences about": titles[share.sentences],
            "size of things": share.factor,
            "precision@5": share.precision,
        }
        for share in measured
    ]
    curves = (
        alt.Chart(alt.Data(values=rows), width=300, height=260)
        .mark_line(point=True)
        .encode(
            x=alt.X("size of things:Q", scale=alt.Scale(type="log", domain=[0.18, 1.1])).axis(
                values=list(FACTORS), format=".2~f"
            ),
            y=alt.Y("precision@5:Q", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "regions:N",
                scale=alt.Scale(
                    domain=["off", "motion", "tiles"], range=["#8a8f98", "#0f766e", "#b45309"]
                ),
            ),
            strokeDash=alt.StrokeDash("sentences about:N", legend=alt.Legend(symbolType="stroke")),
            column=alt.Column("what:N", title=None),
        )
    )
    curves.configure(background="white").save(str(path), scale_factor=2)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="regions", description=__doc__)
    parser.add_argument("--stills", type=int, default=220, help="how many; 0 for none")
    parser.add_argument("--clips", type=int, default=97, help="how many; 0 for none")
    parser.add_argument("--factors", type=float, nargs="+", default=FACTORS)
    parser.add_argument("--folder", type=Path, help="where what is rendered is kept")
    parser.add_argument("--picture", type=Path, help="where the curves are drawn, PNG or SVG")
    options = parser.parse_args()
    measured: list[Share] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        for what, count in (("stills", options.stills), ("clips", options.clips)):
            for way in WAYS[what] if count else ():
                measured += measure(folder, what, count, way, options.factors)
    if options.picture:
        draw(measured, options.picture)


if __name__ == "__main__":
    main()
