"""`sightline doctor`: whether everything Sightline needs is there, and how to get what is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.filesize import decimal
from rich.text import Text

from ingest.ledger import Ledger
from search_core.encoders.catalogue import ENCODERS, find_encoder
from search_core.encoders.choice import for_this_machine
from search_core.encoders.hub import is_here
from search_core.errors import QueueUnavailable, SightlineError, StoreBusy
from search_core.indexes.advice import LITE_ROWS
from search_core.indexes.milvus_version import Evidence
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint, running_serve
from sightline.cli.admin.models import record
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.terminal import counted, err, open_workspace, print_json, say, table
from sightline.workspace import Workspace

if TYPE_CHECKING:
    from search_core.store.milvus.probe import Outcome

State = Literal["ok", "warning", "missing"]
PACKAGES = (
    "torch",
    "open_clip_torch",
    "pymilvus",
    "milvus-lite",
    "streamlit",
    "av",
    "pillow",
    "redis",
)
_REPAIR_HINT = "`sightline verify --repair` restores what can be restored."
LOW_DISK_BYTES = 2_000_000_000
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "bold yellow"),
    "missing": ("✗", "bold red"),
}
_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "works": ("✓", "green"),
    "adapted": ("!", "bold yellow"),
    "fails": ("✗", "bold red"),
    "not tried": ("–", "dim"),
}
_EVIDENCE: dict[Evidence, str] = {
    "run": "Sightline's tests run on {shown}.",
    "replayed": "Sightline's tests replay what {shown} answers; they do not run on it.",
    "read": "Of {shown} only the sources were read.",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``hint`` says how to get what is missing."""

    name: str
    state: State
    found: str
    hint: str = ""


def doctor(
    ctx: typer.Context,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Try on scratch collections all that Sightline needs of Milvus; takes minutes.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check what Sightline needs, and say how to get what is missing.

    ✓ is in order, ! is worth knowing, ✗ is needed and missing: then the exit code is 1.
    """
    settings = settings_of(ctx)
    if probe:
        _probe_milvus(settings, json)
        return
    with err().status("Looking …"):
        checks = [check for probe in PROBES for check in probe(settings)]
    if json:
        print_json(
            {
                "ok": all(check.state != "missing" for check in checks),
                "checks": [asdict(check) for check in checks],
                "encoders": [record(spec) for spec in ENCODERS],
            }
        )
    else:
        _print_checks(checks)
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(1)


def _probe_milvus(settings: Settings, as_json: bool) -> None:
    """Probe Milvus, print what was found, and end with 1 where something does not work."""
    from search_core.store.milvus.bulk_insert import bulk_storage

    storage = bulk_storage(settings) if settings.milvus.bulk_storage else None
    with open_workspace(settings) as workspace, err().status("Trying …") as status:
        store = workspace.store(create=True)
        found = store.probe(
            storage=storage, on_progress=lambda name: status.update(f"Trying {name} …")
        )
        server, address = store.server(), store.address
    if as_json:
        print_json({**asdict(found), "evidence": server.support.evidence})
    else:
        rows = (
            (_OUTCOMES[one.outcome], one.name, one.found, one.instead) for one in found.findings
        )
        _print_marked("Tried", rows)
        known = _EVIDENCE[server.support.evidence].format(shown=server.support.shown)
        say(f"{server}, {address}. {known}")
        say(f"Kept in {settings.probes_path}: index types that cannot be built are not offered.")
    if found.failed:
        raise typer.Exit(1)


def _versions(settings: Settings) -> Iterator[Check]:
    yield Check(
        "Sightline",
        "ok",
        f"{version('sightline')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
    )
    found, absent = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            absent.append(package)
    yield Check("Packages", "ok", ", ".join(found))
    if absent:
        yield Check("Packages", "missing", ", ".join(absent), "`pip install -e .` installs them.")


def _heic(settings: Settings) -> Iterator[Check]:
    try:
        yield Check("HEIC photographs", "ok", f"pi-heif {version('pi-heif')}")
    except PackageNotFoundError:
        yield Check(
            "HEIC photographs", "warning", "cannot be read", "`pip install pi-heif` adds them."
        )


def _processor(settings: Settings) -> Iterator[Check]:
    from search_core.encoders.openclip import gpu_name

    if gpu := gpu_name():
        yield Check("Processor", "ok", f"GPU: {gpu}")
        return
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    yield Check("Processor", "ok", f"CPU, {cores} cores; a GPU would be used where there is one")


def _encoder(settings: Settings) -> Iterator[Check]:
    try:
        with Workspace(settings) as workspace:  # what it notes, the hint says
            encoder = workspace.encoder()
    except SightlineError as error:
        yield Check("Encoder", "missing", error.message, error.hint)
        return
    known = encoder.identity
    spec = find_encoder(known.name)
    is_demo = spec is not None and spec.is_demo
    yield Check(
        "Encoder",
        "warning" if is_demo else "ok",
        f"{known.label}, {known.precision}" + (", for the sample footage only" if is_demo else ""),
        "`sightline models download` gets one for real footage." if is_demo else "",
    )


def _data_dir(settings: Settings) -> Iterator[Check]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        yield Check(
            "Data directory",
            "missing",
            f"{folder} cannot be written: it can be searched only",
            "Change its permissions, or choose another with --data-dir or SIGHTLINE_DATA_DIR.",
        )
        return
    made = "" if folder.exists() else " (made on first use)"
    yield Check("Data directory", "ok", f"{folder}{made}")
    free = shutil.disk_usage(existing).free
    enough = free >= LOW_DISK_BYTES
    yield Check(
        "Disk",
        "ok" if enough else "warning",
        f"{decimal(free)} free",
        "" if enough else "Thumbnails and vectors take some 30 kB a keyframe.",
    )


def _milvus(settings: Settings) -> Iterator[Check]:
    endpoint = resolve_endpoint(settings)
    where = f"Milvus Lite in {endpoint.uri}" if endpoint.embedded else f"server {endpoint.uri}"
    if "://" in endpoint.uri and endpoint.embedded:
        where = f"Milvus Lite of the running serve, {endpoint.uri}"
    from ingest.curation.repair import damaged_files

    damaged = damaged_files(settings, endpoint)
    for finding in damaged:
        yield Check("Files", "missing", f"{finding.subject}: {finding.detail}", _REPAIR_HINT)
    if damaged:
        return
    expected = _expected_rows(settings)
    if open_workspace(settings).is_untouched and not expected:
        yield Check("Milvus", "ok", f"{where} (made on first use)")
        return
    try:
        with open_workspace(settings) as workspace:
            store = workspace.store()
            server = store.server()
            yield Check("Milvus", "ok", f"{where}, {server} ({server.support.evidence})")
            counts = {info.name: store.count(info.name) for info in store.libraries()}
    except StoreBusy as error:
        yield Check("Milvus", "warning", error.message, error.hint)
        return
    except SightlineError as error:
        yield Check("Milvus", "missing", error.message, error.hint)
        return
    rows = sum(counts.values())
    for library, due in expected.items():
        there = counts.get(library, 0)
        if there < due:
            yield Check(
                "Keyframes",
                "missing",
                f"{library}: {there:,} of {due:,} that were taken in are in Milvus",
                _REPAIR_HINT,
            )
    if endpoint.embedded and rows > LITE_ROWS:
        yield Check(
            "Keyframes",
            "warning",
            f"{rows:,}: Milvus Lite is good up to some {LITE_ROWS:,}",
            "A Milvus server answers faster; see compose/ and SIGHTLINE_MILVUS_URI.",
        )
    else:
        room = f", of some {LITE_ROWS:,} Milvus Lite is good for" if endpoint.embedded else ""
        yield Check("Keyframes", "ok", f"{rows:,} in {counted(len(counts), 'library')}{room}")


def _expected_rows(settings: Settings) -> dict[str, int]:
    """Return how many keyframes each library must hold at least, by the ledger."""
    if not settings.ledger_path.exists():
        return {}
    from ingest.curation.verification import expected_keyframes

    with Ledger(settings.ledger_path) as ledger:
        return {
            library: sum(due for due, _ in expected_keyframes(ledger, library).values())
            for library in ledger.libraries()
        }


def _queue(settings: Settings) -> Iterator[Check]:
    from ingest.jobs.client import Jobs

    if settings.queue is None and not settings.jobs_path.exists():
        yield Check("Jobs", "ok", f"{settings.queue_shown} (made on first use)")
        return
    try:
        with closing(Jobs(settings)) as jobs:
            waiting = sum(job.is_open for job in jobs.list())
            may_be_lost = jobs.may_be_lost()
    except QueueUnavailable as error:
        yield Check("Jobs", "missing", f"{settings.queue_shown}: {error.message}", error.hint)
        return
    yield Check("Jobs", "ok", f"{settings.queue_shown}, {counted(waiting, 'job')} to do")
    if may_be_lost:
        yield Check(
            "Jobs",
            "warning",
            "this Redis may lose jobs when it ends by accident",
            "Start it with --appendonly yes --appendfsync always.",
        )


def _serve(settings: Settings) -> Iterator[Check]:
    state = running_serve(settings)
    yield Check(
        "Serving", "ok", f"{state.dashboard_url} (process {state.pid})" if state else "not running"
    )


PROBES: tuple[Callable[[Settings], Iterator[Check]], ...] = (
    _versions,
    _processor,
    _encoder,
    _heic,
    _data_dir,
    _milvus,
    _queue,
    _serve,
)


def _print_marked(heading: str, rows: Iterable[tuple[tuple[str, str], str, str, str]]) -> None:
    """Print rows of a mark and its style, a name, what was found, and what to do about it."""
    made = table("", heading, "Found", fold=("Found",))
    for (mark, style), name, found, hint in rows:
        text = Text(found)
        if hint:
            text.append(f"\n{hint}", style="dim")
        made.add_row(Text(mark, style=style), name, text)
    say(made)
    say()


def _print_checks(checks: list[Check]) -> None:
    _print_marked("Check", ((_MARKS[one.state], one.name, one.found, one.hint) for one in checks))
    names = [spec.label for spec in ENCODERS if is_here(spec)]
    say(f"Encoders on this machine: {', '.join(names)}.")
    best = for_this_machine()[0]
    if not is_here(best):
        say(f"Recommended for real footage here: {best.label}.")
    say("`sightline models` lists all, compares them and downloads them; --model chooses one.")
