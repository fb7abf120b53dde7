"""`sightline verify`: media, thumbnails, the ledger and Milvus held against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption, settings_of
from cli.terminal import counted, err, print_json, say, shown_path, table, warn
from cli.workspace import is_untouched, load_encoder, open_store, require_writable
from search_core.endpoint import resolve_endpoint
from search_core.settings import Settings

if TYPE_CHECKING:
    from ingest.outcomes import Progress
    from ingest.verification import Finding
    from search_core.encoders.base import Encoder

_SHOWN = 20


def verify(
    ctx: typer.Context,
    library: Annotated[
        str | None,
        typer.Option("--library", metavar="NAME", help="Only this library; all otherwise."),
    ] = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended from what is there.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check that media, thumbnails, the ledger and Milvus agree; list what is missing.

    It begins with the files of the embedded Milvus and with the ledger, which knows what must be
    there. With --repair, damaged files are restored and kept aside, thumbnails are drawn again from
    the media, files that were moved are found again, sources with missing keyframes are taken in
    again, and thumbnails nothing shows are removed. Exits with 1 when something is left.
    """
    settings = settings_of(ctx, library)
    if mend:
        require_writable(settings)
    with err().status("Looking …") as line:
        check = _Check(settings, library, lambda text: line.update(text))
        check.look(mend=mend)
    if json:
        print_json(
            {
                "mended": len(check.mended),
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

    def __init__(
        self, settings: Settings, library: str | None, say_so: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._library = library
        self._say_so = say_so
        self.mended: list[Finding] = []
        self.left: list[Finding] = []
        self.kept: list[Path] = []
        self.undeleted: set[str] = set()

    def look(self, *, mend: bool) -> None:
        """Find what does not fit and, to ``mend``, mend it; files first, then rows."""
        from ingest.restoration import damaged_files, restore_files

        endpoint = resolve_endpoint(self._settings)
        self.left = damaged_files(self._settings, endpoint)
        if self.left and not mend:
            return  # rows of damaged libraries can be neither read nor missed
        if self.left:
            self._say_so("Restoring damaged files …")
            restored = restore_files(self._settings, endpoint, self._encoder)
            self.mended, self.left = restored.mended, restored.left
            self.kept, self.undeleted = restored.kept, restored.undeleted
        if not self.left:
            self._compare(mend)

    def _compare(self, mend: bool) -> None:
        from ingest.repair import repair
        from ingest.verification import known_libraries, verify

        settings, known = self._settings, known_libraries(self._settings)
        with open_store(settings, create=bool(known) and is_untouched(settings)) as store:
            names = {*known, *(info.name for info in store.libraries())}
            if self._library is not None and self._library not in names:
                store.library(self._library)  # says which there are
            wanted = [self._library] if self._library else sorted(names)
            found = list(verify(settings, store, wanted, self._counted))
            self.left = found
            if mend and found:
                self.left = repair(
                    settings, store, found, self._encoder, self._progress, self.undeleted
                )
                self.mended += [item for item in found if not _is_among(item, self.left)]

    def _encoder(self) -> Encoder:
        return load_encoder(self._settings)

    def _counted(self, rows: int) -> None:
        self._say_so(f"Looked at {counted(rows, 'keyframe')} …")

    def _progress(self, progress: Progress) -> None:
        self._say_so(f"Taking in again: {progress.current} …")


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
    from ingest.verification import MEANINGS

    kinds = Counter(finding.kind for finding in findings)
    made = table("What", "How many", "Meaning", right=("How many",), words=("Meaning",))
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
    if kinds["file_damaged"]:
        say("Media, thumbnails and keyframes are compared once the damaged files are restored.")
