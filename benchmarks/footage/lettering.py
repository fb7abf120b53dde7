"""How well lettering is read: rendered words by their height in pixels, and what it costs.

    python -m benchmarks lettering [--words 30] [--photos FOLDER]

Names and plates drawn by chance are lettered on lorries of rendered scenes, by day and by night,
and with Chinese words on boards before them, at given heights of their capitals; a word counts
where a line says exactly it. Lenses are drawn by chance: what is blurred by more than a tenth of
its height counts as out of focus, and apart. Last it says, for each half of the words, how many are
found, look-alikes and one wrong character allowed, and how many other lines there are, at each
least confidence: the shipped one is chosen on the one half, and has to hold on the other. With
``--photos`` a folder of photographs and its table of words (``FOLDER-words.tsv``: file, query,
kind) are searched as a library is: how often a query's photograph comes first.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ingest.media.lettering.reader import LEAST_CONFIDENCE, Reader
from search_core.schema.lettering import Line, Wording, stored_lines
from sightline.demo.scenes.render import blur_px, render_scene
from sightline.demo.scenes.scenes import Light, Placement, Scene, Vehicle, ground_y

SIZE = (640, 360)
HEIGHTS_PX = (48, 32, 24, 16, 12)
LIGHTS: tuple[Light, ...] = ("day", "night")
#: Lenses that blur by more than this of the capitals' height are out of focus.
FOCUS = 0.1
CONFIDENCES = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_CHINESE_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
)
_NAMES = (
    "FERN", "JCN", "LUMA", "NORDWEST", "HARBOUR", "BAKERY", "TRANSIT", "ZULIA", "QUARRY", "VISTA",
    "MARKET", "GLASS", "KESTREL", "OAKLEY", "PACIFIC", "STOP", "TAXI", "EXIT", "ISTANBUL", "BRIDGE",
)  # fmt: skip
_CHINESE = (
    "停车场", "出口", "入口", "中国邮政", "顺丰速运", "大门", "超市", "餐厅", "医院", "银行",
    "地铁站", "消防通道", "禁止停车", "欢迎光临", "收费处",
)  # fmt: skip
#: A word and the lines read on its picture.
_Read: TypeAlias = tuple[str, list[Line]]
_LETTERS, _DIGITS = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"


def words(count: int, rng: np.random.Generator) -> list[str]:
    """Return names and plates drawn by chance, half of each."""
    plates = [
        "".join(rng.choice(list(_LETTERS), 2)) + "".join(rng.choice(list(_DIGITS), 4))
        for _ in range(count - count // 2)
    ]
    return [*rng.choice(_NAMES, count // 2, replace=count // 2 > len(_NAMES)), *plates]


def on_lorry(word: str, light: Light, height_px: int, seed: int) -> tuple[Image.Image, bool] | None:
    """Return a lorry with a word of this height, and whether it is in focus.

    None where the lorry would be too large.
    """
    size = 0.45
    for _ in range(3):
        vehicle = Vehicle(Placement(0.5, ground_y(size), size, 1, 0.0), "lorry", "blue", word, seed)
        scene = Scene("loading_dock", light, "clear", (vehicle,), seed)
        lettered = np.asarray(render_scene(scene, *SIZE, stamped=False), np.int16)
        bare = replace(scene, things=(replace(vehicle, lettering=None),))
        unlettered = np.asarray(render_scene(bare, *SIZE, stamped=False), np.int16)
        differs = np.abs(lettered - unlettered).max(axis=2)
        rows = np.flatnonzero((differs > 60).sum(axis=1) > 1)
        found_px = int(np.ptp(rows)) + 1 if len(rows) else 0
        if not found_px:
            return None
        if abs(found_px - height_px) <= 1:
            break
        size *= height_px / found_px
        if size > 1.1:
            return None
    in_focus = blur_px(scene, SIZE[1]) <= FOCUS * height_px
    return Image.fromarray(lettered.astype(np.uint8)), in_focus


def on_sign(
    word: str, light: Light, height_px: int, seed: int, font: ImageFont.FreeTypeFont
) -> Image.Image:
    """Return a view with a word on a board, as a camera's JPEG has it."""
    scene = Scene("junction", light, "clear", (), seed)
    image = Image.fromarray(render_scene(scene, *SIZE, stamped=False))
    left, top, right, bottom = font.getbbox(word)
    scale = 4 * height_px / (bottom - top)
    fitted = font.font_variant(size=max(4, round(font.size * scale)))
    left, top, right, bottom = fitted.getbbox(word)
    wide, high = round(right - left), round(bottom - top)
    board = Image.new("RGB", (wide + 4 * height_px, high + 4 * height_px), (30, 70, 50))
    ImageDraw.Draw(board).text(
        (2 * height_px - left, 2 * height_px - top), word, fill=(235, 235, 225), font=fitted
    )
    board = board.resize((board.width // 4, board.height // 4), Image.Resampling.LANCZOS)
    if light == "night":
        board = board.point(lambda level: round(level * 0.45))
    rng = np.random.default_rng(seed)
    across = int(rng.integers(0, max(1, SIZE[0] - board.width)))
    down = int(rng.integers(0, max(1, SIZE[1] - board.height)))
    image.paste(board, (across, down))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    pixels += rng.normal(0, 4, pixels.shape)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    return Image.open(file).convert("RGB")


def pictures(
    count: int, height_px: int, light: Light
) -> Iterator[tuple[int, str, str, Image.Image]]:
    """Yield a word's number, what it is on, the word, and the picture."""
    latin = ImageFont.load_default(64)
    assert isinstance(latin, ImageFont.FreeTypeFont)
    chinese = [ImageFont.truetype(path, 64) for path in _CHINESE_FONTS if Path(path).exists()]
    for seed, word in enumerate(words(count, np.random.default_rng(height_px))):
        if (lorry := on_lorry(word, light, height_px, seed)) is not None:
            yield seed, "lorry in focus" if lorry[1] else "lorry out of focus", word, lorry[0]
        yield seed, "sign", word, on_sign(word, light, height_px, seed, latin)
    for seed, word in enumerate(_CHINESE[:count] if chinese else ()):
        yield seed, "Chinese sign", word, on_sign(word, light, height_px, seed, chinese[0])


def by_height(count: int, heights: Sequence[int], lights: Sequence[Light]) -> None:
    """Print how many words are read exactly, by what they are on, the light and their height."""
    reader, cpu_s = Reader(CONFIDENCES[0]), 0.0
    read: tuple[list[_Read], list[_Read]] = [], []
    for height_px, light in product(heights, lights):
        right: dict[str, list[bool]] = defaultdict(list)
        wrong: list[str] = []
        for number, on, word, image in pictures(count, height_px, light):
            began_s = time.process_time()
            every = reader.read(image)
            cpu_s += time.process_time() - began_s
            read[number % 2].append((word, every))
            lines = [line.text for line in every if line.confidence >= LEAST_CONFIDENCE]
            right[on].append(word in lines)
            wrong += [] if word in lines else [f"{word} {lines}"]
        said = "  ".join(f"{on} {sum(was)} of {len(was)}" for on, was in sorted(right.items()))
        print(f"{height_px:3} px, {light:6} {said}  {'; '.join(wrong[:4])}", flush=True)
    total = sum(map(len, read))
    print(f"{total} pictures of {SIZE}: {cpu_s / total:.2f} s of a core each")
    for name, half in zip(("first", "other"), read, strict=True):
        print(f"{name} half, {len(half)} pictures: least confidence, found, other lines, F1")
        for least in CONFIDENCES:
            print(f"  {least:.2f}", *_at_confidence(half, least))


def _at_confidence(read: Sequence[_Read], least: float) -> tuple[int, int, float]:
    """Return how many words are found and how many other lines there are, and the F1 of that."""
    found = others = 0
    for word, lines in read:
        wording = Wording((word,))
        sure = [line for line in lines if line.confidence >= least]
        says = [line for line in sure if wording.reading(stored_lines([line])) is not None]
        found += bool(says)
        others += len(sure) - len(says)
    return found, others, round(2 * found / (found + others + len(read)), 4)


def photographs(folder: Path) -> None:
    """Print how many queries of a folder's table find their photograph first."""
    from ingest.options import IngestOptions
    from search_core.search.engine import Query
    from search_core.settings import Settings
    from sightline.workspace import Workspace

    with (folder.parent / f"{folder.name}-words.tsv").open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        rows = list(csv.DictReader(lines, delimiter="\t"))
    first: dict[str, list[bool]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as made,
        Workspace(Settings(data_dir=Path(made), model="sightline-demo")) as workspace,
    ):
        library = workspace.library("main")
        report = library.ingest([folder], IngestOptions())
        print(report.read.summary if report.read else report.unread)
        for row in rows:
            name, query, kind = row["file"], row["query"], row["kind"]
            hits = library.answer(Query(lettering=(query,)), k=10).hits
            found = [Path(hit.entity.uri).name for hit in hits]
            first[kind].append(found[:1] == [name])
            if found[:1] != [name]:
                print(f"  {kind}: {query!r} in {name} finds {found}")
    for kind, said in first.items():
        print(f"{kind}: {sum(said)} of {len(said)} at rank 1")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=30)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--heights", type=int, nargs="+", default=HEIGHTS_PX)
    parser.add_argument("--lights", nargs="+", default=LIGHTS, choices=LIGHTS)
    asked = parser.parse_args()
    if asked.photos is not None:
        photographs(asked.photos)
    if asked.words:
        by_height(asked.words, asked.heights, asked.lights)


if __name__ == "__main__":
    main()
