"""`sightline delete`: keyframes out of a library, by id or by filter."""

from __future__ import annotations

from typing import Annotated

import typer

from search_core.errors import UsageError
from search_core.schema.filters import Filter
from search_core.search.query_log import filter_to_dict
from search_core.settings import Settings
from sightline.cli.admin import operator
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    IdFilter,
    JsonOption,
    LibraryOption,
    TagFilter,
    YesOption,
    make_filter,
    settings_of,
    warn_of_unknown,
    why_nothing_passes,
)
from sightline.cli.terminal import (
    confirmed,
    counted,
    err,
    note,
    open_workspace,
    print_json,
    say,
    warn,
)


def delete(
    ctx: typer.Context,
    ids: IdFilter = None,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    tag: TagFilter = None,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Of these (or of all), those whose file was deleted."),
    ] = False,
    library: LibraryOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete keyframes from a library, by id or by filter; says how many, and asks first.

    What passes all the filters goes, with its thumbnails. The footage itself is not touched, and a
    source none of whose keyframes are left may be ingested again. Ids: `sightline search --json`.

    With --missing only what a recorder or somebody deleted the file of goes. Files on a file system
    that is not mounted do not count as deleted.
    """
    settings = settings_of(ctx, library)
    where = make_filter(camera, after, before, tag, ids)
    if where.is_empty and not missing:
        raise UsageError(
            "Say what to delete: --id, --camera, --after, --before, --tag or --missing.",
            f"`sightline library drop {settings.library}` removes everything.",
        )
    if missing:
        _delete_missing(settings, where, yes=yes, json=json)
        return
    from ingest.rows.deletion import delete_entities

    with open_workspace(settings) as workspace:
        store = workspace.store()
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


def _delete_missing(settings: Settings, where: Filter, *, yes: bool, json: bool) -> None:
    from ingest.rows.retention import delete_missing, find_missing

    library = settings.library
    with open_workspace(settings) as workspace:
        store = workspace.store()
        with err().status("Looking …"):
            found = find_missing(settings, store, library, where)
        for reason, count in found.away.items():
            warn(f"{counted(count, 'keyframe')} left as they are: a file {reason}.")
        count = len(found.ids)
        question = f"Delete {counted(count, 'keyframe')} of deleted files from {library}?"
        if count and not confirmed(question, yes=yes):
            note("Nothing was deleted.")
            raise typer.Exit(1)
        if count:
            detail = {"filter": filter_to_dict(where), "missing": True, "count": count}
            operator.record(settings, "delete", library, detail)
        with err().status("Deleting …"):
            deleted = delete_missing(settings, store, library, found.ids)
    if json:
        print_json({"library": library, "deleted": deleted, "away": found.away.total()})
    else:
        say(f"Deleted {counted(deleted, 'keyframe')} of deleted files from the library {library}.")
