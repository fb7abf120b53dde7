"""`sightline delete`: keyframes out of a library, by id or by filter, and `sightline prune`: rows,
pictures and jobs that exceed their retention period.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import UsageError
from search_core.schema.clocks import format_duration
from search_core.schema.filters import Filter
from search_core.search.query_log import filter_to_dict
from search_core.search.query_pictures import QueryPictures
from search_core.settings import Settings
from sightline.cli.admin import audit
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    IdFilter,
    JsonOption,
    LibraryOption,
    TagFilter,
    YesOption,
    duration,
    make_filter,
    settings_of,
    warn_of_unknown,
    why_nothing_passes,
)
from sightline.cli.terminal import (
    confirm,
    counted,
    err,
    note,
    open_workspace,
    print_json,
    say,
    table,
    warn,
)

if TYPE_CHECKING:
    from ingest.rows.retention import Rule


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
        deleted = forgotten = 0
        if count:
            question = f"Delete {counted(count, 'keyframe')} from the library {settings.library}?"
            _confirm(settings, question, {"filter": filter_to_dict(where), "count": count}, yes=yes)
            with err().status("Deleting …"):
                deleted, forgotten = delete_entities(settings, store, settings.library, where)
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
        if count:
            question = f"Delete {counted(count, 'keyframe')} of deleted files from {library}?"
            detail = {"filter": filter_to_dict(where), "missing": True, "count": count}
            _confirm(settings, question, detail, yes=yes)
        with err().status("Deleting …"):
            deleted = delete_missing(settings, store, library, found.ids)
    if json:
        print_json({"library": library, "deleted": deleted, "away": found.away.total()})
    else:
        say(f"Deleted {counted(deleted, 'keyframe')} of deleted files from the library {library}.")


def _confirm(settings: Settings, question: str, detail: dict[str, object], *, yes: bool) -> None:
    confirm(question, yes=yes, otherwise="Nothing was deleted.")
    audit.record(settings, "delete", settings.library, detail)


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="Remove what is older than this, such as 30d, instead of following the rules.",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only what is of this camera."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    library: LibraryOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove keyframes that are older than they may be, with their thumbnails and stills.

    The rules are `retain` of each camera and the table `retain` of libraries in sightline.toml, and
    `sightline watch --retain`; cameras that are watched are pruned every hour by themselves. Age
    goes by when it was captured. Footage files are not touched; --older-than asks first. What was
    deleted is purged from the trash after 30 days, whatever the rules.

    The table `forget_missing` of libraries in sightline.toml says after how long keyframes go whose
    file was deleted, such as by the recorder.

    Without options it also takes jobs out of `sightline jobs` that ended 90 days ago or longer, and
    removes pictures that were last searched by 30 days ago or longer.
    """
    settings = settings_of(ctx, library)
    from ingest.rows.deletion import purge_outdated
    from ingest.rows.retention import Rule, forget_missing, rules_of
    from ingest.rows.retention import prune as run

    if older_than is not None:
        rules = [Rule(settings.library, older_than, camera)]
    else:
        rules = [
            rule
            for rule in rules_of(settings)
            if camera in (None, rule.camera) and library in (None, rule.library)
        ]
    if older_than is None and camera is None and library is None:
        _forget_jobs(settings, dry_run=dry_run)
        _forget_query_pictures(settings, dry_run=dry_run)
    missing = settings.forget_missing if older_than is None and camera is None else {}
    missing = {name: age for name, age in missing.items() if library in (None, name)}
    if not rules and open_workspace(settings).is_untouched:
        raise _no_rules()
    now = datetime.now(UTC)
    with open_workspace(settings) as workspace:
        store = workspace.store()
        # Whatever the rules: what was deleted stays in the trash for its own time.
        purged = 0 if dry_run else purge_outdated(settings, store)
        if purged:
            note(f"Purged from the trash: {counted(purged, 'keyframe')}.")
        elif not rules and not missing:
            raise _no_rules()
        if older_than is not None and not dry_run:
            due = run(settings, store, rules[0], now, dry_run=True).keyframes
            what = f"{counted(due, 'keyframe')} older than {format_duration(older_than)}"
            where = f" of {camera}" if camera else ""
            if due:
                question = f"Remove {what}{where} from the library {settings.library}?"
                confirm(question, yes=yes, otherwise="Nothing was removed.")
        if not dry_run:
            _record_rules(settings, rules)
            for name in missing:
                audit.record(settings, "delete", name, {"missing": True})
        with err().status("Looking …" if dry_run else "Removing …"):
            pruned = [run(settings, store, rule, now, dry_run=dry_run) for rule in rules]
            forgotten = {
                name: forget_missing(settings, store, name, age, now, dry_run=dry_run)
                for name, age in sorted(missing.items())
            }
    if json:
        print_json(
            [
                {
                    "library": item.rule.library,
                    "camera": item.rule.camera,
                    "retain_s": item.rule.retain.total_seconds(),
                    "keyframes": item.keyframes,
                    "removed": not dry_run,
                }
                for item in pruned
            ]
            + [
                {
                    "library": name,
                    "missing_s": missing[name].total_seconds(),
                    "keyframes": count,
                    "removed": not dry_run,
                }
                for name, count in forgotten.items()
            ]
        )
        return
    heading = "Would go" if dry_run else "Removed"
    for name, count in forgotten.items():
        say(f"{heading} from {name}, their files being deleted: {counted(count, 'keyframe')}.")
    if not rules:
        return
    made = table("Library", "Camera", "Kept for", heading, right=(heading,))
    for item in pruned:
        rule = item.rule
        made.add_row(
            rule.library, rule.camera or "all", format_duration(rule.retain), f"{item.keyframes:,}"
        )
    say(made)


def _forget_jobs(settings: Settings, *, dry_run: bool) -> None:
    if settings.queue is None and not settings.jobs_path.exists():
        return
    from ingest.jobs.client import KEPT, Jobs

    with closing(Jobs(settings)) as jobs:
        count = jobs.forget_finished(dry_run=dry_run)
    if count:
        forgotten = "To be forgotten" if dry_run else "Forgotten"
        note(f"{forgotten}: {counted(count, 'job')} that ended {KEPT.days} days ago or longer.")


def _forget_query_pictures(settings: Settings, *, dry_run: bool) -> None:
    count = QueryPictures(settings.query_pictures_dir).forget_old(dry_run=dry_run)
    if count:
        forgotten = "To be forgotten" if dry_run else "Forgotten"
        note(f"{forgotten}: {counted(count, 'picture')} that searches were made by.")


def _no_rules() -> UsageError:
    return UsageError(
        "Nothing says how long keyframes are kept.",
        "Set retain in sightline.toml, or give --older-than 30d.",
    )


def _record_rules(settings: Settings, rules: Sequence[Rule]) -> None:
    for rule in rules:
        older_than = format_duration(rule.retain)
        detail = {"older than": older_than, "camera": rule.camera or "all"}
        audit.record(settings, "delete", rule.library, detail)
