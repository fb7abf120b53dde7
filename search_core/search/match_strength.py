"""Whether a hit is a match, or only the least unlike of what there is.

Every vector search returns something, and its scores mean something else for every sentence. A
score is therefore held against what the same sentence scores over a random background of the
library; and a sentence that tells its pictures hardly apart, or that lies where the encoder puts
what it does not know, is believed less. So is one whose best picture other sentences fit better:
"a green bus" finds the red one, which "a red bus" would say of it. How much each of these says is
an encoder's own: it is fitted on sentences about what is there and what is not
(``python -m benchmarks relevance``).

A verdict belongs to sentence, picture and library: background and best picture are those of the
whole library, whatever filter, k or user a search has.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from operator import mul

import numpy as np

from search_core.encoders.base import Embeddings, Encoder
from search_core.encoders.catalogue import Calibration, find_encoder
from search_core.errors import EntityNotFound
from search_core.indexes import SearchParams
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.folding import RAW, Folding, Scales, measured_scales
from search_core.store.library import LibraryInfo, Match, Store, chunks_where

#: How many hits a plain search asks for. A sentence's best picture is the first of those: an
#: approximate index may find another first where it looks for more or fewer.
PLAIN_K = 50
#: So many pictures drawn by chance tell a sentence's mean score to 3 % of its deviation.
BACKGROUND_ROWS = 1000
#: So many keyframes drawn by chance tell how their regions score beside whole pictures.
SCALE_KEYFRAMES = 300
#: A background is believed so long; it changes as slowly as a library does.
FRESH_S = 600.0
#: From here on a hit is a match; calibrations are fitted to it.
MATCH = 0.5
#: Scores of pictures fall off where one is so much further from 1 than the one before, as a share.
#: On the demo library 92 % of what is above such a fall shows what the picture does, of all 17 %.
LEAST_FALL = 0.15
_MOST_KEPT = 32
#: What people ask of footage, as many things as words: sentences are held against their middle.
ORDINARY = (
    "a person", "a car", "a dog", "a bus", "a bicycle", "an empty street", "a red car",
    "a blue lorry", "a white van", "a yellow taxi", "a black pick-up", "a green bus",
    "a person in a red top", "a man in blue trousers", "a woman with a black bag",
    "a person with an umbrella", "someone running", "a person riding a bicycle",
    "a person on a motorcycle", "a person lying on the ground", "two people walking",
    "a brown dog running", "a white dog sitting", "a person at night", "a car in the snow",
    "a van in the rain", "a lorry at a loading dock", "a car in a car park", "a bus at dusk",
    "a person in a shop", "a person at the gate", "a lorry with letters on it",
)  # fmt: skip
_COLOURS = (
    "red", "blue", "green", "yellow", "white", "black", "grey", "orange", "purple", "brown",
    "silver",
)  # fmt: skip
_COLOURED = (
    "{} car", "{} van", "{} bus", "{} lorry", "{} taxi", "{} pick-up", "{} dog",
    "person in a {} top", "person in {} trousers", "person with a {} umbrella",
    "person in a {} hat",
)  # fmt: skip
#: What else might be said of a picture.
RIVALS = ORDINARY + tuple(f"a {thing.format(each)}" for thing in _COLOURED for each in _COLOURS)


@dataclass(frozen=True, slots=True)
class Background:
    """What one sentence scores: at best, over a library at large, and beside other sentences.

    ``ordinary`` is its cosine to the middle of what people ask, ``nearest`` to the nearest of its
    rivals; ``outdone`` is the share of rivals that its best picture answers better, 0 to 1.
    ``unknown`` is the share of its words that mean nothing to the encoder (see prompts).
    """

    best: float
    mean: float
    deviation: float
    ordinary: float
    nearest: float
    outdone: float
    unknown: float = 0.0

    def signs(self) -> tuple[float, ...]:
        """Return what a calibration weighs, in the order of its fields.

        Of what most pictures show none stands out: ``z`` means less the higher the mean is.
        """
        z = (self.best - self.mean) / self.deviation if self.deviation else 0.0
        return (
            *(self.best, z, self.mean, self.deviation, self.ordinary, self.nearest, self.outdone),
            *(self.mean * self.mean, self.mean * z, self.unknown),
        )

    def strengths(self, scores: Sequence[float], calibration: Calibration) -> list[float]:
        """Return how sure a hit of each of these scores is a match, 0 to 1; from MATCH on it is."""
        *weights, bias, fall = astuple(calibration)
        best = bias + sum(map(mul, weights, self.signs()))
        slope = fall / self.deviation if self.deviation else 0.0
        logits = (best - slope * (self.best - score) for score in scores)
        return [1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit)))) for logit in logits]


def background_of(
    embedding: Embeddings, best: Embeddings, drawn: Embeddings, rivals: Embeddings, unknown: float
) -> Background:
    """Return how a sentence's embedding (dim,) does beside pictures ``drawn`` by chance (n, dim).

    ``best`` (dim,) is its best picture, ``rivals`` (r, dim) are the embeddings of `RIVALS`.
    """
    scores = drawn @ embedding
    middle = rivals[: len(ORDINARY)].mean(axis=0)
    return Background(
        best=float(best @ embedding),
        mean=float(scores.mean()),
        deviation=float(scores.std()),
        ordinary=float(middle @ embedding),
        nearest=float((rivals @ embedding).max()),
        outdone=float((rivals @ best > best @ embedding).mean()),
        unknown=unknown,
    )


def sure_before_fall(scores: Sequence[float]) -> int | None:
    """Return how many scores, best first, come before they fall off; None where they do not."""
    falls = [(before - after) / max(1.0 - after, 1e-6) for before, after in pairwise(scores)]
    largest = max(range(len(falls)), key=falls.__getitem__, default=None)
    return largest + 1 if largest is not None and falls[largest] >= LEAST_FALL else None


class Relevance:
    """Match strengths for one encoder's sentences; safe to share between threads.

    ``clock`` returns seconds. Encoders without a calibration get none: a cutoff nobody measured
    would hide what is there.
    """

    def __init__(
        self, encoder: Encoder, store: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        spec = find_encoder(encoder.identity.name)
        self.calibration = spec.calibration if spec is not None else None
        self._encoder = encoder
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._drawn: dict[str, tuple[float, Embeddings]] = {}
        self._measured: dict[str, tuple[float, Scales]] = {}
        self._rivals: Embeddings | None = None
        self.folding = Folding(store, self._scales)

    def warm_up(self) -> None:
        """Encode what every sentence is held against, that the first need not wait for it."""
        if self.calibration is not None:
            with self._lock:
                self._encoded_rivals()

    def drawn(self, library: LibraryInfo) -> Embeddings:
        """Return the embeddings (n, dim) of pictures drawn from the whole library by chance."""
        with self._lock:
            return self._background_of(library)

    def background(
        self,
        library: LibraryInfo,
        embedding: Embeddings,
        first: Match | None = None,
        unknown: float = 0.0,
    ) -> Background | None:
        """Return how a sentence's embedding (dim,) does at large; None in an empty library.

        ``first`` is what a plain search of the whole library found first, where it was made;
        ``unknown`` is the share of the sentence's words that the encoder does not know.
        Raises StoreError when Milvus fails.
        """
        with self._lock:
            drawn = self._background_of(library)
            rivals = self._encoded_rivals()
        best = self._best_of(library, embedding, first)
        if best is None or not len(drawn):
            return None
        return background_of(embedding, best, drawn, rivals, unknown)

    def _scales(self, library: LibraryInfo) -> Scales:
        """Return how regions' scores compare with whole pictures', measured anew now and then."""
        with self._lock:
            measured_s, scales = self._measured.get(library.collection, (0.0, RAW))
            if measured_s and self._clock() - measured_s < FRESH_S:
                return scales
            rivals = self._encoded_rivals()
            keyframes = self._store.count(library.name, fresh=False)
            scales = measured_scales(self._some_keyframes(library), rivals, keyframes)
            if len(self._measured) >= _MOST_KEPT:
                self._measured.clear()
            self._measured[library.collection] = (self._clock(), scales)
            return scales

    def _some_keyframes(self, library: LibraryInfo) -> list[tuple[MediaEntity, Embeddings]]:
        """Return keyframes drawn by chance with all their regions, each with its embedding."""
        drawn = self._store.vectors(library.name, limit=SCALE_KEYFRAMES)
        ids = tuple(entity.id for page in drawn for entity in page.entities)
        return [
            row
            for page in chunks_where(self._store, library.name, Filter(ids=ids))
            for row in zip(page.entities, page.embeddings, strict=True)
        ]

    def _best_of(
        self, library: LibraryInfo, embedding: Embeddings, first: Match | None
    ) -> Embeddings | None:
        """Return the embedding (dim,) of the library's best picture for a sentence."""
        if first is None:
            as_plain = library.search_params(None, PLAIN_K)
            k = PLAIN_K if "refine_k" in as_plain else 1  # handing out rows takes longest
            params = SearchParams.from_dict(as_plain)
            [found] = self._store.search(library.name, embedding[None, :], k=k, params=params)
            if not found:
                return None
            first = found[0]
        try:
            return self._store.embedding(library.name, first.entity.frame_id or first.entity.id)
        except EntityNotFound:  # deleted since it was found
            return None

    def _background_of(self, library: LibraryInfo) -> Embeddings:
        drawn_s, drawn = self._drawn.get(library.collection, (0.0, None))
        if drawn is not None and self._clock() - drawn_s < FRESH_S:
            return drawn
        pages = self._store.vectors(library.name, limit=BACKGROUND_ROWS)
        found = [page.embeddings for page in pages]
        drawn = np.concatenate(found) if found else np.empty((0, library.encoder.dim), np.float32)
        if len(self._drawn) >= _MOST_KEPT:
            self._drawn.clear()
        self._drawn[library.collection] = (self._clock(), drawn)
        return drawn

    def _encoded_rivals(self) -> Embeddings:
        if self._rivals is None:
            self._rivals = self._encoder.encode_texts(RIVALS)
        return self._rivals
