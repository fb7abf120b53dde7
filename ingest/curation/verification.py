"""Check that a data directory is consistent: media, thumbnails, the ledger and Milvus.

Looking changes nothing. What is wrong becomes a list of findings, each with what can be done about
it; :mod:`ingest.curation.repair` does it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from ingest.engines.base import KEEPS_KEYFRAMES
from ingest.ledger import LOST_STAGE, Ledger
from ingest.sources.discovery import file_of
from ingest.sources.media_locator import MediaState, Whereabouts
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.library import Store

FindingKind = Literal[
    "file_damaged",
    "keyframes_missing",
    "unfinished",
    "media_moved",
    "media_missing",
    "media_changed",
    "media_unreachable",
    "thumbnail_missing",
    "orphan",
]
#: What each kind of finding means, as shown to people.
MEANINGS: dict[FindingKind, str] = {
    "file_damaged": "a file of the embedded Milvus or the ledger is damaged or gone",
    "keyframes_missing": "done by the ledger, but Milvus holds fewer keyframes",
    "unfinished": "keyframes of a source the ledger does not call done",
    "media_moved": "the file is gone from where it was, and known elsewhere",
    "media_missing": "the file is gone; its keyframes can be found, not played",
    "media_changed": "the file has other content than its keyframes were made of",
    "media_unreachable": "it cannot be told now whether the file is still there",
    "thumbnail_missing": "the thumbnail is gone or damaged",
    "orphan": "a thumbnail that no keyframe shows",
}
#: An ingest that runs meanwhile writes a keyframe's thumbnail before its row.
_YOUNG_S = 600.0
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit.

    ``subject`` is the file it is about, ``entities`` the keyframes it concerns (none for what is
    missing altogether), ``repairable`` whether what is there is enough to mend it.
    """

    kind: FindingKind
    library: str
    subject: str
    detail: str
    repairable: bool
    source_id: str = ""
    entities: tuple[MediaEntity, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return {
            "kind": self.kind,
            "library": self.library,
            "subject": self.subject,
            "detail": self.detail,
            "repairable": self.repairable,
            "ids": [entity.id for entity in self.entities],
        }


@dataclass(slots=True)
class _Seen:
    """What one pass over a library's rows gathered."""

    rows: Counter[str] = field(default_factory=Counter)
    uris: dict[str, str] = field(default_factory=dict)
    states: dict[str, tuple[MediaState, str]] = field(default_factory=dict)
    lost: dict[str, list[MediaEntity]] = field(default_factory=dict)


def verify(
    settings: Settings,
    store: Store,
    libraries: Iterable[str],
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Iterator[Finding]:
    """Yield all that does not fit in these libraries, and the thumbnails no library shows.

    ``on_progress`` receives how many keyframes were checked.
    """
    wanted = set(libraries)
    shown: set[str] = set()
    lacking: set[str] = set()
    looked = 0
    with Ledger(settings.ledger_path) as ledger:
        places = Whereabouts(settings, ledger)
        held = store.libraries()
        lost = sorted(set(ledger.libraries()) - {info.name for info in held})
        for info in held:
            seen = _Seen()
            for page in store.vectors(info.name):
                looked += len(page.entities)
                on_progress(looked)
                for entity in page.entities:
                    shown.add(entity.thumbnail)
                    seen.rows[entity.source_id] += 1
                    if info.name in wanted:
                        yield from _look_at(settings, info.name, entity, seen, places)
            if info.name in wanted:
                yield from _media(info.name, seen, places)
            for finding in _sources(info.name, seen, ledger, places):
                lacking.add(finding.source_id)
                if info.name in wanted:
                    yield finding
        for library in lost:
            for finding in _sources(library, _Seen(), ledger, places):
                lacking.add(finding.source_id)
                if library in wanted:
                    yield finding
    yield from _orphans(settings, shown, lacking)


def known_libraries(settings: Settings) -> list[str]:
    """Return the libraries that must be there by the ledger, none where there is no ledger."""
    if not settings.ledger_path.exists():
        return []
    with Ledger(settings.ledger_path) as ledger:
        return ledger.libraries()


def expected_keyframes(ledger: Ledger, library: str) -> dict[str, tuple[int, str]]:
    """Return how many keyframes of each source a library must hold, and the source's uri."""
    expected: dict[str, tuple[int, str]] = {}
    for row in ledger.outcomes(library):
        keyframes, _ = expected.get(row.source_id, (0, ""))
        due = row.keyframes if row.status == "done" or row.stage == LOST_STAGE else 0
        expected[row.source_id] = (max(keyframes, due), row.uri)
    return expected


def _look_at(
    settings: Settings, library: str, entity: MediaEntity, seen: _Seen, places: Whereabouts
) -> Iterator[Finding]:
    """Check a row's thumbnail and that its media is there."""
    # A live camera's day is a source of many files: each keyframe has its own still.
    medium = entity.id if entity.is_live else entity.source_id
    known = seen.uris.setdefault(medium, entity.uri)
    if medium not in seen.states:
        seen.states[medium] = places.look(known, "" if entity.is_live else entity.source_id)
    media_there = seen.states[medium][0] == "there"
    if not media_there:
        seen.lost.setdefault(medium, []).append(entity)
    if entity.thumbnail and not _is_whole(settings.data_dir / entity.thumbnail):
        yield Finding(
            "thumbnail_missing",
            library,
            entity.thumbnail,
            MEANINGS["thumbnail_missing"],
            media_there,
            entity.source_id,
            (entity,),
        )


def _media(library: str, seen: _Seen, places: Whereabouts) -> Iterator[Finding]:
    kinds: dict[MediaState, FindingKind] = {
        "changed": "media_changed",
        "gone": "media_missing",
        "away": "media_unreachable",
    }
    for medium, entities in seen.lost.items():
        state, reason = seen.states[medium]
        kind, source_id, where = kinds[state], entities[0].source_id, seen.uris[medium]
        detail, repairable = reason or MEANINGS[kind], state == "changed"
        if state != "away" and (place := places.elsewhere(library, source_id, where)):
            kind, detail, repairable = "media_moved", f"now at {place}", True
        yield Finding(kind, library, where, detail, repairable, source_id, tuple(entities))


def _sources(library: str, seen: _Seen, ledger: Ledger, places: Whereabouts) -> Iterator[Finding]:
    """Hold the ledger's sources against the rows there are."""
    expected = expected_keyframes(ledger, library)
    ended = {
        row.source_id
        for row in ledger.outcomes(library)
        if row.status == "done" or row.stage == KEEPS_KEYFRAMES
    }
    for source_id, (keyframes, uri) in expected.items():
        there = seen.rows.get(source_id, 0)
        if there < keyframes:
            where = seen.uris.get(source_id, uri)
            yield Finding(
                "keyframes_missing",
                library,
                where,
                f"{there} of {keyframes} keyframes are in Milvus",
                places.holds(where, source_id) or file_of(uri) != uri,
                source_id,
            )
    for source_id, there in seen.rows.items():
        if source_id in ended:
            continue
        where = seen.uris.get(source_id, source_id)
        detail = f"{there} keyframes, and no line in the ledger"
        left_over = source_id in expected or bool(ledger.locations(library, source_id))
        if left_over:
            detail = f"{there} keyframes of an ingest that did not end"
        repairable = left_over or places.holds(where, source_id)
        yield Finding("unfinished", library, where, detail, repairable, source_id)


def _orphans(settings: Settings, shown: set[str], lacking: set[str]) -> Iterator[Finding]:
    """Yield thumbnails that no keyframe shows, but those of sources whose keyframes are missing."""
    if not settings.thumbnails_dir.is_dir():
        return
    before_s = time.time() - _YOUNG_S
    for path in sorted(settings.thumbnails_dir.glob("*/*/*")):
        relative = path.relative_to(settings.data_dir).as_posix()
        if path.parent.name in lacking:
            continue
        if relative not in shown and path.lstat().st_mtime < before_s:
            yield Finding("orphan", "", relative, MEANINGS["orphan"], True)


def _is_whole(path: Path) -> bool:
    """Whether a thumbnail is a JPEG from its first to its last bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_JPEG_START))
            file.seek(-len(_JPEG_END), 2)
            if start != _JPEG_START or file.read() != _JPEG_END:
                return False
        with Image.open(path, formats=["JPEG"]) as image:
            return image.width > 0
    except (OSError, ValueError):
        return False
