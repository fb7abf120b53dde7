"""`sightline library`: list, show, correct, re-embed and drop libraries, and `sightline status`:
data directory, Milvus, libraries, and the space they take.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.filesize import decimal
from rich.text import Text

from ingest.ledger import Ledger
from ingest.media.regions.registry import regions_help, spelled
from ingest.report import ReembedReport, RegionsReport
from search_core.errors import StoreError
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.endpoint import resolve_endpoint, running_serve
from search_core.system.machine import bytes_below
from sightline.cli.admin import audit
from sightline.cli.ingest.ingest import print_doubted, print_reading, stoppable
from sightline.cli.library import corrections
from sightline.cli.options import (
    AfterFilter,
    BeforeFilter,
    CameraFilter,
    DownloadOption,
    JsonOption,
    NameArgument,
    YesOption,
    downloads_agreed,
    make_filter,
    settings_of,
)
from sightline.cli.terminal import (
    confirm,
    counted,
    err,
    facts,
    local_time,
    note,
    open_workspace,
    print_json,
    progress_bar,
    say,
    say_done,
    shown_path,
    table,
    warn,
)

_SHOWN = 10
app = typer.Typer(
    name="library",
    help="List, show, correct, read, re-embed and drop libraries.",
    no_args_is_help=True,
)


@app.command("list")
def list_libraries(ctx: typer.Context, json: JsonOption = False) -> None:
    """List the libraries with their sizes, encoders and indexes."""
    settings = settings_of(ctx)
    records: list[dict[str, Any]] = []
    rows = table(
        "Library", "Keyframes", "Index", "Encoder", "Created",
        right=("Keyframes",), fold=("Encoder",),
    )  # fmt: skip
    with open_workspace(settings) as workspace:
        for info in workspace.libraries():
            count = workspace.store().count(info.name)
            records.append({**info.to_dict(), "keyframes": count})
            rows.add_row(
                info.name,
                f"{count:,}",
                info.index.index_type,
                info.encoder.label,
                local_time(info.created_at),
            )
    if json:
        print_json(records)
    elif records:
        say(rows)
    else:
        say("There are no libraries yet; `sightline ingest PATH` makes one.")


@app.command("show")
def show(ctx: typer.Context, name: NameArgument = None, json: JsonOption = False) -> None:
    """Show one library: its size, encoder, index and what was ingested into it."""
    settings = settings_of(ctx, name)
    with open_workspace(settings) as workspace:
        store = workspace.store()
        info = store.library(settings.library)
        count = store.count(info.name)
        sources = workspace.ledger().counts(info.name)
    if json:
        print_json({**info.to_dict(), "keyframes": count, "sources": sources})
        return
    params = ", ".join(f"{name} {value}" for name, value in info.index.build_params().items())
    say(
        facts(
            [
                ("Library", info.name),
                ("Keyframes", f"{count:,}"),
                ("Sources", ", ".join(f"{n:,} {status}" for status, n in sources.items()) or "–"),
                ("Encoder", info.encoder.label),
                ("Index", f"{info.index.index_type} {params}".strip()),
                ("Metric", info.metric),
                ("Created", local_time(info.created_at)),
                ("Collection", info.collection),
            ]
        )
    )


app.command("retime")(corrections.retime)
app.command("recamera")(corrections.recamera)


@app.command("reembed")
def reembed(
    ctx: typer.Context,
    name: NameArgument = None,
    regions: Annotated[
        str | None,
        typer.Option(
            "--regions",
            metavar="WHICH",
            help=f"Keep the encoder, and give the keyframes these regions: {regions_help()}",
        ),
    ] = None,
    job: Annotated[
        bool, typer.Option("--job", help="Let a worker do it; `sightline jobs` shows how far.")
    ] = False,
    yes: DownloadOption = False,
    json: JsonOption = False,
) -> None:
    """Give a library the encoder that --model and --pretrained name, or regions.

    Without --model it is the one recommended for real footage on this machine; `sightline models`
    lists others.

    Every keyframe is decoded again from its source at its moment, and embedded beside the vectors
    there are; the library answers with its old encoder until all of them are there. What cannot be
    decoded any more is embedded from its thumbnail. Ended midway, the library is as it was.

    With --regions, parts of the keyframes are embedded as well, or others than before. Keyframes
    whose source is gone keep what they have, as those of live cameras do with "motion". Ended
    midway, the same command goes on from there.
    """
    settings = settings_of(ctx, name)
    if yes:
        settings = downloads_agreed(settings)
    if regions is not None:
        regions = spelled(regions)
    if job:
        _queue_reembedding(settings, regions, json=json)
        return
    if regions is not None:
        _give_regions(settings, regions, json=json)
        return
    from ingest.curation.reembedding import reembed as run

    with open_workspace(settings) as workspace:
        store = workspace.store()
        store.library(settings.library)
        if settings.model == AUTO_MODEL:
            spec = workspace.encoder_for_footage()
            encoder = workspace.encoder(spec.name, spec.pretrained)
        else:
            encoder = workspace.encoder()
        with progress_bar("Embedding") as show:
            report = run(settings, store, settings.library, encoder, on_progress=show)
    _print_reembedding(settings, report, json=json)


def _give_regions(settings: Settings, kind: str, *, json: bool) -> None:
    with (
        open_workspace(settings) as workspace,
        progress_bar("Embedding regions", "keyframes") as show,
    ):
        report = workspace.library().give_regions(kind, on_progress=show)
    _print_reembedding(settings, report, json=json)


def _print_reembedding(
    settings: Settings, report: ReembedReport | RegionsReport, *, json: bool
) -> None:
    if json:
        print_json({"library": settings.library, **report.to_json()})
        return
    say_done(f"{settings.library}: {report.summary}.")
    for uri, reason in list(report.reasons.items())[:_SHOWN]:
        warn(f"{shown_path(uri)} {reason}")
    if len(report.reasons) > _SHOWN:
        note(f"… and {counted(len(report.reasons) - _SHOWN, 'more file')}; --json lists them all.")


@app.command("read")
def read(
    ctx: typer.Context,
    name: NameArgument = None,
    camera: CameraFilter = None,
    after: AfterFilter = None,
    before: BeforeFilter = None,
    json: JsonOption = False,
) -> None:
    """Read lettering on the keyframes that were not read yet, those of live cameras as well.

    An ingest reads its own where what reads is installed (the extra "reading"); this is for what
    was taken in before that, or with --read off. Ctrl-C stops it; run again, it goes on from there.
    """
    settings = settings_of(ctx, name)
    where = make_filter(camera, after, before, None)
    with open_workspace(settings) as workspace:
        library = workspace.library()
        with stoppable() as should_stop, progress_bar("Reading", "keyframes") as show:
            report = library.read_lettering(where, on_progress=show, should_stop=should_stop)
    if json:
        print_json({"library": settings.library, **report.to_json()})
    elif report.keyframes or report.failed:
        print_reading(report)
        print_doubted(list(report.time_warnings.items()))
    elif not report.interrupted:
        say("Every keyframe was read before.")
    if report.interrupted:
        warn("Stopped before the end; the same command goes on from here.")
        raise typer.Exit(1)


def _queue_reembedding(settings: Settings, regions: str | None, *, json: bool) -> None:
    from ingest.jobs.client import Jobs
    from ingest.jobs.requests import ReembedRequest

    model, pretrained = settings.model, settings.pretrained
    if model == AUTO_MODEL and regions is None:
        with open_workspace(settings) as workspace:
            spec = workspace.encoder_for_footage()
        model, pretrained = spec.name, spec.pretrained
    with closing(Jobs(settings)) as jobs:
        asked = ReembedRequest(settings.library, model, pretrained, regions)
        job_id = jobs.submit(asked)
    if json:
        print_json({"job": job_id})
    else:
        say(f"Queued; `sightline jobs show {job_id}` says how far it is.")


@app.command("drop")
def drop(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which library.")],
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove a library: its vectors, its thumbnails and what is remembered of its sources.

    The footage and the photographs themselves are not touched. Thumbnails that another library
    shows as well are kept.
    """
    settings = settings_of(ctx, name)
    from ingest.rows.deletion import drop_library

    with open_workspace(settings) as workspace:
        store = workspace.store()
        count = store.count(name)
        question = f"Drop the library {name} with {counted(count, 'keyframe')}?"
        confirm(question, yes=yes, otherwise="Nothing was dropped.")
        audit.record(settings, "drop", name, {"count": count})
        drop_library(settings, store, name)
    if json:
        print_json({"library": name, "dropped": count})
    else:
        say(f"Dropped the library {name}: {counted(count, 'keyframe')}.")


def status(ctx: typer.Context, json: JsonOption = False) -> None:
    """Show the data directory, Milvus, the libraries, what was ingested, and the space it takes."""
    settings = settings_of(ctx)
    with err().status("Looking …"):
        record = _status(settings)
    if json:
        print_json(record)
    else:
        _print_status(record)
    if record["milvus"]["error"]:
        raise typer.Exit(1)


def _status(settings: Settings) -> dict[str, Any]:
    endpoint = resolve_endpoint(settings)
    serve = running_serve(settings)
    milvus: dict[str, Any] = {
        "uri": endpoint.uri,
        "embedded": endpoint.embedded,
        "version": None,
        "error": None,
    }
    libraries: list[dict[str, Any]] = []
    if not open_workspace(settings).is_untouched:
        try:
            with open_workspace(settings) as workspace:
                store = workspace.store()
                milvus["version"] = store.server().version
                libraries = [
                    {
                        "name": info.name,
                        "keyframes": store.count(info.name),
                        "encoder": info.encoder.to_dict(),
                        "index_type": info.index.index_type,
                    }
                    for info in store.libraries()
                ]
        except StoreError as error:
            milvus["error"] = error.message
    _add_sources(settings, libraries)
    return {
        "data_dir": str(settings.data_dir),
        "milvus": milvus,
        "serve": asdict(serve) if serve else None,
        "encoder": {"model": settings.model, "pretrained": settings.pretrained},
        "libraries": libraries,
        "disk": {
            "vectors_bytes": bytes_below(settings.milvus_lite_dir),
            "thumbnails_bytes": bytes_below(settings.thumbnails_dir),
            "data_dir_bytes": bytes_below(settings.data_dir),
        },
    }


def _add_sources(settings: Settings, libraries: list[dict[str, Any]]) -> None:
    if not settings.ledger_path.exists():
        return
    from ingest.sources.media_locator import present

    with Ledger(settings.ledger_path) as ledger:
        for library in libraries:
            failed = present(settings, ledger, ledger.outcomes(library["name"], "failed"))
            library["sources"] = {**ledger.counts(library["name"]), "failed": len(failed)}
            library["left_out"] = ledger.left_out(library["name"])


def _print_status(record: dict[str, Any]) -> None:
    milvus, serve, disk = record["milvus"], record["serve"], record["disk"]
    where = f"Milvus Lite, {shown_path(milvus['uri'])}" if milvus["embedded"] else milvus["uri"]
    if milvus["error"]:
        said: RenderableType = Text.assemble(("✗ ", "red"), milvus["error"])
    elif milvus["version"]:
        said = f"{where} (version {milvus['version']})"
    else:
        said = f"{where} (empty so far)"
    encoder = " ".join(part for part in record["encoder"].values() if part)
    rows: list[tuple[str, RenderableType]] = [
        ("Data", record["data_dir"]),
        ("Milvus", said),
        (
            "Serving",
            f"{serve['dashboard_url']} (process {serve['pid']})" if serve else "not running",
        ),
        ("Encoder", encoder),
        (
            "On disk",
            f"{decimal(disk['data_dir_bytes'])}"
            + (f", vectors {decimal(disk['vectors_bytes'])}" if disk["vectors_bytes"] else "")
            + f", thumbnails {decimal(disk['thumbnails_bytes'])}",
        ),
    ]
    say(facts(rows))
    if milvus["error"]:
        return
    say()
    if not record["libraries"]:
        say("There are no libraries yet; `sightline ingest PATH` makes one.")
        return
    made = table(
        "Library", "Keyframes", "Left out", "Index", "Done", "Failed", "Encoder",
        right=("Keyframes", "Left out", "Done", "Failed"), fold=("Encoder",),
    )  # fmt: skip
    for library in record["libraries"]:
        sources = library.get("sources", {})
        made.add_row(
            library["name"],
            f"{library['keyframes']:,}",
            f"{library.get('left_out', 0):,}",
            library["index_type"],
            f"{sources.get('done', 0):,}",
            f"{sources.get('failed', 0):,}",
            f"{library['encoder']['name']} ({library['encoder']['dim']}-d)",
        )
    say(made)
