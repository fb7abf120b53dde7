"""Ingest from end to end beside the bare encoder on the same batches, on photographs and on video.

The encoder of an ingest keeps every batch it is given; then the same encoder embeds them again with
nothing around it. They take turns; the medians count. On a CPU the decoders share the cores with
the encoder: where both keep all cores busy no ingest is faster than the encoder's share of all
processor seconds, which is told as the bound. The paced encoder stands for one on a GPU: it takes
its time and none of the processor's.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.footage.static_footage import rare_passages, write_static
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport
from search_core.encoders.base import (
    Embeddings,
    Encoder,
    EncoderIdentity,
    Pixels,
    Preprocess,
    l2_normalised,
)
from search_core.encoders.openclip import OpenClipEncoder, ensure_torchvision_ops
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore

_PHOTO_PX = {"1080p": (1920, 1080), "12 MP": (4000, 3000)}


class PacedEncoder:
    """Embeds a given number of images a second, by waiting; what it returns means nothing."""

    def __init__(self, images_per_s: float) -> None:
        self.identity = EncoderIdentity("paced", "", "0" * 32, 512, "fp32")
        self.preprocess = Preprocess((224, 224))
        self._images_per_s = images_per_s
        self._rng = np.random.default_rng(0)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Return random embeddings (n, 512) when it is time."""
        time.sleep(len(pixels) / self._images_per_s)
        return l2_normalised(self._rng.normal(size=(len(pixels), 512)))

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return random embeddings (n, 512) when it is time."""
        return self.encode_pixels([self.preprocess(image) for image in images])

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        """Return random embeddings (n, 512) at once."""
        return l2_normalised(self._rng.normal(size=(len(texts), 512)))


class KeepingEncoder:
    """An encoder that keeps the batches it was given."""

    def __init__(self, encoder: Encoder) -> None:
        self.kept: list[list[Pixels]] = []
        self._encoder = encoder
        self.identity = encoder.identity
        self.preprocess = encoder.preprocess

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Embed pixels, and keep them."""
        self.kept.append(list(pixels))
        return self._encoder.encode_pixels(pixels)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed images."""
        return self._encoder.encode_images(images)

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        """Embed texts."""
        return self._encoder.encode_texts(texts, templates)

    def again(self) -> None:
        """Embed the kept batches once more."""
        for batch in self.kept:
            self._encoder.encode_pixels(batch)


def write_photos(folder: Path, number: int, size: tuple[int, int]) -> Path:
    """Write JPEG photographs of noisy made scenes, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(0).normal(0, 6, (size[1], size[0], 1))
    for index in range(number):
        name = folder / f"{index:04}.jpg"
        if not name.exists():
            rng = np.random.default_rng(index)
            coarse = rng.integers(0, 256, (27, 48, 3), dtype=np.uint8)
            smooth = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
            noisy = np.clip(np.asarray(smooth) + np.roll(grain, rng.integers(size[1]), 0), 0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(name, quality=90)
    return folder


def blind(model: str, folder: Path) -> OpenClipEncoder:
    """Return an open_clip model with weights made up by chance, kept in ``folder``.

    It is as fast as the one whose weights have to be downloaded.
    """
    ensure_torchvision_ops()
    import open_clip
    from safetensors.torch import save_file

    place = folder / model
    name = f"local-dir:{place}"
    if not (place / "open_clip_model.safetensors").exists():
        place.mkdir(parents=True, exist_ok=True)
        third = [0.5, 0.5, 0.5]
        preprocess = {"mean": third, "std": third}
        config = {"model_cfg": open_clip.get_model_config(model), "preprocess_cfg": preprocess}
        (place / "open_clip_config.json").write_text(json.dumps(config))
        weights = open_clip.create_model(name).state_dict()
        save_file(weights, str(place / "open_clip_model.safetensors"))
    return OpenClipEncoder(name)


def cpu_s() -> float:
    """Return the processor seconds of this process and its ended children."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the processor seconds that ``run`` took."""
    began_s, began_cpu_s = time.perf_counter(), cpu_s()
    run()
    return time.perf_counter() - began_s, cpu_s() - began_cpu_s


def compare(encoder: KeepingEncoder, name: str, media: Path, repeats: int, table: Table) -> None:
    """Add a row: end to end and bare, and where the time went."""
    bare: list[tuple[float, float]] = []
    whole: list[tuple[float, float]] = []
    reports: list[IngestReport] = []
    for _ in range(repeats):
        encoder.kept = []
        whole.append(timed(lambda: reports.append(_ingested(encoder, media))))
        bare.append(timed(encoder.again))
    images = sum(len(batch) for batch in encoder.kept)
    if not images:
        raise SystemExit(f"{media} holds nothing that can be embedded.")
    seconds = [statistics.median(run[0] for run in runs) for runs in (bare, whole)]
    cpu = [statistics.median(run[1] for run in runs) for runs in (bare, whole)]
    stages = reports[-1].stages
    table.add_row(
        name,
        f"{images}",
        f"{images / seconds[0]:.1f}",
        f"{images / seconds[1]:.1f}",
        f"{seconds[0] / seconds[1]:.2f}",
        f"{cpu[0] / cpu[1]:.2f}",
        f"{1000 * (cpu[1] - cpu[0]) / images:.1f}",
        " ".join(f"{stage} {spent:.1f}" for stage, spent in stages.items()),
    )


def _ingested(encoder: KeepingEncoder, media: Path) -> IngestReport:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        store = MilvusStore(Endpoint(str(settings.milvus_lite_dir)))
        try:
            return ingest(
                [str(media)],
                IngestOptions(keyframes="iframe"),
                settings=settings,
                store=store,
                encoder=encoder,
                library="main",
            )
        finally:
            store.close()


def made_media(folder: Path, photos: int, minutes: float) -> dict[str, Path]:
    """Return made photographs and a made video by what they are, written where they are missing."""
    media = {
        f"photographs, {size}": write_photos(folder / f"{px[0]}", photos, px)
        for size, px in _PHOTO_PX.items()
    }
    video = folder / "video" / "static.mp4"
    if not video.exists():
        video.parent.mkdir(parents=True, exist_ok=True)
        write_static(video, 60 * minutes, rare_passages(60 * minutes))
    return media | {"video, 1080p, codec keyframes": video}


def main() -> None:
    """Make the media where they are missing, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=10.0, help="of 1080p video")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--paced", type=float, default=40.0, help="images/s of the paced encoder")
    parser.add_argument("--only", default="", help="encoders with this in their name")
    parser.add_argument(
        "--media", type=Path, help="a file or folder of yours, instead of made ones"
    )
    parser.add_argument("--folder", type=Path, help="keeps the media between runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = options.folder or Path(scratch)
        media = (
            {options.media.name: options.media}
            if options.media
            else made_media(folder, options.photos, options.minutes)
        )
        encoders: dict[str, Callable[[], Encoder]] = {
            "sightline-demo": lambda: OpenClipEncoder("sightline-demo"),
            "ViT-B-32": partial(blind, "ViT-B-32", folder),
            "ViT-L-14": partial(blind, "ViT-L-14", folder),
            f"paced, {options.paced:g} images/s": lambda: PacedEncoder(options.paced),
        }
        for title, load in encoders.items():
            if options.only not in title:
                continue
            encoder = KeepingEncoder(load())
            table = Table(title=title, title_justify="left")
            columns = (
                "images",
                "bare/s",
                "ingest/s",
                "ratio",
                "bound",
                "other CPU ms",
                "stages, s",
            )
            for column in ("", *columns):
                table.add_column(column, justify="right")
            for name, path in media.items():
                compare(encoder, name, path, options.repeats, table)
            Console(width=140).print(table)


if __name__ == "__main__":
    main()
