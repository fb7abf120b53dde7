"""What is left out of a query: sentences, and pictures of two kinds.

Looking for something without something else is one vector too, which is all Milvus searches by.
From the query q goes, times the weight, what an unwanted u has that q has not: u - (u·q) q. So what
both share is kept: red cars can be left out of cars, and all text's likeness to all text does not
count. Of six formulas and weights (benchmarks/without.py; 51 cases such as "a car" without "red",
500 scenes of known contents): right ones among the first ten 0.83 with nothing left out, 0.914 with
this at 0.4 and with q - 0.3 u alike; but at weight 1 still 0.83, where q - u falls to 0.65.

That ranks; what was left out would still be the end of the answer. So pictures are dropped that are
hardly nearer to what is wanted than to what is not: by less than a share of what the difference
varies over the library. (The share measured is under "left out" in docs/figures.md.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings, l2_normalised

#: The weight that ranked the right ones first most often.
WITHOUT_WEIGHT = 0.4
#: In deviations of the difference over the library. Of 0 to 1.25 in steps of a quarter, and of
#: cosines and standardised scores beside it, this kept most right ones for those it dropped.
LEAST_NEARER = 0.75
#: A picture shows more than what it was chosen for, so that it counts half of what words do. Of
#: 0.25 to 1 this ranked right ones first most often: of 61 cases and 1,000 scenes
#: (benchmarks/without.py) 0.94 and 0.97 of the first ten with one and three pictures chosen, for
#: 0.88 and 0.91 with none and 0.89 and 0.91 at 1; in both halves of the cases.
PICTURE_SHARE = 0.5
#: In deviations over the library: by how much more a picture looks like one that is left out than
#: what is wanted fits it. 0 dropped an eighth of the right ones, 1 hardly any of the others.
LEAST_ALIKE = 0.5


def leave_out(wanted: Embeddings, unwanted: Embeddings, weights: float | Embeddings) -> Embeddings:
    """Return ``wanted`` (dim,) without each of ``unwanted`` (n, dim), all of length 1.

    ``weights``, 0 to 1, one for all or (n,), say how strongly.
    """
    shared = unwanted @ wanted
    rest = unwanted - shared[:, None] * wanted
    taken = (np.broadcast_to(weights, len(rest))[:, None] * rest).sum(axis=0)
    return l2_normalised(wanted - taken.astype(wanted.dtype))


def stays(
    embeddings: Embeddings,
    background: Embeddings,
    wanted: Embeddings,
    unwanted: Embeddings,
    least_nearer: float = LEAST_NEARER,
) -> NDArray[np.bool_]:
    """Return which of ``embeddings`` (n, dim) show what is wanted rather than what is not (n,).

    ``background`` (m, dim) is the library at large; ``wanted`` (dim,), ``unwanted`` (u, dim).
    """
    towards = (wanted - unwanted).T
    least = least_nearer * (background @ towards).std(axis=0)
    kept: NDArray[np.bool_] = (embeddings @ towards >= least).all(axis=1)
    return kept


def looks_like(
    embeddings: Embeddings, background: Embeddings, wanted: Embeddings, pictures: Embeddings
) -> NDArray[np.bool_]:
    """Return which of ``embeddings`` (n, dim) look like one of ``pictures`` (p, dim) (n,).

    Those that stand out of the library more for a picture than for what is ``wanted`` (dim,), by
    `LEAST_ALIKE`. Each likeness is measured in its own deviations over the ``background`` (m, dim):
    a picture is nearer to any picture than a sentence is.
    """
    if not len(pictures):
        return np.zeros(len(embeddings), np.bool_)
    towards = np.concatenate([wanted[None, :], pictures]).T
    at_large = background @ towards
    standing = (embeddings @ towards - at_large.mean(axis=0)) / (at_large.std(axis=0) + 1e-9)
    alike: NDArray[np.bool_] = (standing[:, 1:] > standing[:, :1] + LEAST_ALIKE).any(axis=1)
    return alike


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Embeddings (n, dim) of what is left out of a query: sentences, and pictures of two kinds."""

    texts: Embeddings
    less_like: Embeddings
    not_like: Embeddings

    @property
    def is_nothing(self) -> bool:
        """Whether there is none."""
        return not (len(self.texts) or len(self.less_like) or len(self.not_like))

    def taken_from(self, wanted: Embeddings, weight: float) -> Embeddings:
        """Return ``wanted`` (dim,) without it: pictures of a kind count as one, their mean."""
        if self.is_nothing:
            return wanted
        pictures = [
            l2_normalised(some.mean(axis=0))[None, :]
            for some in (self.less_like, self.not_like)
            if len(some)
        ]
        shares = [1.0] * len(self.texts) + [PICTURE_SHARE] * len(pictures)
        weights = weight * np.array(shares, np.float32)
        return leave_out(wanted, np.concatenate([self.texts, *pictures]), weights)
