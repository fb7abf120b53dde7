"""`sightline demo`: render the sample footage, ingest it, search it, compare indexes, serve it."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ingest.options import IngestOptions
from search_core.encoders.choice import demo_encoder
from search_core.errors import SightlineError
from search_core.lab.records import IndexRun
from search_core.schema.entity import clock_from_ms
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.endpoint import running_serve
from sightline.cli.index.compare import run_comparison
from sightline.cli.index.tables import searches_table
from sightline.cli.ingest.ingest import print_summary, run_ingest
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.search import hits_table
from sightline.cli.serve.serve import DEFAULT_PORT, PortOption, run_serve
from sightline.cli.terminal import (
    note,
    open_workspace,
    out,
    print_json,
    progress_bar,
    say,
    shown_path,
)
from sightline.workspace import Workspace

if TYPE_CHECKING:
    from search_core.search.engine import Hit, SearchEngine
    from sightline.demo.footage import Footage, Moment

#: Read on a lorry of the sample footage.
WORD = "JCN"
TOP = 3
SHEET_HITS = 5
SHEET = "demo-sheet.jpg"
#: Containers round times.
SLACK_MS = 100


def demo(
    ctx: typer.Context,
    headless: Annotated[
        bool, typer.Option("--headless", help="Stop after the last search; do not serve.")
    ] = False,
    port: PortOption = DEFAULT_PORT,
    json: JsonOption = False,
) -> None:
    """Try Sightline on sample footage: render it, ingest it, search it, compare indexes, serve it.

    The footage is seven street cameras, two wide ones and a hundred photographs, drawn on this
    machine, so what is visible when is known: ✓ marks the hits of which the sentence is true.
    The exit code is 1 when a sentence has none among its first three. What is done already is
    not done again.
    With --json progress goes to stderr, the result is printed at the end, and nothing is
    served.
    """
    settings = served = settings_of(ctx)
    if settings.model == AUTO_MODEL:
        settings = settings.model_copy(update={"model": demo_encoder().name})
    with redirect_stdout(sys.stderr) if json else nullcontext():
        record = _run(settings)
    if json:
        print_json(record)
    missed = sum(not search["found"] for search in record["searches"])
    if missed:
        raise SightlineError(
            f"{missed} of the searches did not find their moment among the first {TOP} hits.",
            "The sample footage and the encoder sightline-demo belong together; "
            "another --model may not know these scenes.",
        )
    if json or headless:
        note("`sightline serve` opens the dashboard on it; `sightline search` asks more of it.")
    else:
        _serve(served, port)


def _run(settings: Settings) -> dict[str, Any]:
    """Do all of it but serving; return what came of it as plain JSON values."""
    footage = _render(settings.data_dir / "footage")
    _heading("Ingesting it")
    taken_in = [str(footage.folder / "clips"), str(footage.stills)]
    report = run_ingest(settings, taken_in, IngestOptions())
    print_summary(report, settings.library)
    if report.failed or report.interrupted:
        raise SightlineError("The sample footage could not all be ingested.")
    with open_workspace(settings) as workspace:
        engine = workspace.library().engine
        searches = _search(settings, footage, engine)
        runs = _compare(workspace)
    return {
        "footage": str(footage.folder),
        "ingest": report.to_json(),
        "searches": searches,
        "sheet": str(settings.data_dir / SHEET),
        "indexes": [run.to_dict() for run in runs],
    }


def _heading(title: str) -> None:
    say()
    say(Text(title, style="bold"))


def _render(folder: Path) -> Footage:
    from sightline.demo.footage import render_footage

    _heading("Rendering the sample footage (once; about a minute on two cores)")
    started = time.monotonic()
    with progress_bar("Rendering") as show:
        footage = render_footage(folder, on_progress=show)
    say(
        f"{len(footage.clips)} clips and a folder of stills in {shown_path(str(folder))} "
        f"({time.monotonic() - started:.0f} s)."
    )
    return footage


def _search(settings: Settings, footage: Footage, engine: SearchEngine) -> list[dict[str, Any]]:
    """Ask all queries, print their hits and write the contact sheet; return what was found."""
    from ingest.media.decoding import frame_at
    from ingest.media.lettering.reader import is_installed
    from search_core.search.engine import Query
    from sightline.cli.contact_sheet import Section, write_contact_sheet
    from sightline.demo.footage import DEMO_SENTENCES

    asked: list[tuple[str, Query, tuple[Moment, ...]]] = [
        (f"“{sentence.text}”", Query(text=sentence.text), footage.moments(sentence))
        for sentence in DEMO_SENTENCES
    ]
    if is_installed() and settings.media.read == "auto":
        lettered = next(one for one in DEMO_SENTENCES if WORD in one.text)
        asked.append((f"the word {WORD}", Query(text=f'"{WORD}"'), footage.moments(lettered)))
    moment = footage.moments(DEMO_SENTENCES[0])[0]
    middle = (moment.start_ms + moment.end_ms) // 2
    clip = next(clip for clip in footage.clips if clip.camera == moment.camera)
    frame = frame_at(clip.path, middle, max_pixels=settings.media.max_pixels)
    asked.append(
        (f"the frame of {clip.camera} at {clock_from_ms(middle)}", Query(image=frame), (moment,))
    )
    sections = []
    searches = []
    for title, query, moments in asked:
        hits = engine.answer(query, k=SHEET_HITS).hits
        right = frozenset(hit.rank for hit in hits if _is_true(hit, moments))
        wanted = 1 if query.image is not None else TOP
        searches.append(
            {
                "query": query.text or title,
                "found": any(rank <= wanted for rank in right),
                "hits": [{**hit.to_dict(), "true": hit.rank in right} for hit in hits[:TOP]],
            }
        )
        _heading(f"Searching for {title}")
        say(hits_table(hits[:TOP], right))
        sections.append(Section(title, hits, right))
    sheet = settings.data_dir / SHEET
    write_contact_sheet(sheet, sections, settings.data_dir)
    say()
    say(f"Contact sheet of all searches: {shown_path(str(sheet))}")
    return searches


def _is_true(hit: Hit, moments: tuple[Moment, ...]) -> bool:
    """Whether the hit shows one of the moments the sentence is true of."""
    entity = hit.entity
    return entity.media_type == "frame" and any(
        moment.holds(entity.camera, entity.pts_ms, SLACK_MS) for moment in moments
    )


def _compare(workspace: Workspace) -> list[IndexRun]:
    """Compare, and keep it where the dashboard shows it, in place of what was measured before."""
    from search_core.lab.plan import CompareOptions
    from search_core.lab.recommendation import recommend
    from search_core.lab.report.writer import write_report

    _heading("Comparing indexes on these vectors")
    options = CompareOptions(queries=20, repeats=4, settings=3)
    folder = workspace.settings.comparisons_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    comparison, _ = run_comparison(
        workspace, options, text=False, out=folder, with_first_pass=False
    )
    write_report(folder, [comparison])
    say(searches_table(comparison.runs, advice := recommend(comparison.runs)) or "")
    if advice is not None:
        say(advice.sentence)
    rows = comparison.context.rows
    say(f"Measured on {rows} vectors: so few that any index will do.")
    return list(comparison.searches)


def _serve(settings: Settings, port: int) -> None:
    _heading("Serving it")
    state = running_serve(settings)
    if state is not None:
        say(f"Sightline is serving this already: {state.dashboard_url}")
        return
    out().print("Ctrl-C stops it; `sightline serve` starts it again.", style="dim")
    run_serve(settings, port)
