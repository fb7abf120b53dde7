"""`sightline delete`: keyframes out of a library, by id or by filter."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import operator
from cli.filter_check import warn_of_unknown, why_nothing_passes
from cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    JsonOption,
    LibraryOption,
    TagFilter,
    YesOption,
    make_filter,
    settings_of,
)
from cli.terminal import confirmed, counted, err, note, print_json, say
from cli.workspace import open_store
from search_core.errors import UsageError
from search_core.query_log import filter_to_dict


def delete(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="This keyframe; give it again for several."),
    ] = None,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    tag: TagFilter = None,
    library: LibraryOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete keyframes from a library, by id or by filter; says how many, and asks first.

    What passes all the filters goes, with its thumbnails. The footage itself is not touched, and a
    source none of whose keyframes are left may be ingested again. Ids: `sightline search --json`.
    """
    settings = settings_of(ctx, library)
    where = make_filter(camera, after, before, tag, ids)
    if where.is_empty:
        raise UsageError(
            "Say what to delete: --id, --camera, --after, --before or --tag.",
            f"`sightline library drop {settings.library}` removes everything.",
        )
    from ingest.removal import delete_entities

    with open_store(settings) as store:
        count = store.count(settings.library, where)
        known = not warn_of_unknown(store, settings.library, where)
        nothing = why_nothing_passes(store, settings.library, where) if known and not count else ""
        if count and not confirmed(
            f"Delete {counted(count, 'keyframe')} from the library {settings.library}?", yes=yes
        ):
            note("Nothing was deleted.")
            raise typer.Exit(1)
        if count:
            detail = {"filter": filter_to_dict(where), "count": count}
            operator.record(settings, "delete", settings.library, detail)
        with err().status("Deleting …"):
            deleted, forgotten = (
                delete_entities(settings, store, settings.library, where) if count else (0, 0)
            )
    if json:
        print_json({"library": settings.library, "deleted": deleted, "sources": forgotten})
    elif deleted:
        say(
            f"Deleted {counted(deleted, 'keyframe')} from the library {settings.library}; "
            f"{counted(forgotten, 'source')} may be ingested again."
        )
    else:
        say(nothing or f"Nothing in the library {settings.library} matches.")
