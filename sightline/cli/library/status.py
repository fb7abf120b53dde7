"""`sightline status`: data directory, Milvus, libraries, and the space they take."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer
from rich.console import RenderableType
from rich.filesize import decimal
from rich.text import Text

from search_core.errors import StoreError
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint, running_serve
from search_core.system.machine import bytes_below
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.terminal import (
    err,
    facts,
    open_workspace,
    print_json,
    say,
    shown_path,
    table,
)


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
    from ingest.ledger import Ledger
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
