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
from search_core.search.left_out import WITHOUT_WEIGHT
from search_core.search.pairs import answer_pairs
from search_core.search.query_text.sequence import read_sequence
from search_core.settings import Settings
from sightline.cli.library import searches
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
    counted,
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
    from search_core.search.pairs import Pair
    from search_core.search.query_text.reader import Reading
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
        typer.Option(
            "--id",
            "--like",
            metavar="ID",
            help="Look for what looks like this stored moment, or this region of one.",
        ),
    ] = None,
    not_like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Leave out this stored moment, or region of one, and what looks like it; may be "
            "repeated.",
        ),
    ] = None,
    text_weight: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="With a sentence and a picture: the sentence's share, 0 to 1.",
        ),
    ] = 0.5,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="Only what these words were read on, such as a name or a plate; may be repeated. "
            "The same as in quotation marks in the sentence: 'a lorry \"JCN\"'.",
        ),
    ] = None,
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
    literal: Annotated[
        bool,
        typer.Option(
            "--literal", help="Look for the whole sentence: read no time and no camera into it."
        ),
    ] = False,
    save: Annotated[
        str | None,
        typer.Option(
            "--save", metavar="NAME", help="Save this search; `sightline searches` lists it."
        ),
    ] = None,
    saved: Annotated[
        str | None,
        typer.Option(
            "--saved", metavar="NAME", help="Repeat a search that was saved by this name."
        ),
    ] = None,
    library: LibraryOption = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jpg", help="Also write the hits' pictures as one sheet."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Search a library by sentence, by picture, by words that were read, or by a stored moment.

    "A white van, then a person running, within 2 minutes" looks for the two in order on one camera.
    Times and cameras in the sentence, such as "yesterday afternoon" or "at the gate", are filtered
    by, and what was understood is printed; --literal looks for them as words.
    Scores are cosine similarities: higher is better, and they compare within one query only.
    """
    settings = settings_of(ctx, library)
    leave = tuple(without or ())
    stay = (sentence,) if literal and sentence else ()
    where = make_filter(camera, after, before, tag)
    wanted = searches.Wanted(sentence or "", where, leave, k, min_score, stay)
    if saved is not None:
        if sentence or image or entity_id:
            raise UsageError(
                "A saved search says itself what to look for.", "Leave out one of them."
            )
        of, wanted = searches.read(settings, saved)
        settings = settings_of(ctx, library or of)
    picture = read_picture(image, settings) if image else None
    templates = (*FOOTAGE_TEMPLATES, *(template or ())) if ensemble else tuple(template or ())
    wanted.where.expression()  # refuses what Milvus cannot carry before anything is loaded
    params = SearchParams(nprobe=nprobe, ef=ef)
    if sheet is not None:
        check_sheet_name(sheet)
    from search_core.search.engine import Query

    with open_workspace(settings) as workspace:
        store = workspace.store()
        is_more = bool(image or entity_id or text or not_like)
        if save is not None:
            _save(settings, save, wanted, is_sentence=not is_more)
        asked, where, k = wanted.sentence, wanted.where, wanted.k
        if asked:
            reading = workspace.library().understand(asked, where=where, literal=wanted.literal)
            _say_what_was_understood(reading, is_enough=is_more)
            asked, where = reading.rest, where.narrowed(reading.where)
        sequence = None if is_more else read_sequence(asked, literal=wanted.literal)
        if sequence is not None:
            note(f"Searched for {sequence.meaning}. --literal looks for the whole sentence.")
            found_pairs = answer_pairs(
                workspace.library().engine, sequence, k=k, where=where, without=wanted.without,
                params=params, min_score=min_score,
            )  # fmt: skip
            _print_pairs(found_pairs.pairs, wanted.sentence, settings, sheet=sheet, json=json)
            return
        query = Query(
            asked,
            picture,
            (entity_id,) if entity_id else (),
            text_weight,
            templates,
            wanted.without,
            without_weight,
            not_like=tuple(not_like or ()),
            lettering=tuple(text or ()),
        )
        engine = workspace.library().engine
        found = engine.answer(query, k=k, where=where, params=params, min_score=wanted.min_score)
        hits = found.hits
        known = not warn_of_unknown(store, settings.library, where)
        nothing_found = "" if hits else _nothing_found(store, settings.library, where, known, query)
    if sheet is not None and hits:
        from sightline.cli.contact_sheet import Section, write_contact_sheet

        title = _title(wanted.sentence, text, image, entity_id)
        write_contact_sheet(sheet, [Section(title, hits)], settings.data_dir)
    if found.effort.reason:
        note(found.effort.reason)
    for read in found.truncated:
        note(f'The encoder reads only the beginning of so long a sentence: "{read} …"')
    if found.unknown:
        note(f"These words mean nothing to this encoder: {', '.join(found.unknown)}.")
    if found.fits_nothing:
        note("No good match: no picture stands out for this. These are the nearest.")
    if query.quoted and found.unread:
        note(
            f"{counted(found.unread, 'picture')} {'has' if found.unread == 1 else 'have'} not been "
            "read yet: `sightline library read` does it."
        )
    if json:
        print_json([hit.to_dict() for hit in hits])
        return
    if not hits:
        say(nothing_found)
    else:
        say(hits_table(hits))
    if sheet is not None:
        say(f"Contact sheet: {sheet}" if hits else "No contact sheet was written.")


def _save(settings: Settings, name: str, wanted: searches.Wanted, *, is_sentence: bool) -> None:
    if not is_sentence or not wanted.sentence:
        raise UsageError(
            "Only searches for a sentence are saved by the command.",
            "Save others with the button Saved of the dashboard.",
        )
    note(f"Saved as {searches.save(settings, name, wanted).name}.")


def _print_pairs(
    pairs: list[Pair], title: str, settings: Settings, *, sheet: Path | None, json: bool
) -> None:
    """Print pairs of hits: one line each, with both times and how far they are apart."""
    if sheet is not None and pairs:
        from sightline.cli.contact_sheet import Section, write_contact_sheet

        hits = [hit for pair in pairs for hit in (pair.first, pair.second)]
        write_contact_sheet(sheet, [Section(title, hits)], settings.data_dir)
    if json:
        print_json([pair.to_dict() for pair in pairs])
        return
    if not pairs:
        say("Nothing was followed by the other in that time. Try a longer one.")
        return
    made = table(
        "#", "Score", "Camera", "First", "Then", "Apart", "File",
        right=("#", "Score", "Apart"), fold=("File",),
    )  # fmt: skip
    for pair in pairs:
        one, other = pair.first.entity, pair.second.entity
        cameras = dict.fromkeys(entity.camera or "–" for entity in (one, other))
        made.add_row(
            str(pair.rank),
            f"{pair.score:.2f}",
            " → ".join(cameras),
            local_time(one.captured_at),
            local_time(other.captured_at),
            f"{pair.apart_ms / 1000:.0f} s",
            shown_path(one.uri, 40),
            style="dim" if pair.is_less_sure else None,
        )
    say(made)
    if sheet is not None:
        say(f"Contact sheet: {sheet}")


def _say_what_was_understood(reading: Reading, *, is_enough: bool) -> None:
    """Print what a sentence was read as; raise UsageError where nothing is left to look for."""
    if not reading.parts:
        return
    words = ", ".join(f'"{part.words}" ({part.meaning})' for part in reading.parts)
    if not reading.rest and not is_enough:
        raise UsageError(
            f"Nothing is left to look for: {words} is filtered by.",
            "Say what to look for as well, or take the words as they are with --literal.",
        )
    note(f"Filtered by {words}. --literal looks for these words instead.")


def hits_table(hits: list[Hit], right: frozenset[int] | None = None) -> Table:
    """Return hits as people read them: one line each, less sure ones dimmed below a line.

    Where it is known which ranks are ``right``, those have a tick. Where a hit was found by a
    region of its picture, a column says which.
    """
    ticks = [] if right is None else [""]
    numbers = ("#", "Score", "At")
    where = ["Region"] if any(hit.box is not None for hit in hits) else []
    words = ["Read"] if any(hit.lines for hit in hits) else []
    columns = ("#", "Score", "Camera", "Time", "At", *where, *words, "File")
    made = table(*ticks, *columns, right=numbers, fold=(*words, "File"))
    longest_camera = max((len(hit.entity.camera) for hit in hits), default=0)
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
            *([" / ".join(line.text for line in hit.lines)] if words else []),
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


def _title(
    sentence: str | None, text: list[str] | None, image: Path | None, entity_id: str | None
) -> str:
    read = " ".join(f"“{words}”" for words in text or ())
    parts = [sentence, read or None, f"like {image.name}" if image else None]
    parts.append(f"like {entity_id}" if entity_id else None)
    return "  +  ".join(part for part in parts if part)


def _nothing_found(
    store: MilvusStore, library: str, where: Filter, known: bool, query: Query
) -> str:
    if store.count(library, where):
        if query.quoted:
            return "These words were read on no picture that passes."
        if query.without or query.not_like:
            return "Nothing is left without that; leave out less, or try a lower --min-score."
        return "Nothing scores that high; try a lower --min-score."
    if where.is_empty:
        return "The library is empty."
    if known:
        return why_nothing_passes(store, library, where)
    return "Nothing in the library passes these filters."
