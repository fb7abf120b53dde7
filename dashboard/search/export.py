"""Taking hits along: as a table, as JSON, as a zip of pictures, as a sheet to print.

The files are in English in every language: programs read them, and others than who made them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import video_serving as footage
from dashboard.i18n.formatting import local_time, viewer_zone
from dashboard.i18n.gettext import _
from dashboard.query.request import SearchRequest
from ingest.ledger import Ledger
from ingest.sources.media_locator import FileState, Fingerprint, fingerprint
from search_core.schema.filters import Filter
from search_core.search.engine import Hit
from search_core.search.thumbnail_sheet import Evidence, evidence_pdf

#: A zip carries photographs and stills as they are up to so much in all, thumbnails beyond.
_ORIGINAL_BYTES = 256 * 1024 * 1024
#: What a sheet says of the file that a picture is from.
_FILE_NOTES: dict[FileState, str] = {
    "as taken in": "",
    "changed": "The file has changed since it was taken in.",
    "gone": "The file is gone.",
    "not compared": "",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Export:
    """Hits in the order shown, with what was asked; its files are made when they are asked for."""

    request: SearchRequest
    hits: Sequence[Hit]
    zone: tzinfo
    encoder: str
    data_dir: Path
    ledger_path: Path

    def rows(self) -> list[dict[str, Any]]:
        """Return one record a hit: its fields, local time, and the SHA-256 of its content.

        ``file`` says whether the file still has the content that was taken in.
        """
        prints = self._fingerprints()
        return [
            {
                **hit.to_dict(),
                "captured_local": local_time(hit.entity.captured_at, self.zone),
                "sha256": prints[hit.entity.id].sha256,
                "file": prints[hit.entity.id].file,
            }
            for hit in self.hits
        ]

    def _fingerprints(self) -> dict[str, Fingerprint]:
        with Ledger(self.ledger_path) as ledger:
            return {
                hit.entity.id: fingerprint(ledger, hit.entity, footage.place_of(hit.entity))
                for hit in self.hits
            }

    def about(self) -> dict[str, Any]:
        """Return what was asked, as plain JSON values."""
        return {
            "asked": self.request.in_words(),
            "library": self.request.library,
            "encoder": self.encoder,
            "filter": filter_in_words(self.request.where, self.zone),
            "k": self.request.k,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "hits": len(self.hits),
        }

    def as_json(self) -> bytes:
        """Return all of it as JSON."""
        record = {**self.about(), "hits": self.rows()}
        return json.dumps(record, indent=2, ensure_ascii=False).encode()

    def as_csv(self) -> bytes:
        """Return the hits as CSV in UTF-8 with a byte-order mark, which spreadsheets look for.

        Text that a spreadsheet would take for a formula gets an apostrophe before it.
        """
        file = io.StringIO()
        rows = [{**row, "tags": " ".join(row["tags"])} for row in self.rows()]
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["rank"])
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
        return file.getvalue().encode("utf-8-sig")

    def as_zip(self) -> bytes:
        """Return the pictures with the table, the query and the pictures' SHA-256 sums."""
        file, sums, room = io.BytesIO(), [], _ORIGINAL_BYTES
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            prints = self._fingerprints()
            for hit in self.hits:
                path = self._picture(hit, room, prints[hit.entity.id])
                if path is None:
                    continue
                data = path.read_bytes()
                room -= len(data)
                name = f"{hit.rank:04d}-{hit.entity.id}{path.suffix.lower()}"
                archive.writestr(name, data)
                sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
            archive.writestr("hits.csv", self.as_csv())
            archive.writestr("query.json", json.dumps(self.about(), indent=2, ensure_ascii=False))
            archive.writestr("SHA256SUMS", "".join(sums))
        return file.getvalue()

    def as_pdf(self) -> bytes:
        """Return the sheet to print."""
        about = self.about()
        lines = [
            f"Library {about['library']}, searched with {about['encoder']}",
            f"Filter: {about['filter']}",
            f"{len(self.hits)} hits of at most {about['k']}. "
            "SHA-256 is that of the whole file that a picture is from, as it was taken in.",
        ]
        prints = self._fingerprints()
        evidence = Evidence(
            about["asked"],
            lines,
            self.hits,
            {id: known.sha256 for id, known in prints.items()},
            datetime.now(UTC),
            self.zone,
            {id: _FILE_NOTES[known.file] for id, known in prints.items()},
        )
        return evidence_pdf(evidence, self.data_dir)

    def _picture(self, hit: Hit, room: int, known: Fingerprint) -> Path | None:
        original = None if hit.entity.in_video else footage.place_of(hit.entity)
        unchanged = known.file == "as taken in" or hit.entity.is_live
        if original is not None and unchanged and original.stat().st_size <= room:
            return original
        thumbnail = self.data_dir / hit.entity.thumbnail
        return thumbnail if hit.entity.thumbnail and thumbnail.is_file() else None


def export_menu(request: SearchRequest, hits: Sequence[Hit]) -> None:
    """Draw the button that offers the files; they hold these hits in this order."""
    library = resources.store().library(request.library)
    export = Export(
        request,
        hits,
        viewer_zone(),
        library.encoder.label,
        resources.settings().data_dir,
        resources.settings().ledger_path,
    )
    with st.popover(_("Export"), icon=":material/download:", disabled=not hits):
        for label, name, icon, make in (
            (_("Sheet to print (PDF)"), "hits.pdf", ":material/print:", export.as_pdf),
            (_("Pictures (zip)"), "hits.zip", ":material/folder_zip:", export.as_zip),
            (_("Table (CSV)"), "hits.csv", ":material/table:", export.as_csv),
            ("JSON", "hits.json", ":material/data_object:", export.as_json),
        ):
            st.download_button(
                label,
                data=identity.download(request.library, {**export.about(), "file": name}, make),
                file_name=f"sightline-{name}",
                icon=icon,
                on_click="ignore",
                width="stretch",
                key=f"export-{name}",
            )
        about = _("With what was asked, the times, and SHA-256 hashes of the files.")
        st.caption(about, width=240)


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


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
