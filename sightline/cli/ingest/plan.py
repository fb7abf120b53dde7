"""`sightline plan`: what an ingest would come to, before a long one is begun."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal

from ingest.media.capture_time.claims import file_time_warning
from ingest.media.keyframes.registry import parse_selector
from ingest.options import IngestOptions
from search_core.errors import IndexParameterError, LibraryNotFound
from search_core.indexes import FASTEST_FIRST, start_for
from search_core.indexes.milvus_version import ServerInfo
from search_core.indexes.sizing import estimate
from search_core.settings import Settings
from search_core.store.library import EVERY_ROW
from search_core.system.machine import cores
from sightline.cli.options import JsonOption, LibraryOption, NamePatternOption, finite, settings_of
from sightline.cli.terminal import (
    counted,
    facts,
    open_workspace,
    print_json,
    progress_bar,
    say,
    shown_path,
    table,
    warn,
)

if TYPE_CHECKING:
    from ingest.estimate.probe import Expected
    from ingest.estimate.survey import Survey

_SHOWN_FAILURES = 5
_SHOWN_CAMERAS = 8
_TARGET_RECALL = 0.95


def plan(
    ctx: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="What `sightline ingest` would be given.")
    ],
    library: LibraryOption = None,
    keyframes: Annotated[
        str, typer.Option(metavar="HOW", help="As for `sightline ingest`.")
    ] = "auto",
    name_pattern: NamePatternOption = None,
    budget: Annotated[
        float,
        typer.Option(
            min=1.0,
            callback=finite,
            metavar="SECONDS",
            help="How long sampling may take, about.",
        ),
    ] = 20.0,
    json: JsonOption = False,
) -> None:
    """Say what an ingest would come to: sources, hours, keyframes, time, disk and memory.

    Headers are read, and a sample of the footage, spread over all of it, is decoded and embedded on
    this machine. Nothing is kept. What is in the library already is not counted again. The exit
    code is 1 when a path does not exist, or something below it cannot be listed or read.
    """
    settings = settings_of(ctx, library)
    asked = IngestOptions(keyframes, name_patterns=tuple(name_pattern or ()))
    parse_selector(keyframes)  # refused before anything is loaded
    asked.naming(settings, paths)
    milvus = _milvus(settings)
    with open_workspace(settings) as workspace:
        encoder = workspace.encoder()
    from ingest.engines.base import fitting_workers
    from ingest.estimate.planner import Planner
    from ingest.estimate.survey import surveyed
    from ingest.intake import Plan

    with progress_bar("Planning", steps=True) as show:
        show(0, None, "looking for media")
        plan = Plan.of(paths, asked, settings, encoder, settings.library)
        found = surveyed(paths, plan, settings, anew=not milvus.rows)
        planner = Planner(
            settings,
            encoder,
            plan,
            budget,
            lambda progress: show(progress.share, 1.0, progress.doing),
        )
        expected = planner.expect(found, settings.media.workers or fitting_workers(), cores())
    rows = milvus.rows + expected.keyframes
    types = _types(rows, encoder.identity.dim, milvus.server)
    if json:
        print_json(_record(found, expected, milvus, types))
    else:
        _print(found, expected, milvus, types)
    if any(outcome.stage == "find" for outcome in found.failing):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Milvus:
    """The Milvus in use, and how many rows the library has there."""

    server: ServerInfo
    rows: int
    index_type: str


def _milvus(settings: Settings) -> _Milvus:
    if open_workspace(settings).is_untouched:
        return _Milvus(ServerInfo.reported(version("milvus-lite"), embedded=True), 0, "")
    with open_workspace(settings) as workspace:
        store = workspace.store()
        server = store.server()
        try:
            info = store.library(settings.library)
        except LibraryNotFound:
            return _Milvus(server, 0, "")
        return _Milvus(server, store.count(info.name, EVERY_ROW), info.index.index_type)


def _types(rows: int, dim: int, server: ServerInfo) -> list[dict[str, Any]]:
    """Return what each index type of this Milvus needs for a number of rows."""
    found = []
    for name in sorted(FASTEST_FIRST):
        with suppress(IndexParameterError):
            spec = start_for(name, max(1, rows), dim, _TARGET_RECALL).spec
            if not spec.offer.refusal(server):
                needed = estimate(spec, rows, dim, server)
                found.append(
                    {
                        "index_type": name,
                        "memory_bytes": needed.memory_bytes,
                        "disk_bytes": needed.disk_bytes,
                    }
                )
    return found


def _record(
    found: Survey,
    expected: Expected,
    milvus: _Milvus,
    types: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "sources": {
            "pending": len(found.pending),
            "known": found.known,
            "duplicates": found.duplicates,
            "skipped": dict(found.skipped),
        },
        "failures": [
            {"uri": outcome.uri, "stage": outcome.stage, "reason": outcome.reason}
            for outcome in (*found.failing, *expected.unreadable)
        ],
        "cameras": dict(found.cameras.most_common()),
        "questions": [{"uri": uri, "question": question} for uri, question in found.questions],
        "images": expected.images,
        "videos": expected.videos,
        "video_hours": round(expected.video_ms / 3_600_000, 4),
        "sampled_hours": round(expected.sampled_ms / 3_600_000, 4),
        "keyframes": expected.keyframes,
        "seconds": round(expected.seconds, 1),
        "reading_seconds": round(expected.reading_s, 3),
        "core_seconds": {
            "start": round(expected.start_s, 1),
            "decode": round(expected.decode_s, 1),
            "embed": round(expected.embed_s, 1),
        },
        "thumbnail_bytes": expected.thumbnail_bytes,
        "file_times": expected.file_times,
        "milvus": str(milvus.server),
        "rows_after": milvus.rows + expected.keyframes,
        "indexes": types,
    }


def _print(
    found: Survey,
    expected: Expected,
    milvus: _Milvus,
    types: list[dict[str, Any]],
) -> None:
    failing = [*found.failing, *expected.unreadable]
    apart = {
        "in the library already": found.known,
        "the same file twice": found.duplicates,
        **found.skipped,
        "cannot be read": len(failing),
    }
    rows = [("To take in", _sources(found, expected))]
    told = ", ".join(f"{number:,} {what}" for what, number in apart.items() if number)
    if told:
        rows.append(("Left out", told))
    if found.cameras:
        rows.append(("Cameras", _cameras(found.cameras)))
    if expected.video_ms:
        share = min(1.0, expected.sampled_ms / expected.video_ms)
        rows.append(("Video", f"{_span(expected.video_ms / 1000)}, {share:.0%} of it sampled"))
    rows.append(("Keyframes", f"{expected.keyframes:,}"))
    rows.append(("Time", f"{_span(expected.seconds)} on this machine"))
    if expected.reading_s:
        rows.append(("Lettering", f"{_span(expected.reading_s)} more, when all can be searched"))
    rows.append(("Thumbnails", decimal(expected.thumbnail_bytes)))
    say(facts(rows))
    say()
    after = milvus.rows + expected.keyframes
    say(f"With {counted(after, 'keyframe')}, {milvus.server} needs, all told:")
    made = table("Index", "Memory", "Disk", right=("Memory", "Disk"))
    for item in types:
        mark = " (in use)" if item["index_type"] == milvus.index_type else ""
        made.add_row(
            item["index_type"] + mark, decimal(item["memory_bytes"]), decimal(item["disk_bytes"])
        )
    say(made)
    for outcome in failing[:_SHOWN_FAILURES]:
        say(f"✗ {shown_path(outcome.uri)}: {outcome.reason}")
    if len(failing) > _SHOWN_FAILURES:
        say(f"… and {len(failing) - _SHOWN_FAILURES} more; --json lists them all.")
    sources = sum(pending.is_here for pending in found.pending)
    about = expected.file_times_estimated
    if warning := file_time_warning(expected.file_times, sources, about=about):
        warn(warning)
    for uri, question in found.questions[:_SHOWN_FAILURES]:
        warn(f"{shown_path(uri)} {question}.")
    if len(found.questions) > _SHOWN_FAILURES:
        warn(f"… and {len(found.questions) - _SHOWN_FAILURES} more such names; --json lists them.")
    if not found.pending:
        say("There is nothing new to take in.")
        return
    say(
        f"Taking this in should give some {counted(expected.keyframes, 'keyframe')} in about "
        f"{_span(expected.seconds)}."
    )


def _sources(found: Survey, expected: Expected) -> str:
    parts = [
        counted(number, noun)
        for number, noun in ((expected.videos, "video"), (expected.images, "picture"))
        if number
    ]
    return f"{counted(len(found.pending), 'source')}" + (f": {', '.join(parts)}" if parts else "")


def _cameras(cameras: Counter[str]) -> str:
    shown = ", ".join(
        f"{name} ({number:,})" for name, number in cameras.most_common(_SHOWN_CAMERAS)
    )
    rest = len(cameras) - _SHOWN_CAMERAS
    return f"{len(cameras):,}: {shown}" + (f" and {rest:,} more" if rest > 0 else "")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
