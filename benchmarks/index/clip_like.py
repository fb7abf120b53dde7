"""Made vectors that lie as CLIP's do, any number of them, streamed.

They share a mean direction (mean cosine 0.42 between any two) and the variance of the i-th
principal direction falls about as 1/i, turned at random so that no axis is special. On
well-separated clusters every index looks perfect; on these the neighbours of a query are spread
over many clusters, as CLIP's are: 100,000 x 512 in 316 lists, faiss finds 0.20, 0.65, 0.92 and 1.00
of the ten nearest at nprobe 1, 8, 32 and 128.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from search_core.encoders.base import Embeddings

BLOCK_ROWS = 10_000
#: The mean direction's length beside a spread of length 1; cosines are MEAN² / (1 + MEAN²).
MEAN = 0.84
#: The exponent of the falling variances, fitted to give the recalls above.
DECAY = 0.95


class ClipLike:
    """Vectors of one such space: unit length, float32; row i is the same however many are made."""

    def __init__(self, dim: int = 512, seed: int = 0) -> None:
        self.dim = dim
        self.seed = seed
        rng = np.random.default_rng(seed)
        turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
        spread = (1.0 + np.arange(dim)) ** (-DECAY / 2)
        self._basis = (spread[:, None] / np.linalg.norm(spread) * turn).astype(np.float32)
        mean = rng.normal(size=dim)
        self._mean = (MEAN * mean / np.linalg.norm(mean)).astype(np.float32)

    def blocks(self, rows: int, start: int = 0) -> Iterator[Embeddings]:
        """Yield rows ``start`` to ``rows`` in order, (n, dim) each, n up to BLOCK_ROWS."""
        for first in range(start - start % BLOCK_ROWS, rows, BLOCK_ROWS):
            block = self._draw((self.seed, 0, first // BLOCK_ROWS), BLOCK_ROWS)
            yield block[max(0, start - first) : rows - first]

    def queries(self, count: int) -> Embeddings:
        """Return queries (count, dim) from the same space, none of them a row."""
        return self._draw((self.seed, 1), count)

    def sentences(self, count: int) -> Embeddings:
        """Return queries (count, dim) as far from the rows as CLIP's sentences are from pictures.

        They have another mean, and cosines of about 0.25 to their nearest rows (Liang and others,
        Mind the Gap, 2022).
        """
        points = self._draw((self.seed, 2), count)
        away = np.random.default_rng((self.seed, 3)).standard_normal(self.dim, dtype=np.float32)
        away -= away @ self._mean / (self._mean @ self._mean) * self._mean
        points = 0.35 * points + away / np.linalg.norm(away)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return points

    def write(self, path: Path, rows: int) -> Embeddings:
        """Return the first ``rows`` as a read-only map of a raw float32 file, made when missing."""
        size = rows * self.dim * 4
        if not path.exists() or path.stat().st_size != size:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                for block in self.blocks(rows):
                    block.tofile(file)
            unfinished.replace(path)
        return np.memmap(path, dtype=np.float32, mode="r", shape=(rows, self.dim))

    def _draw(self, key: tuple[int, ...], count: int) -> Embeddings:
        rng = np.random.default_rng(key)
        points: Embeddings = rng.standard_normal((count, self.dim), dtype=np.float32) @ self._basis
        points += self._mean
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return points
