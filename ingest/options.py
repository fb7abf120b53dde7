"""How sources are taken in: the options of an ingest, and the ledger's names for the keyframes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from ingest.engines.base import main_camera
from ingest.ledger import Ledger
from ingest.media.keyframes.registry import parse_selector
from ingest.media.regions.base import NamedProposer
from ingest.media.regions.registry import AUTO, OFF, parse_regions, spelled
from ingest.sources.names.reading import Naming
from search_core.encoders.base import EncoderIdentity
from search_core.errors import UsageError
from search_core.schema.clocks import Clocks, by_camera, parse_offset, parse_zone
from search_core.schema.entity import TAG_MAX_LENGTH, TAGS_MAX_CAPACITY, MediaEntity
from search_core.schema.filters import quoted
from search_core.settings import Settings

#: The selector of live keyframes, as the ledger's recipe names it.
LIVE_RECIPE = "live:1"
#: ``auto``: lettering is read where the extra ``reading`` is installed.
ReadMode = Literal["auto", "off"]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How sources are to be ingested: from the command line to the worker, and in the ledger.

    ``keyframes`` is a selector as it is typed (see :mod:`ingest.media.keyframes.registry`), and
    ``regions`` what proposes parts of keyframes that are embedded as well, as typed, or ``off``.
    ``camera`` names all of them; without it their names or folders do. ``started_at`` is when the
    first recording began, without a zone in that of its camera. ``timezones`` (``ZONE`` or
    ``CAMERA=ZONE``) and ``clock_offsets`` (``+90s`` or ``CAMERA=+90s``) go before those of the
    settings, as ``name_patterns`` do. ``alone`` says that each file was given by itself, and may
    be its own camera; None: where there is one. ``read`` says whether lettering is read at the end.

    >>> IngestOptions(keyframes="iframe", camera="gate", tags=("night",)).camera
    'gate'
    """

    keyframes: str = "auto"
    camera: str | None = None
    started_at: datetime | None = None
    tags: tuple[str, ...] = ()
    timezones: tuple[str, ...] = ()
    clock_offsets: tuple[str, ...] = ()
    name_patterns: tuple[str, ...] = ()
    alone: bool | None = None
    read: ReadMode = "auto"
    regions: str = AUTO

    @property
    def recipe(self) -> str:
        """What is embedded of a source, as part of the ledger's key; raises UsageError."""
        keyframes, proposer = parse_selector(self.keyframes).recipe, self.proposer
        return keyframes if proposer is None else f"{keyframes}+regions:{proposer.recipe}"

    @property
    def proposer(self) -> NamedProposer | None:
        """What proposes regions, None for none; raises UsageError for what is unknown."""
        return None if self.regions == OFF else parse_regions(self.regions)

    def spelled(self) -> IngestOptions:
        """Return them as they are recorded: a detector by its file's place and digest.

        Raises UsageError for what is unknown.
        """
        return self if self.regions == OFF else replace(self, regions=spelled(self.regions))

    @property
    def describes_sources(self) -> bool:
        """Whether it says something of the sources: their camera, their start or their tags."""
        return self.camera is not None or self.started_at is not None or bool(self.tags)

    def naming(self, settings: Settings, paths: Sequence[str]) -> Naming:
        """Return how to read the names of what ``paths`` name.

        Raises UsageError for a name pattern that cannot be read.
        """
        naming = Naming.of(settings, self.name_patterns)
        alone = len(paths) == 1 if self.alone is None else self.alone
        return naming.with_alone(paths) if alone else naming

    def clocks(self, settings: Settings) -> Clocks:
        """Return the cameras' zones and clock offsets; raises UsageError for what is neither."""
        return settings.camera_clocks.overridden(
            by_camera(self.timezones, parse_zone), by_camera(self.clock_offsets, parse_offset)
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return dict(_JSON.dump_python(self, mode="json"))

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> IngestOptions:
        """Read what :meth:`to_json` wrote; other keys are left.

        What says nothing of regions is from before there were any.
        """
        return _JSON.validate_python({"regions": OFF, **record})

    def to_text(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_json(), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> IngestOptions:
        """Read what :meth:`to_text` wrote; a file was not ingested alone where it does not say."""
        return cls.from_json({"alone": False, **json.loads(text)})


_JSON = TypeAdapter(IngestOptions)
#: Nothing but the defaults.
EVERYTHING_USUAL = IngestOptions()


def recorded_options(ledger: Ledger, library: str, source_id: str) -> str:
    """Return the options that the ledger keeps of a source, in JSON; "" where it keeps none."""
    lines = ledger.of_sources(library, [source_id])
    lines.sort(key=lambda line: line.status == "done", reverse=True)
    if lines:
        return lines[0].options
    places = ledger.locations(library, source_id)
    return next((place.options for place in places if place.options), "")


def options_of(options: str, rows: Sequence[MediaEntity] = ()) -> IngestOptions:
    """Return the options of an earlier ingest, as the ledger has them and as ``rows`` are now.

    ``rows`` are of the same source: its camera and time may have been corrected since.
    """
    asked = IngestOptions.from_text(options)
    if not rows:
        return asked
    row = rows[0]
    started_at = None
    if row.captured_from == "given":
        started_at = datetime.fromtimestamp((row.captured_at - row.pts_ms) / 1000, UTC)
    return replace(asked, camera=main_camera(row.camera, row.track), started_at=started_at)


def recipe_of(encoder_digest: str, selector_recipe: str) -> str:
    """Return the ledger's name for how a source was taken in: which encoder, which keyframes."""
    text = f"{encoder_digest}|{selector_recipe}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def renamed_recipes(
    ledger: Ledger, library: str, old_digest: str, new_digest: str
) -> dict[str, str]:
    """Return the recipes of a library's sources that one encoder made, as they are of another."""
    found = {}
    for recipe, text in ledger.recipes(library):
        selector = LIVE_RECIPE
        if text:
            selector = IngestOptions.from_text(text).recipe
        if recipe == recipe_of(old_digest, selector):
            found[recipe] = recipe_of(new_digest, selector)
    return found


def is_maker(encoder: EncoderIdentity, ledger: Ledger, library: str) -> bool:
    """Whether the ledger's sources of a library were taken in with an encoder."""
    return bool(renamed_recipes(ledger, library, encoder.digest, encoder.digest))


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without blanks and repetitions; raises UsageError for what cannot be stored."""
    unique = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(unique) > TAGS_MAX_CAPACITY:
        raise UsageError(
            "{count} tags are more than the {most} there can be.",
            "Remove some.",
            count=len(unique),
            most=TAGS_MAX_CAPACITY,
        )
    for tag in unique:
        quoted(tag)  # a tag that cannot be filtered by is refused
        if len(tag.encode()) > TAG_MAX_LENGTH:
            raise UsageError(
                "The tag {tag!r}… is longer than {most} bytes.",
                "Use a shorter one.",
                tag=tag[:20],
                most=TAG_MAX_LENGTH,
            )
    return unique
