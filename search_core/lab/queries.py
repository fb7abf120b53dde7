"""The queries of a comparison: as like those people ask as can be had.

Sentences lie elsewhere in the space of the embeddings than stored pictures do, so that an index
finds their neighbours less easily: the two are measured apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from search_core.encoders.base import Embeddings, l2_normalised
from search_core.lab.records import QueryKind
from search_core.lab.vector_spool import VectorSpool
from search_core.messages import Message
from search_core.search.query_log import RecordedQuery

Encode = Callable[[Sequence[str]], Embeddings]
#: Fewer recorded searches than this say too little of what is asked for.
FEW_RECORDED = 20
#: A vector held out is one the index does not hold: no more than this share of a library.
HELD_OUT_SHARE = 0.1
_NOISE = 0.3

_SUBJECTS = (
    "a person", "a man in a dark jacket", "a woman with a red bag", "two people", "a child",
    "a person in a yellow vest", "someone with an umbrella", "a cyclist", "a dog", "a white van",
    "a red car", "a black car", "a blue truck", "a bus", "a motorcycle", "a delivery van",
)  # fmt: skip
_DOINGS = (
    "", "waiting", "standing still", "moving away", "passing by", "close to the camera",
)  # fmt: skip
_PLACES = (
    "at the gate", "in the car park", "on the pavement", "at a crossing", "at the loading dock",
    "in front of a shop", "in a corridor", "at the entrance",
)  # fmt: skip
_TIMES = ("", "at night", "in the rain", "in bright sunlight", "at dusk", "in the snow")


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries of one kind: their embeddings (q, dim), of length 1, and what they are in words."""

    kind: QueryKind
    embeddings: Embeddings
    label: str


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return ``count`` different sentences such as ``a red car waiting at the gate at night``."""
    parts = list(product(_SUBJECTS, _DOINGS, _PLACES, _TIMES))
    chosen = np.random.default_rng(seed).permutation(len(parts))[:count]
    return [" ".join(word for word in parts[at] if word) for at in chosen]


def text_queries(
    count: int, encode: Encode | None, recorded: Sequence[RecordedQuery], seed: int = 0
) -> QuerySet | None:
    """Return recorded sentences where there are enough, else made ones; None without an encoder.

    Raises EncoderError where the encoder fails.
    """
    if (found := _recorded("text", count, recorded)) is not None:
        return QuerySet(
            "recorded_text", found, Message("{count:,} recorded sentences", count=len(found))
        )
    if encode is None:
        return None
    made = encode(sentences(count, seed))
    return QuerySet(
        "text",
        l2_normalised(made),
        Message("{count:,} sentences about such footage", count=len(made)),
    )


def how_many_held_out(count: int, rows: int) -> int:
    """Return how many of a library's vectors to hold out as queries: none of a small library."""
    return count if count <= HELD_OUT_SHARE * rows else 0


def image_queries(
    count: int,
    held_out: Embeddings,
    spool: VectorSpool,
    recorded: Sequence[RecordedQuery] = (),
    seed: int = 0,
) -> QuerySet:
    """Return recorded pictures where there are enough, else the vectors held out (q, dim).

    With none held out they are stored vectors, disturbed so that none is its own answer.
    """
    if (found := _recorded("image", count, recorded)) is not None:
        return QuerySet(
            "recorded_image", found, Message("{count:,} recorded pictures", count=len(found))
        )
    if len(held_out):
        label = Message(
            "{count:,} pictures of the library, held out of the index", count=len(held_out)
        )
        return QuerySet("image", l2_normalised(held_out), label)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(spool.rows, min(count, spool.rows), replace=False)
    noise = l2_normalised(rng.normal(size=(len(chosen), spool.dim)))
    disturbed = l2_normalised(spool.vectors[chosen] + _NOISE * noise)
    return QuerySet(
        "image",
        disturbed,
        Message("{count:,} pictures of the library, disturbed", count=len(chosen)),
    )


def _recorded(kind: str, count: int, recorded: Sequence[RecordedQuery]) -> Embeddings | None:
    """Return up to ``count`` different recorded embeddings (q, dim); None where they are few."""
    different = {
        search.embedding.tobytes(): search.embedding for search in recorded if search.kind == kind
    }
    chosen = list(different.values())[:count]
    return l2_normalised(np.array(chosen)) if len(chosen) >= min(count, FEW_RECORDED) else None
