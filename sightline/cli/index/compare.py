"""`sightline index compare`: which index answers a library best, measured on its own vectors, and
`sightline index report`: the report of a comparison, or of several side by side.

What they share with `sightline index set` is here too: parameters without an option of their own,
by their Milvus names, and making another index a library's, saying how far it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from search_core.encoders.base import Embeddings
from search_core.errors import EncoderMismatch, SightlineError, UsageError
from search_core.indexes import IndexSpec, SearchParams
from search_core.lab.plan import FilterCase
from search_core.lab.records import Comparison, IndexRun, RunContext, read_jsonl, write_jsonl
from search_core.schema.filters import Filter
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.library import LibraryInfo
from sightline.cli.errors import Stopped
from sightline.cli.index.tables import (
    batches_table,
    builds_table,
    clients_table,
    filters_table,
    notes_of,
    searches_table,
)
from sightline.cli.options import (
    JsonOption,
    LibraryOption,
    check_period,
    finite,
    moment,
    settings_of,
)
from sightline.cli.terminal import (
    err,
    note,
    open_workspace,
    print_json,
    progress_bar,
    say,
    shown_path,
    warn,
)
from sightline.workspace import Workspace

if TYPE_CHECKING:
    from search_core.lab.plan import CompareOptions
    from search_core.lab.queries import Encode
    from search_core.lab.recommendation import Recommendation
    from search_core.store.milvus.store import MilvusStore

_RUNS = "runs.jsonl"


def compare(
    ctx: typer.Context,
    types: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE,…",
            help="Index types to compare; FLAT, IVF_FLAT, IVF_SQ8 and HNSW without it.",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V,V",
            help="Values of a search parameter (nprobe, ef, reorder_k …) or a build parameter "
            "(nlist, M …) to measure; repeat it for several: all combinations are measured.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", help="How many neighbours each query asks.")] = 10,
    queries: Annotated[
        int, typer.Option(min=1, help="How many queries of each kind are measured.")
    ] = 100,
    max_rows: Annotated[
        int,
        typer.Option(min=0, help="How many of the library's vectors; 0: all."),
    ] = 20_000,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="FILTER",
            help="Measure under a filter too: a share of the rows such as 1%, or "
            "camera=gate-3,tag=odd,after=2026-11-01; repeat it for several.",
        ),
    ] = None,
    nq: Annotated[
        str,
        typer.Option(metavar="N,N", help="Also time requests with these numbers of queries."),
    ] = "1",
    concurrency: Annotated[
        str,
        typer.Option(metavar="N,N", help="Also time these numbers of concurrent clients."),
    ] = "",
    target_recall: Annotated[
        float,
        typer.Option(callback=finite, help="The recall an index has to reach, 0 to 1."),
    ] = 0.95,
    repeats: Annotated[int, typer.Option(min=2, help="How many times each setting is timed.")] = 5,
    seed: Annotated[int, typer.Option(help="Draws the same vectors and queries.")] = 0,
    time_limit: Annotated[
        float,
        typer.Option(callback=finite, help="Seconds an index may take to build."),
    ] = 1800.0,
    text: Annotated[
        bool,
        typer.Option("--text/--no-text", help="Ask sentences too, made by the library's encoder."),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write measurements (JSON Lines, CSV), charts and an HTML report there.",
        ),
    ] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Make the advised index the library's, while it answers."),
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="With --apply: rebuild in place; searches wait meanwhile."),
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Compare indexes on a library's own vectors, and advise one.

    Each index is built beside the library, over a copy of its vectors, and removed again; the
    library itself is not changed without --apply. Recall is the share of the true nearest
    neighbours found, with its 95 % interval; times are of one query, as this client sees them.
    Queries are searches recorded lately where there are enough, else sentences and stored pictures.
    """
    settings = settings_of(ctx, library)
    from search_core.lab.plan import CompareOptions
    from search_core.lab.recommendation import recommend

    options = CompareOptions(
        k=k,
        queries=queries,
        max_rows=max_rows or None,
        repeats=repeats,
        seed=seed,
        types=tuple(name for part in types or () for name in part.split(",") if name.strip()),
        sweeps=read_sweeps(sweep or ()),
        filters=tuple(dict.fromkeys(read_filter(text) for text in filters or ())),
        nq=read_numbers("--nq", nq),
        concurrency=read_numbers("--concurrency", concurrency),
        target_recall=target_recall,
        time_limit_s=time_limit,
    )
    if in_place and not apply:
        raise UsageError("--in-place says how to --apply the advice.", "Add --apply.")
    with open_workspace(settings) as workspace:
        store = workspace.store()
        comparison, was_stopped = run_comparison(workspace, options, text=text, out=out)
        advice = recommend(comparison.runs, target_recall)
        if json:
            print_json(
                [run.to_dict() for run in comparison.runs if run.kind != "build" or run.error]
            )
        else:
            print_comparison(comparison, advice)
        info = store.library(settings.library)
        _print_advice(advice, info, as_note=json)
        if out is not None:
            _write_report(out, comparison)
        if was_stopped:
            note("Stopped before all was measured." + (" Nothing was applied." if apply else ""))
            raise typer.Exit(1)
        if apply:
            _apply(store, info, advice, in_place=in_place)
        if advice is None:
            raise typer.Exit(1)


def run_comparison(
    workspace: Workspace,
    options: CompareOptions,
    *,
    text: bool = True,
    out: Path | None = None,
    with_first_pass: bool = True,
) -> tuple[Comparison, bool]:
    """Measure with a bar on stderr; with ``out`` each measurement is written as it is made.

    The advice of the first pass is told as soon as it is there. Return what was measured, and
    whether Ctrl-C ended it before all was: from the first pass on, what there is stands then.
    """
    from search_core.lab.benchmark import IndexBenchmark

    settings, store = workspace.settings, workspace.store()
    info = store.library(settings.library)
    recorded = workspace.query_log().recent(settings.library, info.encoder, 20 * options.queries)
    runs_file = _new_runs_file(out) if out is not None else None
    runs: list[IndexRun] = []
    so_far: Comparison | None = None

    def keep(context: RunContext, run: IndexRun) -> None:
        nonlocal so_far
        runs.append(run)
        if run.kind == "search":
            so_far = Comparison(context, tuple(runs))
        if runs_file is not None:
            write_jsonl(runs_file, context, [run])

    def tell_first(first: Comparison) -> None:
        nonlocal so_far
        so_far = first
        _print_first(first)

    benchmark = IndexBenchmark(
        store,
        settings.library,
        options,
        encode=_encode_with(settings, info) if text else None,
        recorded=recorded,
    )
    try:
        with native_warnings_away(), progress_bar("Comparing", steps=True) as show:
            whole = benchmark.run(
                on_run=keep,
                on_progress=lambda at: show(at.done, at.total or None, at.doing),
                on_first=tell_first if with_first_pass else None,
            )
        return whole, False
    except Stopped:
        raise
    except KeyboardInterrupt:
        if so_far is None:
            raise
        if runs_file is not None and not runs:
            write_jsonl(runs_file, so_far.context, so_far.runs)
        return so_far, True


def _print_first(comparison: Comparison) -> None:
    """Say on stderr what a first pass advises, and what it leaves open."""
    from search_core.lab.recommendation import recommend

    advice = recommend(comparison.runs, comparison.context.target_recall)
    if advice is not None:
        note(f"First pass: ★ {advice.sentence}")
        for remark in comparison.context.remarks:
            note(remark)
        note("The rest is being measured. Ctrl-C ends it, and this advice stands.")


def print_comparison(comparison: Comparison, advice: Recommendation | None) -> None:
    """Print all that was measured, as tables, and what is to be noted."""
    runs, context = comparison.runs, comparison.context
    for title, made in (
        ("", searches_table(runs, advice)),
        ("Recall and median ms under filters", filters_table(runs)),
        ("Median ms of requests of several queries", batches_table(runs)),
        ("Queries a second, by clients at once", clients_table(runs)),
        ("Building, and sizes (≈ by formula)", builds_table(runs)),
    ):
        if made is not None:
            say(Text(title, style="bold") if title else "")
            say(made)
            say()
    for remark in context.remarks:
        note(remark)
    for said in notes_of(runs):
        warn(said)


def _print_advice(advice: Recommendation | None, info: LibraryInfo, *, as_note: bool) -> None:
    tell: Callable[[str], None] = note if as_note else say
    if advice is None:
        tell("None of them gave numbers, so that none can be advised.")
        return
    in_use = " The library has it already." if advice.is_in_use(info) else f" `{advice.command}`"
    tell(f"★ {advice.sentence}{in_use}")


def _apply(
    store: MilvusStore, info: LibraryInfo, advice: Recommendation | None, *, in_place: bool
) -> None:
    """Make the advised index the library's; raises SightlineError where there is none."""
    if advice is None or not advice.chosen.meets:
        raise SightlineError(
            "No index measured reaches the target; the library's was left as it is.",
            "Lower --target-recall, or measure more with --sweep and --types.",
        )
    if advice.is_in_use(info):
        return
    build_index(store, info.name, advice.spec, advice.search, in_place=in_place)
    note(f"{advice.spec.index_type} answers now.")


def _encode_with(settings: Settings, info: LibraryInfo) -> Encode:
    """Return what embeds sentences; the encoder is loaded for that, and let go."""

    def encode(texts: Sequence[str]) -> Embeddings:
        model, pretrained = settings.model, settings.pretrained
        if model == AUTO_MODEL:
            model, pretrained = info.encoder.name, info.encoder.pretrained or None
        elif model != info.encoder.name:  # told without loading it
            raise EncoderMismatch(
                f"The library's encoder is {info.encoder.name}, the one in use {settings.model}."
            )
        encoder = open_workspace(settings).encoder(model, pretrained)
        info.require_encoder(encoder.identity)
        return encoder.encode_texts(texts)

    return encode


def _new_runs_file(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file: a comparison is written into a folder.",
            "Name a folder with --out; it is made where there is none.",
        )
    path = folder / _RUNS
    if path.exists():
        raise UsageError(
            f"{folder} holds a comparison already.",
            "Name another folder; `sightline index report` lays several side by side.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return path


def _write_report(folder: Path, comparison: Comparison) -> None:
    from search_core.lab.report.writer import write_report

    with err().status("Drawing the report …"):
        write_report(folder, [comparison])
    note(f"Report: {folder / 'report.html'}")


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR…",
            help="What `index compare --out` wrote; two or more are laid side by side.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write; the one DIR itself, or `report` beside the first of several.",
        ),
    ] = None,
    target_recall: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="The recall to advise for; what the comparison was asked for, unless given.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the report of a comparison: a page with charts, their pictures, and runs.csv.

    The page is one file and works without a network. Nothing is measured again.
    """
    comparisons = [_read_comparison(directory) for directory in directories]
    into = out or (directories[0] if len(directories) == 1 else directories[0].parent / "report")
    from search_core.lab.report.writer import write_report

    with err().status("Drawing the report …"):
        try:
            written = write_report(into, comparisons, target_recall=target_recall)
        except OSError as error:
            raise UsageError(
                f"The report cannot be written to {into}: {error.strerror}.",
                "Name another folder with --out.",
            ) from error
    if json:
        print_json([str(path) for path in written])
        return
    for path in written:
        say(shown_path(str(path)))


def _read_comparison(directory: Path) -> Comparison:
    """Read a comparison's runs; raises UsageError where there are none."""
    file = directory / _RUNS if directory.is_dir() else directory
    try:
        return read_jsonl(file)
    except OSError as error:
        raise UsageError(
            f"{directory} holds no comparison: {file.name} cannot be read.",
            "`sightline index compare --out DIR` writes one.",
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{file} does not hold the measurements of a comparison.",
            "`sightline index compare --out DIR` writes one.",
        ) from error


def build_index(
    store: MilvusStore, library: str, spec: IndexSpec, search: SearchParams, *, in_place: bool
) -> LibraryInfo:
    """Build the index beside the serving collection and switch, or in place; return the library."""
    name = spec.index_type
    with native_warnings_away(), err().status(f"Building {name} …") as line:
        return store.rebuild(
            library,
            spec,
            search,
            on_progress=lambda doing, share: line.update(f"{name}: {doing}, {share:.0%} …"),
            in_place=in_place,
        )


@contextmanager
def native_warnings_away() -> Iterator[None]:
    """Keep off the terminal what native code writes to stderr past Python.

    The faiss in Milvus Lite writes a warning there when clusters have fewer than 39 vectors each.
    What Python prints goes to where it went.
    """
    try:
        stderr = sys.stderr.fileno()
    except OSError:  # nothing that native code could write to
        yield
        return
    before, kept = sys.stderr, os.dup(stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(kept, "w", encoding=before.encoding, errors="replace", buffering=1) as shown:
        before.flush()
        os.dup2(nowhere, stderr)
        sys.stderr = shown
        try:
            yield
        finally:
            sys.stderr = before
            shown.flush()
            os.dup2(kept, stderr)
            os.close(nowhere)


_FIELDS = "camera, tag, source, type, after, before"


def read_sweeps(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read ``nprobe=1,4,16`` and the like; values of one name add up. Raises UsageError."""
    sweeps: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, listed = (part.strip() for part in text.partition("="))
        values = read_numbers(f"--sweep {name}", listed)
        if not name or not values:
            raise UsageError(
                f"{text} is not a sweep.", "Write a parameter and its values: nprobe=1,4,16."
            )
        sweeps[name] = (*sweeps.get(name, ()), *values)
    return sweeps


def read_numbers(option: str, text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them; raises UsageError, naming the option."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers, not {text}.", "Separate them by commas: 1,10,100."
        ) from None


def read_filter(text: str) -> FilterCase:
    """Read a share of the rows such as ``1%``, or facets such as ``camera=gate-3,tag=odd``.

    Raises UsageError for what is neither.
    """
    if (share := FilterCase.of_share(text)) is not None:
        return share
    given: dict[str, list[str]] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in _FIELDS.split(", "):
            raise UsageError(
                f"{text} is not a filter.",
                f"Give a share such as 1%, or NAME=VALUE of {_FIELDS}, with commas between them.",
            )
        given.setdefault(name.strip(), []).append(value.strip())
    kind = given.get("type", [None])[-1]
    if kind not in (None, "image", "frame"):
        raise UsageError(f"{kind} is not a media type.", "Give type=image or type=frame.")
    where = Filter(
        cameras=tuple(given.get("camera", ())),
        source_ids=tuple(given.get("source", ())),
        tags=tuple(given.get("tag", ())),
        after=moment(given["after"][-1]) if "after" in given else None,
        before=moment(given["before"][-1]) if "before" in given else None,
        media_type="image" if kind == "image" else "frame" if kind == "frame" else None,
    )
    check_period(where.after, where.before)
    where.expression()  # refuses what Milvus cannot carry before anything is copied
    return FilterCase(text.strip(), where)
