"""`sightline clip`: footage cut into files of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_core.errors import EntityNotFound, MediaError, UsageError
from search_core.schema.entity import MediaEntity, clock_from_ms, ms_from_datetime
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.system.machine import local_zone
from sightline.cli.admin import audit
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    JsonOption,
    LibraryOption,
    check_period,
    finite,
    settings_of,
)
from sightline.cli.terminal import (
    err,
    local_time,
    note,
    open_workspace,
    print_json,
    say,
    warn,
)

if TYPE_CHECKING:
    from ingest.media.video.clips import Span

BeforeOption = Annotated[
    float,
    typer.Option(
        "--lead", min=0.0, callback=finite, metavar="SECONDS", help="How long before the moment."
    ),
]
AfterOption = Annotated[
    float,
    typer.Option(
        "--tail", min=0.0, callback=finite, metavar="SECONDS", help="How long after the moment."
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Begin and end where asked, encoded anew; otherwise as recorded, from the codec "
        "keyframe before.",
    ),
]


def clip(
    ctx: typer.Context,
    entity_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A moment of a video: an id of `sightline search`."),
    ] = None,
    lead: BeforeOption = 5.0,
    tail: AfterOption = 5.0,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    exact: ExactOption = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where clips are written.")
    ] = Path("clips"),
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Cut footage into files of their own: around a moment, or all between two times.

    Pictures and sound are copied as they were recorded, so that nothing is lost and the clip is
    evidence: it begins at the codec keyframe at or before the time asked for, and the output says
    where. --exact encodes anew instead. The footage must still have the content that was taken in.
    """
    settings = settings_of(ctx, library)
    check_period(after, before)
    if (entity_id is None) == (after is None or before is None):
        raise UsageError(
            "Say what to cut: the id of a moment, or --after and --before.",
            "Ids: `sightline search --json`.",
        )
    from ingest.evidence.originals import span_around, spans_between

    with open_workspace(settings) as workspace:
        store = workspace.store()
        if entity_id is not None:
            entity = entity_named(workspace.library().entities(Filter(ids=(entity_id,))), entity_id)
            spans = [(entity, span_around(entity, lead, tail))]
        else:
            assert after is not None and before is not None
            spans = spans_between(
                store,
                settings.library,
                Filter(cameras=tuple(camera or ())),
                ms_from_datetime(after),
                ms_from_datetime(before),
            )
            if not spans:
                raise UsageError(
                    "No video of the library {library} was recorded then.",
                    "`sightline status` shows what it holds.",
                    library=settings.library,
                )
    failed = _cut(settings, spans, out, exact=exact, json=json)
    if failed:
        raise typer.Exit(1)


def _cut(
    settings: Settings,
    spans: list[tuple[MediaEntity, Span]],
    folder: Path,
    *,
    exact: bool,
    json: bool,
) -> int:
    """Cut clips, each told when it is written; return how many could not be."""
    from ingest.evidence.bundle import file_stem
    from ingest.evidence.originals import Originals, cut_moment
    from ingest.ledger import Ledger

    rows: list[dict[str, Any]] = []
    with Ledger(settings.ledger_path) as ledger, err().status("Cutting …") as status:
        originals = Originals(settings, ledger)
        for entity, span in spans:
            name = Path(entity.uri).name
            detail = {"id": entity.id, "file": entity.uri, "clip": [span.start_ms, span.end_ms]}
            audit.record(settings, "export", settings.library, detail)
            try:
                with originals.file(settings.library, entity) as source:
                    made = cut_moment(
                        settings,
                        entity,
                        source,
                        folder,
                        partial(file_stem, entity, zone=local_zone()),
                        span,
                        exact=exact,
                        on_progress=lambda share, name=name: status.update(  # type: ignore[misc]
                            f"Cutting {name}: {share:.0%}"
                        ),
                    )
            except MediaError as error:
                warn(f"{name} {error.message}.")
                rows.append({"source": entity.uri, "file": "", "error": error.message})
                continue
            begins = entity.captured_at - entity.pts_ms + made.span.start_ms
            rows.append(
                {
                    "source": entity.uri,
                    "file": str(made.path),
                    "cut": made.cut,
                    "asked_ms": [span.start_ms, span.end_ms],
                    "shown_ms": [made.span.start_ms, made.span.end_ms],
                    "note": made.note,
                }
            )
            if not json:
                shown = (clock_from_ms(made.span.start_ms), clock_from_ms(made.span.end_ms))
                say(
                    f"{made.path}: {shown[0]} to {shown[1]} of {name}, from {local_time(begins)}, "
                    + ("encoded anew" if made.cut == "exact" else "as recorded")
                )
                if made.note:
                    note(made.note)
    if json:
        print_json(rows)
    return sum("error" in row for row in rows)


def entity_named(found: list[MediaEntity], wanted: str) -> MediaEntity:
    """Return the only entity that was found for an id; raises EntityNotFound for none."""
    if not found:
        raise EntityNotFound(
            "There is nothing with the id {id} in this library.",
            "Ids: `sightline search --json`; --library names another library.",
            id=wanted,
        )
    return found[0]
