"""How sources are taken in: the options of an ingest, and the ledger's names for the keyframes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import product
from typing import Self

from ingest.engines.base import main_camera
from ingest.ledger import Ledger
from ingest.media.keyframes import parse_selector
from ingest.sources.names import Naming
from search_core.encoders.base import EncoderIdentity
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings

_WAYS = ("auto", "iframe", "scene", "motion", *(f"interval:{n}" for n in (0.5, *range(1, 61))))
#: The selector of live keyframes, as the ledger's recipe names it.
LIVE_RECIPE = "live:1"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What an ingest was asked for, as the ledger keeps it so that it can be done again.

    ``keyframes`` is as it is typed, ``given_ms`` the start that was given, in epoch milliseconds.
    ``alone`` says that the file was ingested by itself, and may be its own camera;
    ``name_patterns`` are those given with --name-pattern.
    """

    keyframes: str = "auto"
    camera: str | None = None
    given_ms: int | None = None
    tags: tuple[str, ...] = ()
    alone: bool = False
    name_patterns: tuple[str, ...] = ()

    @property
    def started_at(self) -> datetime | None:
        """The start that was given, None where none was."""
        return None if self.given_ms is None else datetime.fromtimestamp(self.given_ms / 1000, UTC)

    def naming(self, settings: Settings, files: Iterable[str]) -> Naming:
        """Return how that ingest read the names of ``files``, which were ingested like this.

        Raises UsageError for a name pattern that this version cannot read.
        """
        naming = Naming.of(settings, self.name_patterns)
        return naming.with_alone(files) if self.alone else naming

    def to_text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what :meth:`to_text` wrote."""
        record = json.loads(text)
        lists = {name: tuple(record.get(name, ())) for name in ("tags", "name_patterns")}
        return cls(**{**record, **lists})


def recorded_options(ledger: Ledger, library: str, source_id: str) -> str:
    """Return the options that the ledger keeps of a source, in JSON; "" where it keeps none."""
    lines = ledger.of_sources(library, [source_id])
    lines.sort(key=lambda line: line.status == "done", reverse=True)
    if lines:
        return lines[0].options
    places = ledger.locations(library, source_id)
    return next((place.options for place in places if place.options), "")


def options_of(
    options: str, recipe: str, encoder_digest: str, rows: Sequence[MediaEntity] = ()
) -> IngestOptions | None:
    """Return the options of an earlier ingest; None where they can no longer be known.

    ``options`` and ``recipe`` are from the ledger, ``rows`` are of the same source. A ledger from
    before options were kept has the recipe alone, which tells the usual ways to choose keyframes.
    """
    if options:
        asked = IngestOptions.from_text(options)
    else:
        ways = (way + distinct for way, distinct in product(_WAYS, ("", "+distinct")))
        names = {recipe_of(encoder_digest, parse_selector(way).recipe): way for way in ways}
        if recipe not in names:
            return None
        asked = IngestOptions(names[recipe], tags=rows[0].tags if rows else ())
    if not rows:
        return asked
    row = rows[0]  # camera and time may have been corrected since
    given_ms = row.captured_at - row.pts_ms if row.captured_from == "given" else None
    return replace(asked, camera=main_camera(row.camera, row.track), given_ms=given_ms)


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
