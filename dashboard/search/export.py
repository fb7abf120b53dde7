"""Taking hits, or selected pictures, along: as a table, as JSON, as a zip of pictures, as a sheet
to print.

The files are in English in every language: programs read them, and others than who made them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cases.adding import add_items, may_collect
from dashboard.components import video_serving as footage
from dashboard.i18n.formatting import local_time, viewer_zone
from dashboard.i18n.gettext import _
from dashboard.query.request import SearchRequest
from ingest.evidence.bundle import Bundle, BundleWriter, as_csv
from ingest.evidence.cases import Item, picture_item
from ingest.ledger import Ledger
from ingest.sources.media_locator import fingerprint
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.engine import Hit
from search_core.settings import Settings

#: A zip carries photographs and stills as they are up to so much in all, thumbnails beyond.
_ORIGINAL_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """Hits in the order shown, with what was asked; its files are made when they are asked for.

    What was selected by hand is ``titled`` so, is in the order in which it was selected, and may
    hold pictures that no search found.
    """

    request: SearchRequest
    hits: Sequence[Hit | MediaEntity]
    zone: tzinfo
    encoder: str
    settings: Settings
    by: str = ""
    titled: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """Return one record a hit: its fields, local time, and the SHA-256 of its content.

        ``file`` says whether the file still has the content that was taken in.
        """
        with Ledger(self.settings.ledger_path) as ledger:
            prints = [fingerprint(ledger, of, footage.place_of(of)) for of in self._entities()]
        return [
            {
                **_record(number, hit),
                "captured_local": local_time(entity.captured_at, self.zone),
                "sha256": known.sha256,
                "file": known.file,
            }
            for number, (hit, entity, known) in enumerate(
                zip(self.hits, self._entities(), prints, strict=True), start=1
            )
        ]

    def about(self) -> dict[str, Any]:
        """Return what was asked, as plain JSON values."""
        searched: dict[str, Any] = {
            "filter": filter_in_words(self.request.where, self.zone),
            "k": self.request.k,
        }
        return {
            "asked": self.titled or self.request.in_words(),
            "library": self.request.library,
            "encoder": self.encoder,
            **({} if self.titled else searched),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "hits": len(self.hits),
        }

    def as_json(self) -> bytes:
        """Return all of it as JSON."""
        record = {**self.about(), "hits": self.rows()}
        return json.dumps(record, indent=2, ensure_ascii=False).encode()

    def as_csv(self) -> bytes:
        """Return the hits as CSV in UTF-8 with a byte-order mark, which spreadsheets look for."""
        return as_csv(self.rows())

    def as_zip(self) -> bytes:
        """Return a bundle of the pictures at full size; `sightline case verify` checks it."""
        file = io.BytesIO()
        with Ledger(self.settings.ledger_path) as ledger:
            BundleWriter(self.settings, ledger, room_bytes=_ORIGINAL_BYTES).write(
                self._bundle(), file
            )
        return file.getvalue()

    def as_pdf(self) -> bytes:
        """Return the sheet to print."""
        with Ledger(self.settings.ledger_path) as ledger:
            return BundleWriter(self.settings, ledger).sheet(self._bundle())

    def _entities(self) -> list[MediaEntity]:
        return [hit.entity if isinstance(hit, Hit) else hit for hit in self.hits]

    def items(self) -> list[Item]:
        """Return them as items of a case, numbered by their ranks; without a score if not found."""
        asked, library = self.about()["asked"], self.request.library
        return [
            replace(
                picture_item(library, hit.entity, self.by, asked=asked, score=hit.score),
                number=hit.rank,
            )
            if isinstance(hit, Hit)
            else replace(picture_item(library, hit, self.by), number=number)
            for number, hit in enumerate(self.hits, start=1)
        ]

    def _bundle(self) -> Bundle:
        about, items = self.about(), self.items()
        lines = [f"Library {about['library']}, {len(items)} pictures."]
        if not self.titled:
            lines = [
                f"Library {about['library']}, searched with {about['encoder']}",
                f"Filter: {about['filter']}",
                f"{len(self.hits)} hits of at most {about['k']}.",
            ]
        return Bundle(about["asked"], items, self.zone, about, lines)


def export_menu(request: SearchRequest, hits: Sequence[Hit]) -> None:
    """Draw the button that offers the files; they hold these hits in this order."""
    export = export_of(request, hits)
    with st.popover(_("Export"), icon=":material/download:", disabled=not hits):
        export_files(export, "export")
        if may_collect():
            with st.expander(_("Add all to a case"), icon=":material/cases:"):
                add_items("hits", request.library, export.items())


def export_of(
    request: SearchRequest, hits: Sequence[Hit | MediaEntity], *, titled: str = ""
) -> Export:
    """Return what the page's user may take along of hits, or of pictures that are ``titled`` so."""
    library = resources.store().library(request.library)
    return Export(
        request,
        hits,
        viewer_zone(),
        library.encoder.label,
        resources.settings(),
        identity.current().name,
        titled,
    )


def export_files(export: Export, key: str) -> None:
    """Draw the buttons of an export's files."""
    for label, name, icon, make in (
        (_("Sheet to print (PDF)"), "hits.pdf", ":material/print:", export.as_pdf),
        (_("Pictures (zip)"), "hits.zip", ":material/folder_zip:", export.as_zip),
        (_("Table (CSV)"), "hits.csv", ":material/table:", export.as_csv),
        ("JSON", "hits.json", ":material/data_object:", export.as_json),
    ):
        st.download_button(
            label,
            data=identity.download(export.request.library, {**export.about(), "file": name}, make),
            file_name=f"sightline-{name}",
            icon=icon,
            on_click="ignore",
            width="stretch",
            key=f"{key}-{name}",
        )
    about = _("With what was asked, the times, and SHA-256 hashes of the files.")
    st.caption(about, width=240)


def _record(number: int, hit: Hit | MediaEntity) -> dict[str, Any]:
    """Return a hit's fields; a picture that no search found has no score."""
    if isinstance(hit, Hit):
        return hit.to_dict()
    return {**Hit(number, 0.0, hit).to_dict(), "score": None}


def filter_in_words(where: Filter, zone: tzinfo) -> str:
    """Return what a filter lets through, as people read it; "none" for everything."""
    parts = []
    if where.cameras:
        parts.append("cameras " + ", ".join(name or "no name" for name in where.cameras))
    for word, moment in (("from", where.after), ("until", where.before)):
        if moment is not None:
            parts.append(f"{word} {moment.astimezone(zone):%Y-%m-%d %H:%M %Z}")
    if where.hours is not None:
        start, end = where.hours.start_minute, where.hours.end_minute
        parts.append(
            f"daily {start // 60:02d}:{start % 60:02d}–{end // 60:02d}:{end % 60:02d}"
            f" ({where.hours.zone})"
        )
    if where.tags:
        parts.append("tags " + ", ".join(where.tags))
    if where.media_type:
        parts.append("video only" if where.media_type == "frame" else "photos only")
    return "; ".join(parts) or "none"
