"""Looking for something without something else, as one vector, which is all Milvus searches by.

From the query q goes, times the weight, what an unwanted u has that q has not: u - (u·q) q. So what
both share is kept: red cars can be left out of cars, and all text's likeness to all text does not
count. Of six formulas and weights (benchmarks/without.py; 51 cases such as "a car" without "red",
500 scenes of known contents): right ones among the first ten 0.83 with nothing left out, 0.914 with
this at 0.4 and with q - 0.3 u alike; but at weight 1 still 0.83, where q - u falls to 0.65.
"""

from __future__ import annotations

from search_core.encoders.base import Embeddings, l2_normalised

#: The weight that ranked the right ones first most often.
WITHOUT_WEIGHT = 0.4


def leave_out(wanted: Embeddings, unwanted: Embeddings, weight: float) -> Embeddings:
    """Return ``wanted`` (dim,) without each of ``unwanted`` (n, dim), all of length 1.

    ``weight``, 0 to 1, says how strongly.
    """
    shared = unwanted @ wanted
    rest = (unwanted - shared[:, None] * wanted).sum(axis=0)
    return l2_normalised(wanted - weight * rest)
