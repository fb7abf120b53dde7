"""Print how Sightline's stages compare with the naive way and with the floor, as ratios.

``make bench`` runs it. All contenders take turns in one process, the medians of the interleaved
repeats are compared, and 1.00 is the contender named as the floor, so that a busy machine moves all
of them alike.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

REPEATS = 7


def interleaved(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return each contender's median seconds over REPEATS turns, after one turn to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(REPEATS + 1):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(title: str, medians: Mapping[str, float], floor: str, per: int, unit: str) -> None:
    """Print one comparison: milliseconds per ``unit`` and the ratio to the floor."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column(f"ms / {unit}", justify="right")
    table.add_column("ratio to the floor", justify="right")
    for name, value in medians.items():
        table.add_row(name, f"{value / per * 1000:.3f}", f"{value / medians[floor]:.2f}")
    Console().print(table)


def preprocessing() -> None:
    """Compare Preprocess with open_clip's torchvision transform on 1080p JPEG photographs."""
    from search_core.encoders.base import Preprocess
    from search_core.encoders.openclip import ensure_torchvision_ops

    ensure_torchvision_ops()
    from open_clip.transform import image_transform

    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (54, 96, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((1920, 1080), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    theirs = image_transform((224, 224), is_train=False)
    ours = Preprocess((224, 224))

    def shrunk() -> object:
        image = Image.open(buffer)
        image.draft("RGB", (448, 448))
        return ours(image)

    medians = interleaved(
        {
            "decode alone": lambda: Image.open(buffer).load(),
            "open_clip's transform": lambda: theirs(Image.open(buffer)),
            "Preprocess": lambda: ours(Image.open(buffer)),
            "Preprocess, shrink on load": shrunk,
        }
    )
    show("From JPEG to encoder input, 1080p", medians, "decode alone", 1, "image")


def encoding() -> None:
    """Compare OpenClipEncoder with the bare forward pass of the same model, 64 images."""
    import torch

    from search_core.encoders.openclip import OpenClipEncoder

    encoder = OpenClipEncoder("sightline-demo")
    import open_clip

    model = open_clip.create_model(f"local-dir:{_demo_weights()}").eval()
    height, width = encoder.preprocess.size
    rng = np.random.default_rng(0)
    pixels = list(rng.integers(0, 256, (64, height, width, 3), dtype=np.uint8))
    # The layout the encoder feeds it, and the faster one.
    ready = torch.randn(32, 3, height, width).to(memory_format=torch.channels_last)

    def bare() -> object:
        with torch.inference_mode():
            return [model.encode_image(ready) for _ in range(2)]

    medians = interleaved(
        {"bare forward pass": bare, "OpenClipEncoder": lambda: encoder.encode_pixels(pixels)}
    )
    show("Embedding images", medians, "bare forward pass", 64, "image")


def searching(rows: int = 5_000, dim: int = 192) -> None:
    """Compare SearchEngine's store with a raw pymilvus call and with NumPy, on Milvus Lite."""
    from pymilvus import MilvusClient

    from search_core.encoders.base import EncoderIdentity, l2_normalised
    from search_core.indexes import SearchParams
    from search_core.schema.entity import MediaEntity
    from search_core.store.endpoint import Endpoint
    from search_core.store.milvus.store import MilvusStore

    rng = np.random.default_rng(0)
    clumps = rng.normal(size=(rows // 20, dim))[rng.integers(0, rows // 20, rows)]
    vectors = l2_normalised(
        rng.normal(size=dim) + 0.7 * clumps + 0.6 * rng.normal(size=(rows, dim))
    )
    entities = [
        MediaEntity(f"k{i}", "s", "frame", "v.mp4", "cam", i, "file", i, 0, 1, 1, "t.jpg", 0)
        for i in range(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = MilvusStore(Endpoint(str(Path(folder) / "milvus.db")))
        info = store.ensure_library("main", EncoderIdentity("e", "", "0" * 32, dim, "fp32"))
        store.upsert("main", entities, vectors)
        store.settle("main")
        client: MilvusClient = store.session.client
        query, options = vectors[:1], {"metric_type": "COSINE", "params": {"ef": 64}}

        def raw(fields: list[str]) -> object:
            return client.search(
                info.collection,
                query.tolist(),
                limit=50,
                output_fields=fields,
                search_params=options,
            )

        medians = interleaved(
            {
                "NumPy, exact, ids only": lambda: np.argsort(-(vectors @ query[0]))[:50],
                "raw pymilvus, ids only": lambda: raw(["id"]),
                "raw pymilvus, all fields": lambda: raw(["*"]),
                "MilvusStore.search": lambda: store.search(
                    "main", query, k=50, params=SearchParams(ef=64)
                ),
            }
        )
        store.close()
    show(f"One search, k 50, HNSW, {rows} rows", medians, "raw pymilvus, all fields", 1, "search")


def _demo_weights() -> Path:
    from search_core.encoders.catalogue import ENCODERS, packaged_weights

    return packaged_weights(ENCODERS[0])


if __name__ == "__main__":
    preprocessing()
    encoding()
    searching()
