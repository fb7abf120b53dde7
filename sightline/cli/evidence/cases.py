"""`sightline case`: footage collected over searches, and exported with its proofs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from search_core.errors import UsageError
from search_core.schema.entity import clock_from_ms
from search_core.schema.filters import Filter
from search_core.settings import Settings
from sightline.cli.admin import audit
from sightline.cli.evidence.clips import (
    AfterOption,
    BeforeOption,
    ExactOption,
    entity_named,
)
from sightline.cli.options import (
    JsonOption,
    LibraryOption,
    YesOption,
    settings_of,
)
from sightline.cli.terminal import (
    confirm,
    counted,
    err,
    local_time,
    note,
    open_workspace,
    print_json,
    say,
    table,
    warn,
)

if TYPE_CHECKING:
    from ingest.evidence.cases import Cases, Item
    from ingest.media.video.clips import Box

app = typer.Typer(
    name="case",
    no_args_is_help=True,
    help="Cases: hits, clips and notes, collected over searches, exported as one zip.",
)

NameArgument = Annotated[str, typer.Argument(metavar="CASE", help="Which case.")]
ItemArgument = Annotated[int, typer.Argument(metavar="ITEM", help="Its number in the case.")]


@app.command("new")
def new(ctx: typer.Context, name: NameArgument) -> None:
    """Begin a case."""
    settings = settings_of(ctx)
    with _cases(settings) as cases:
        audit.record(settings, "case", detail={"case": name, "does": "begin"})
        made = cases.create(name, audit.who())
    say(f"The case {made.name} is begun. `sightline case add {made.name!r} ID` adds to it.")


@app.command("list")
def list_(ctx: typer.Context, json: JsonOption = False) -> None:
    """List all cases."""
    with _cases(settings_of(ctx)) as cases:
        found = [cases.get(name) for name in cases.names()]
    if json:
        print_json(
            [{"name": case.name, "by": case.made_by, "items": len(case.items)} for case in found]
        )
        return
    if not found:
        note("There is no case yet. `sightline case new NAME` begins one.")
        return
    made = table("Case", "Items", "Begun", "By", right=("Items",), fold=("Case",))
    for case in found:
        made.add_row(case.name, f"{len(case.items):,}", local_time(case.made_ms), case.made_by)
    say(made)


@app.command("show")
def show(ctx: typer.Context, name: NameArgument, json: JsonOption = False) -> None:
    """Show what is in a case, in its order."""
    with _cases(settings_of(ctx)) as cases:
        case = cases.get(name)
    if json:
        print_json([_plain(item) for item in case.items])
        return
    if not case.items:
        note(f"Nothing is in the case {name} yet. `sightline case add {name!r} ID` adds to it.")
        return
    made = table("Item", "What", "Camera", "Captured", "Note", right=("Item",), fold=("Note",))
    for item in case.items:
        made.add_row(*_cells(item))
    say(made)


@app.command("add")
def add(
    ctx: typer.Context,
    name: NameArgument,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Moments: ids of `sightline search`.")
    ],
    as_clip: Annotated[
        bool, typer.Option("--clip", help="Add clips around the moments, not pictures.")
    ] = False,
    lead: BeforeOption = 5.0,
    tail: AfterOption = 5.0,
    exact: ExactOption = False,
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What to say to each of them.")
    ] = "",
    asked: Annotated[
        str, typer.Option("--asked", metavar="SENTENCE", help="The search that found them.")
    ] = "",
    library: LibraryOption = None,
) -> None:
    """Add moments to a case, as pictures at full size or as clips of the footage around them."""
    settings = settings_of(ctx, library)
    from ingest.evidence.cases import clip_item, picture_item
    from ingest.evidence.originals import span_around

    by = audit.who()
    with open_workspace(settings) as workspace, _cases(settings) as cases:
        cases.get(name)
        found = workspace.library().entities(Filter(ids=tuple(ids)), limit=len(ids))
        entities = [entity_named([e for e in found if e.id == wanted], wanted) for wanted in ids]
        items = [
            clip_item(settings.library, entity, span_around(entity, lead, tail), by, exact=exact)
            if as_clip
            else picture_item(settings.library, entity, by)
            for entity in entities
        ]
        detail = {"case": name, "does": "add", "ids": [entity.id for entity in entities]}
        audit.record(settings, "case", settings.library, detail)
        cases.add(name, [replace(item, note=text.strip(), asked=asked.strip()) for item in items])
    say(f"Added to the case {name}: {counted(len(items), 'clip' if as_clip else 'picture')}.")


@app.command("note")
def add_note(
    ctx: typer.Context,
    name: NameArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to write.")],
    item: Annotated[
        int | None,
        typer.Option("--item", metavar="ITEM", help="To this item, in place of its note."),
    ] = None,
) -> None:
    """Write a note into a case, by itself or to one of its items."""
    settings = settings_of(ctx)
    from ingest.evidence.cases import checked_note, note_item

    with _cases(settings) as cases:
        case = cases.get(name)
        audit.record(settings, "case", detail={"case": name, "does": "note"})
        if item is None:
            cases.add(name, [note_item(text, audit.who())])
        else:
            cases.change(name, replace(case.item(item), note=checked_note(text)))
    say(f"Noted in the case {name}.")


@app.command("blur")
def blur(
    ctx: typer.Context,
    name: NameArgument,
    item: ItemArgument,
    boxes: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="L,T,R,B",
            help="Left, top, right and bottom in percent of the picture; may be repeated. "
            "Without any, nothing of it is blurred any more.",
        ),
    ] = None,
) -> None:
    """Blur regions of an item in what is exported, in a clip all along; footage is not changed."""
    settings = settings_of(ctx)
    wanted = tuple(_box(text) for text in boxes or ())
    with _cases(settings) as cases:
        case = cases.get(name)
        changed = replace(case.item(item), boxes=wanted)
        audit.record(settings, "case", detail={"case": name, "does": "blur", "item": item})
        cases.change(name, changed)
    say(f"Item {item} of the case {name}: {counted(len(wanted), 'region')} to blur.")


@app.command("move")
def move(
    ctx: typer.Context,
    name: NameArgument,
    item: ItemArgument,
    place: Annotated[int, typer.Argument(metavar="PLACE", min=1, help="Its place, from 1.")],
) -> None:
    """Put an item of a case at another place of its order."""
    settings = settings_of(ctx)
    with _cases(settings) as cases:
        cases.get(name).item(item)
        audit.record(settings, "case", detail={"case": name, "does": "move", "item": item})
        cases.move(name, item, place)
    say(f"Item {item} of the case {name} is at place {place}.")


@app.command("remove")
def remove(ctx: typer.Context, name: NameArgument, item: ItemArgument) -> None:
    """Take an item out of a case; the library keeps what it is of."""
    settings = settings_of(ctx)
    with _cases(settings) as cases:
        cases.get(name).item(item)
        audit.record(settings, "case", detail={"case": name, "does": "remove", "item": item})
        cases.remove(name, item)
    say(f"Item {item} is not in the case {name} any more.")


@app.command("delete")
def delete(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Delete a case; libraries and what was exported of it stay."""
    settings = settings_of(ctx)
    with _cases(settings) as cases:
        count = len(cases.get(name).items)
        question = f"Delete the case {name} with {counted(count, 'item')}?"
        confirm(question, yes=yes, otherwise="Nothing was deleted.")
        audit.record(settings, "case", detail={"case": name, "does": "delete"})
        cases.delete(name)
    say(f"The case {name} is deleted.")


@app.command("export")
def export(
    ctx: typer.Context,
    name: NameArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.zip", help="What to write; by default CASE.zip."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a case into one zip: pictures at full size, clips, a sheet to print, lists and hashes.

    `sightline case verify` tells on any machine whether it is as it was written. Keep the
    fingerprint that is printed: who changes a zip can change its hashes, and not this. Exits with 1
    where the original of an item could not be had and its thumbnail stands for it.
    """
    settings = settings_of(ctx)
    with open_workspace(settings) as workspace:
        case = workspace.cases().get(name)
        if not case.items:
            raise UsageError(
                "Nothing is in the case {name} yet.", "`sightline case add` adds to it.", name=name
            )
        target = out or Path(f"{name}.zip")
        audit.record(settings, "export", detail={"case": name, "file": str(target)})
        with err().status("Writing …") as status:
            written = workspace.export_case(
                name,
                target,
                by=audit.who(),
                on_progress=lambda done, total: status.update(f"Writing item {done} of {total} …"),
            )
    sealed = {"case": name, "file": str(target), "fingerprint": written.fingerprint}
    audit.record(settings, "case", detail={**sealed, "does": "seal"})
    if json:
        print_json({**sealed, "items": len(case.items), "remarks": list(written.remarks)})
    else:
        say(f"{target}: {counted(len(case.items), 'item')} of the case {name}.")
        say(f"Fingerprint: {written.fingerprint}")
        for remark in written.remarks:
            warn(f"Item {remark}")
    if written.remarks:
        raise typer.Exit(1)


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="An exported case.")],
    json: JsonOption = False,
) -> None:
    """Tell whether an exported case is as it was written; exits with 1 where it is not.

    Needs no library. Compare the fingerprint with the one that was printed when it was exported.
    """
    from ingest.evidence.verification import verify_bundle

    found = verify_bundle(file)
    if json:
        print_json(
            {
                "file": str(file),
                "title": found.title,
                "made_at": found.made_at,
                "files": found.files,
                "fingerprint": found.fingerprint,
                "problems": list(found.problems),
            }
        )
    elif found.problems:
        warn(f"{file} is not as it was written:")
        for problem in found.problems:
            say(problem)
    else:
        say(f"{file} is as it was written: {found.title}, {found.made_at}, {found.files} files.")
        say(Text.assemble("Fingerprint: ", found.fingerprint))
    if found.problems:
        raise typer.Exit(1)


@contextmanager
def _cases(settings: Settings) -> Iterator[Cases]:
    from ingest.evidence.cases import Cases

    with Cases(settings.cases_path) as cases:
        yield cases


def _box(text: str) -> Box:
    from ingest.media.video.clips import Box

    try:
        left, top, right, bottom = (float(part) / 100 for part in text.split(","))
        return Box(left, top, right, bottom)
    except ValueError:
        raise UsageError(
            "{text} is no region.",
            "Give left, top, right and bottom in percent, such as 10,20,30,40.",
            text=repr(text),
        ) from None


def _cells(item: Item) -> tuple[str, ...]:
    what: str = item.kind
    if item.span is not None:
        what += f" {clock_from_ms(item.span.start_ms)} to {clock_from_ms(item.span.end_ms)}"
    if item.boxes:
        what += f", {counted(len(item.boxes), 'region')} blurred"
    entity = item.entity
    if entity is None:
        return str(item.number), what, "", "", item.note
    return str(item.number), what, entity.camera, local_time(entity.captured_at), item.note


def _plain(item: Item) -> dict[str, Any]:
    entity = item.entity
    return {
        "item": item.number,
        "kind": item.kind,
        "note": item.note,
        "library": item.library,
        "id": entity.id if entity else None,
        "camera": entity.camera if entity else None,
        "captured_at": entity.captured_at_iso if entity else None,
        "uri": entity.uri if entity else None,
        "span_ms": [item.span.start_ms, item.span.end_ms] if item.span else None,
        "boxes": [[box.left, box.top, box.right, box.bottom] for box in item.boxes],
        "added_by": item.added_by,
    }
