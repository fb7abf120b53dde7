"""The ledger's names for how sources were taken in."""

from __future__ import annotations

import hashlib
from itertools import product

from ingest.keyframes import parse_selector
from ingest.ledger import Ledger
from search_core.encoders.base import EncoderIdentity

_WAYS = ("auto", "iframe", "scene", "motion", *(f"interval:{n}" for n in (0.5, *range(1, 61))))
#: The selector of live keyframes, as the ledger's recipe names it.
LIVE_RECIPE = "live:1"


def recipe_of(encoder_digest: str, selector_recipe: str) -> str:
    """Return the ledger's name for how a source was taken in: which encoder, which keyframes."""
    text = f"{encoder_digest}|{selector_recipe}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def known_recipes(old_digest: str, new_digest: str) -> dict[str, str]:
    """Return the usual recipes of an encoder, and what they are of another.

    One with options that are not usual is not among them: its sources are taken in again when they
    are next asked for, which adds no row.
    """
    ways = [way + distinct for way, distinct in product(_WAYS, ("", "+distinct"))]
    names = [*(parse_selector(way).recipe for way in ways), LIVE_RECIPE]
    return {recipe_of(old_digest, name): recipe_of(new_digest, name) for name in names}


def is_maker(encoder: EncoderIdentity, ledger: Ledger, library: str) -> bool:
    """Whether the ledger's sources of a library were taken in with an encoder."""
    known = known_recipes(encoder.digest, encoder.digest)
    return any(recipe in known for recipe in ledger.recipes(library))
