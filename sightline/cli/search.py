"""`sightline search`: ask a library a sentence, a picture, or for more of what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from PIL import Image
from rich.table import Table
from rich.text import Text

from search_core.encoders.prompts import FOOTAGE_TEMPLATES
from search_core.errors import UsageError
from search_core.indexes import SearchParams
from search_core.schema.entity import Box, clock_from_ms
from search_core.schema.filters import Filter
from search_core.search.engine import WITHOUT_WEIGHT
from search_core.settings import Settings
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    JsonOption,
    LibraryOption,
    TagFilter,
    finite,
    make_filter,
    settings_of,
    warn_of_unknown,
    why_nothing_passes,
)
from sightline.cli.terminal import (
    local_time,
    note,
    open_workspace,
    out,
    print_json,
    say,
    shown_path,
    table,
)

if TYPE_CHECKING:
    from search_core.search.engine import Hit, Query
    from search_core.store.milvus.store import MilvusStore


def search(
    ctx: typer.Context,
    sentence: Annotated[
        str | None,
        typer.Argument(metavar="[SENTENCE]", help="What to look for, in words."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Look for what looks like this picture."),
    ] = None,
    entity_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Look for what looks like this stored moment."),
    ] = None,
    text_weight: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="With a sentence and a picture: the sentence's share, 0 to 1.",
        ),
    ] = 0.5,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Leave out what shows this; may be repeated."),
    ] = None,
    without_weight: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="How strongly it is left out, 0 to 1."),
    ] = WITHOUT_WEIGHT,
    k: Annotated[int, typer.Option("-k", help="How many hits, at most.")] = 50,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    tag: TagFilter = None,
    min_score: Annotated[
        float | None,
        typer.Option(callback=finite, help="Leave out hits that score lower than this."),
    ] = None,
    nprobe: Annotated[
        int | None,
        typer.Option(help="IVF indexes: clusters to look into, for this search."),
    ] = None,
    ef: Annotated[
        int | None,
        typer.Option(help="HNSW: candidates to keep, for this search; at least -k."),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help='Put the sentence into this prompt, such as "a photo of {}"; '
            "several are averaged.",
        ),
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Average several prompts that suit footage.")
    ] = False,
    library: LibraryOption = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jpg", help="Also write the hits' pictures as one sheet."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Search a library by sentence, by picture, by both, or by a stored moment.

    Scores are cosine similarities: higher is better, and they compare within one query only.
    """
    settings = settings_of(ctx, library)
    picture = read_picture(image, settings) if image else None
    templates = (*FOOTAGE_TEMPLATES, *(template or ())) if ensemble else tuple(template or ())
    where = make_filter(camera, after, before, tag)
    where.expression()  # refuses what Milvus cannot carry before anything is loaded
    params = SearchParams(nprobe=nprobe, ef=ef)
    if sheet is not None:
        check_sheet_name(sheet)
    from search_core.search.engine import Query

    query = Query(
        sentence,
        picture,
        (entity_id,) if entity_id else (),
        text_weight,
        templates,
        tuple(without or ()),
        without_weight,
    )
    with open_workspace(settings) as workspace:
        store = workspace.store()
        engine = workspace.library().engine
        found = engine.answer(query, k=k, where=where, params=params, min_score=min_score)
        hits = found.hits
        known = not warn_of_unknown(store, settings.library, where)
        nothing_found = "" if hits else _nothing_found(store, settings.library, where, known, query)
    if sheet is not None and hits:
        from sightline.cli.contact_sheet import Section, write_contact_sheet

        title = _title(sentence, image, entity_id)
        write_contact_sheet(sheet, [Section(title, hits)], settings.data_dir)
    if found.effort.reason:
        note(found.effort.reason)
    for read in found.truncated:
        note(f'The encoder reads only the beginning of so long a sentence: "{read} …"')
    if found.unknown:
        note(f"These words mean nothing to this encoder: {', '.join(found.unknown)}.")
    if found.fits_nothing:
        note("No good match: no picture stands out for this. These are the nearest.")
    if json:
        print_json([hit.to_dict() for hit in hits])
        return
    if not hits:
        say(nothing_found)
    else:
        say(hits_table(hits))
    if sheet is not None:
        say(f"Contact sheet: {sheet}" if hits else "No contact sheet was written.")


def hits_table(hits: list[Hit], right: frozenset[int] | None = None) -> Table:
    """Return hits as people read them: one line each, less sure ones dimmed below a line.

    Where it is known which ranks are ``right``, those have a tick. Where a hit was found by a
    region of its picture, a column says which.
    """
    ticks = [] if right is None else [""]
    numbers = ("#", "Score", "At")
    where = ["Region"] if any(hit.box is not None for hit in hits) else []
    columns = ("#", "Score", "Camera", "Time", "At", *where, "File")
    made = table(*ticks, *columns, right=numbers, fold=("File",))
    longest_camera = max(len(hit.entity.camera) for hit in hits)
    room = max(24, out().width - 52 - longest_camera - (18 if where else 0))
    sure = sum(not hit.is_less_sure for hit in hits)
    for number, hit in enumerate(hits):
        if 0 < sure == number:
            made.add_row(*ticks, *[""] * (len(columns) - 1), "Less sure from here on:")
        entity = hit.entity
        still = "live" if entity.is_live else "–"
        position = clock_from_ms(entity.pts_ms) if entity.in_video else still
        tick = Text("✓", style="green") if hit.rank in (right or ()) else ""
        made.add_row(
            *([tick] if ticks else []),
            str(hit.rank),
            f"{hit.score:.3f}",
            entity.camera or "–",
            local_time(entity.captured_at),
            position,
            *([_shown_box(hit.box)] if where else []),
            shown_path(entity.uri, room),
            style="dim" if hit.is_less_sure else None,
        )
    return made


def _shown_box(box: Box | None) -> str:
    """Return from where to where a box goes, across and down, in percent of the picture."""
    if box is None:
        return "–"
    left, top, right, bottom = (f"{100 * edge:.0f}" for edge in box)
    return f"{left}–{right} × {top}–{bottom} %"


def read_picture(path: Path, settings: Settings) -> Image.Image:
    """Decode the picture of a query; raises MediaError."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Check the path given as --image.")
    from ingest.media.decoding import decode_image

    return decode_image(path, max_pixels=settings.media.max_pixels)


def check_sheet_name(path: Path) -> None:
    """Raise UsageError for a sheet that could not be written."""
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise UsageError(
            f"Unsupported image extension: {path}.", "Use a name that ends in .jpg or .png."
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"The folder {path.parent} does not exist.", "Create it first.")


def _title(sentence: str | None, image: Path | None, entity_id: str | None) -> str:
    parts = [sentence, f"like {image.name}" if image else None]
    parts.append(f"like {entity_id}" if entity_id else None)
    return "  +  ".join(part for part in parts if part)


def _nothing_found(
    store: MilvusStore, library: str, where: Filter, known: bool, query: Query
) -> str:
    if store.count(library, where):
        if query.without:
            return "Nothing is left without that; leave out less, or try a lower --min-score."
        return "Nothing scores that high; try a lower --min-score."
    if where.is_empty:
        return "The library is empty."
    if known:
        return why_nothing_passes(store, library, where)
    return "Nothing in the library passes these filters."
