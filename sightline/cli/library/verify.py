"""`sightline verify`: media, thumbnails, the ledger and Milvus held against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ingest.report import Progress
from search_core.encoders.base import Encoder
from search_core.errors import UsageError
from search_core.schema.entity import ms_from_datetime
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.endpoint import resolve_endpoint
from sightline.cli.admin import audit
from sightline.cli.options import JsonOption, OnlyLibraryOption, YesOption, duration, settings_of
from sightline.cli.terminal import (
    confirmed,
    counted,
    err,
    open_workspace,
    print_json,
    say,
    shown_path,
    table,
    warn,
)

if TYPE_CHECKING:
    from ingest.curation.verification import Finding

_SHOWN = 20


def verify(
    ctx: typer.Context,
    library: OnlyLibraryOption = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended from what is there.")
    ] = False,
    forget_missing: Annotated[
        bool,
        typer.Option("--forget-missing", help="Remove the keyframes of files that were deleted."),
    ] = False,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="With --forget-missing: only what was captured longer ago than this, such as 7d.",
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Check that media, thumbnails, the ledger and Milvus agree; list what is missing.

    The files of the embedded Milvus and the ledger, which knows what must be there, are checked
    first. With --repair, damaged files are restored and kept aside, thumbnails are drawn again from
    the media, files that were moved are found again, sources with missing keyframes, and files that
    have other content now, are taken in again with the options they had, and thumbnails nothing
    shows are removed. With --forget-missing keyframes of deleted files go for good; files on a file
    system that is not mounted do not count as deleted. Exits with 1 when something is left.
    """
    if older_than is not None and not forget_missing:
        raise UsageError("--older-than needs --forget-missing.", "Give both, or neither.")
    settings = settings_of(ctx, library)
    if mend or forget_missing:
        open_workspace(settings).require_writable()
    check = _Check(settings, library)
    check.look(mend=mend)
    if forget_missing and not check.is_damaged:
        check.forget_missing(older_than, yes=yes)
    if json:
        print_json(
            {
                "mended": len(check.mended),
                "forgotten": check.forgotten,
                "kept": [str(path) for path in check.kept],
                "findings": [finding.to_dict() for finding in check.left],
            }
        )
    else:
        _print(check, mend)
    if check.left:
        raise typer.Exit(1)


class _Check:
    """One look at a data directory: what was mended, what is left, where damaged files are."""

    def __init__(self, settings: Settings, library: str | None) -> None:
        self._settings = settings
        self._library = library
        self._say_so: Callable[[str], object] = lambda text: None
        self.mended: list[Finding] = []
        self.left: list[Finding] = []
        self.kept: list[Path] = []
        self.undeleted: set[str] = set()
        self.forgotten = 0

    @property
    def is_damaged(self) -> bool:
        """Whether damaged files are left, so that media and keyframes were not compared."""
        return any(finding.kind == "file_damaged" for finding in self.left)

    def look(self, *, mend: bool) -> None:
        """Find what does not fit and, to ``mend``, mend it; files first, then rows."""
        from ingest.curation.repair import damaged_files, restore_files

        with err().status("Looking …") as line:
            self._say_so = lambda text: line.update(Text(text))
            endpoint = resolve_endpoint(self._settings)
            self.left = damaged_files(self._settings, endpoint)
            if self.left and not mend:
                return  # rows of damaged libraries can be neither read nor missed
            if self.left:
                line.update("Restoring damaged files …")
                restored = restore_files(self._settings, endpoint, self._likely_encoder)
                self.mended, self.left = restored.mended, restored.left
                self.kept, self.undeleted = restored.kept, restored.undeleted
            if not self.left:
                self._compare(mend)

    def forget_missing(self, older_than: timedelta | None, *, yes: bool) -> None:
        """Delete the keyframes of deleted files that :meth:`look` found."""
        until = None if older_than is None else ms_from_datetime(datetime.now(UTC) - older_than)
        due: dict[str, list[str]] = {}
        left: list[Finding] = []
        for finding in self.left:
            lost = finding.kind == "media_missing" or (
                finding.kind == "media_changed" and not finding.repairable
            )
            rest = finding.entities
            if lost:
                rest = tuple(e for e in rest if until is not None and e.captured_at >= until)
                old = [e.id for e in finding.entities if until is None or e.captured_at < until]
                due.setdefault(finding.library, []).extend(old)
            if rest or not lost:
                left.append(replace(finding, entities=rest))
        count = sum(len(ids) for ids in due.values())
        question = f"Remove {counted(count, 'keyframe')} of deleted files for good?"
        if not count or not confirmed(question, yes=yes):
            return
        from ingest.rows.retention import delete_missing

        with open_workspace(self._settings) as workspace:
            for library, ids in due.items():
                if not ids:
                    continue
                detail = {"missing": True, "count": len(ids)}
                audit.record(self._settings, "delete", library, detail)
                delete_missing(self._settings, workspace.store(), library, ids)
        self.left, self.forgotten = left, count

    def _compare(self, mend: bool) -> None:
        from ingest.curation.repair import repair
        from ingest.curation.verification import known_libraries, verify

        settings, known = self._settings, known_libraries(self._settings)
        with open_workspace(settings) as workspace:
            store = workspace.store(create=bool(known) and workspace.is_untouched)
            names = {*known, *(info.name for info in store.libraries())}
            if self._library is not None and self._library not in names:
                store.library(self._library)  # says which there are
            wanted = [self._library] if self._library else sorted(names)

            def say_rows(rows: int) -> None:
                self._say_so(f"Looked at {counted(rows, 'keyframe')} …")

            def say_source(progress: Progress) -> None:
                self._say_so(f"Taking in again: {progress.current} …")

            found = list(verify(settings, store, wanted, say_rows))
            self.left = found
            if mend and found:
                self.left = repair(
                    settings,
                    store,
                    found,
                    lambda library: workspace.encoder(library=library),
                    say_source,
                    self.undeleted,
                )
                self.mended += [item for item in found if not _is_among(item, self.left)]

    def _likely_encoder(self) -> Encoder:
        """Return the encoder that is named, else the likeliest: no library says what made it."""
        from search_core.encoders.choice import demo_encoder, here_for_footage

        workspace = open_workspace(self._settings)
        if self._settings.model != AUTO_MODEL:
            return workspace.encoder()
        spec = here_for_footage() or demo_encoder()
        return workspace.encoder(spec.name, spec.pretrained or None)


def _is_among(finding: Finding, others: list[Finding]) -> bool:
    return any(
        (other.kind, other.library, other.subject)
        == (finding.kind, finding.library, finding.subject)
        for other in others
    )


def _print(check: _Check, tried: bool) -> None:
    findings = check.left
    if check.mended:
        say(f"Mended {counted(len(check.mended), 'finding')}.")
    if check.forgotten:
        say(f"Removed {counted(check.forgotten, 'keyframe')} of deleted files.")
    for path in check.kept:
        say(f"The damaged files are kept in {shown_path(str(path))}.")
    if check.undeleted:
        warn(
            "A list of deleted keyframes was lost: single keyframes deleted from "
            f"{', '.join(sorted(check.undeleted))} may be back, and must be deleted again."
        )
    if not findings:
        say("Media, thumbnails, the ledger and Milvus agree.")
        return
    from ingest.curation.verification import MEANINGS

    kinds = Counter(finding.kind for finding in findings)
    made = table("What", "How many", "Meaning", right=("How many",), fold=("Meaning",))
    for kind, count in kinds.most_common():
        made.add_row(kind.replace("_", " "), f"{count:,}", MEANINGS[kind])
    say(made)
    say()
    listed = table("What", "Library", "File", "Detail", fold=("File", "Detail"))
    for finding in findings[:_SHOWN]:
        name = finding.kind.replace("_", " ")
        listed.add_row(name, finding.library, shown_path(finding.subject), finding.detail)
    say(listed)
    if len(findings) > _SHOWN:
        say(f"… and {counted(len(findings) - _SHOWN, 'more finding')}; --json lists them all.")
    if any(finding.repairable for finding in findings) and not tried:
        say("`sightline verify --repair` mends what can be mended.")
    if any(finding.kind == "media_missing" for finding in findings):
        say("`sightline verify --forget-missing` removes the keyframes of deleted files.")
    if kinds["file_damaged"]:
        say("Media, thumbnails and keyframes are compared once the damaged files are restored.")
