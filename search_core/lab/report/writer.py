"""The report of a comparison, or of several side by side: one page of HTML that works without a
network, pictures, a table of all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, FunctionLoader
from markupsafe import Markup

from search_core.lab.recommendation import Recommendation, recommend
from search_core.lab.records import Comparison, IndexRun, RunContext
from search_core.lab.report import tables
from search_core.lab.report.frames import params_text, runs_frame, series_names
from search_core.lab.report.sections import Section, Subject, sections, subject_of
from search_core.lab.report.theme import theme

_NOTHING = "Nothing was measured that could be advised."


def report_page(
    subjects: Sequence[Subject],
    made: Sequence[Section],
    advice: Sequence[Recommendation | None],
) -> str:
    """Return the page. Names of libraries and of all else are written as text, whatever they say.

    ``made`` are its sections, ``advice`` is what each comparison recommends.
    """
    contexts = [one.comparison.context for one in subjects]
    letters = [_letter(place) for place in range(len(subjects))]
    specs: list[dict[str, Any]] = []
    laid_out = [_section(section, contexts, letters, specs) for section in made]
    template = _environment().get_template("report.html")
    return template.render(
        title="Index comparison" + ("s side by side" if len(subjects) > 1 else ""),
        several=len(subjects) > 1,
        comparisons=[
            {
                "letter": letter,
                "facts": _facts(context),
                "advice": one.sentence if one is not None else _NOTHING,
                "command": one.command if one is not None else "",
            }
            for letter, context, one in zip(letters, contexts, advice, strict=True)
        ],
        standings=tables.standings_table(subjects, letters),
        shared=tables.shared_table(subjects, letters),
        settings=tables.settings_table(subjects, letters),
        contexts=tables.contexts_table(contexts, letters),
        sections=laid_out,
        remarks=[
            {"letter": letter, **remark}
            for letter, one in zip(letters, subjects, strict=True)
            for remark in _remarks(one.comparison)
        ],
        charts={
            "specs": specs,
            "themes": {"light": theme(), "dark": theme(dark=True)},
        },
        css=Markup(_text("report.css")),  # noqa: S704 - the package's own
        js=Markup(_text("report.js")),  # noqa: S704 - the package's own
        scripts=Markup(_scripts()),  # noqa: S704 - vl-convert's own
    )


def comparison_name(context: RunContext) -> str:
    """Return what a comparison is called beside others: its library, Milvus, and when."""
    parts = [context.library, f"{context.rows:,} vectors", _milvus(context), _when(context)]
    return ", ".join(part for part in parts if part)


def _facts(context: RunContext) -> str:
    of = f" of {context.library_rows:,}" if context.library_rows != context.rows else ""
    parts = [
        context.library,
        f"{context.rows:,}{of} vectors, {context.dim} dimensions, {context.metric}",
        context.encoder,
        _milvus(context),
        str(context.machine.get("cpu", "")),
        _when(context),
    ]
    return " · ".join(part for part in parts if part)


def _milvus(context: RunContext) -> str:
    said = context.versions.get("milvus", "")
    return said if not said or said.startswith("Milvus") else f"Milvus {said}"


def _when(context: RunContext) -> str:
    try:
        return datetime.fromisoformat(context.started_at).strftime("%-d %b %Y %H:%M UTC")
    except ValueError:
        return context.started_at


def _section(
    section: Section,
    contexts: Sequence[RunContext],
    letters: Sequence[str],
    specs: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a section for the template; its charts are added to ``specs``."""
    sides: list[dict[str, Any]] = [
        {"letter": letter, "name": comparison_name(context), "panels": []}
        for context, letter in zip(contexts, letters, strict=True)
    ]
    for panel in section.panels:
        first = len(specs)
        specs += panel.specs(section.title)
        places = range(first, len(specs))
        sides[panel.comparison]["panels"].append({"title": panel.title, "charts": places})
    return {
        "name": section.name,
        "title": section.title,
        "caption": section.caption,
        "wide": section.wide,
        "sides": sides,
    }


def _remarks(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Return what failed, then the notes, each said once with all settings it is about."""
    names = series_names(comparison.runs)
    failed: dict[str, dict[str, None]] = {}
    noted: dict[str, dict[str, None]] = {}
    for run in comparison.runs:
        said = _named(run, names)
        if run.error:
            failed.setdefault(run.error, {})[said] = None
        # What filter-aware search did is told in its charts.
        for note in run.notes if run.strategy == "fixed" else ():
            noted.setdefault(note, {})[said] = None
    for remark in comparison.context.remarks:
        yield {"of": "", "text": remark, "failed": False}
    for texts, is_failure in ((failed, True), (noted, False)):
        for text, settings in texts.items():
            yield {"of": _listed(list(settings)), "text": text, "failed": is_failure}


def _named(run: IndexRun, names: dict[tuple[str, str], str]) -> str:
    series = names[run.index_type, params_text(run.build_params)]
    return f"{series}, {params_text(run.search_params)}" if run.search_params else series


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def _text(name: str) -> str:
    return (resources.files("search_core.lab.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs nothing else."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub asks for more than it does
    # The Vega-Lite that Altair writes, as vl-convert names it.
    return bundle(vl_version=".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2]))


def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


_PNG_SCALE = 1.5
_WIDE_PX, _NARROW_PX = 520, 300


def write_report(
    directory: Path, comparisons: Sequence[Comparison], *, target_recall: float | None = None
) -> list[Path]:
    """Write ``report.html``, ``runs.csv`` and a PNG for each section into ``directory``.

    ``target_recall`` is the recall to advise for; None: what each comparison was asked for. The
    page needs no network and no file beside it. Returns what was written, the page first; raises
    OSError, and ValueError for no comparison.
    """
    if not comparisons:
        raise ValueError("a report needs a comparison")
    advice = [recommend(one.runs, _target(one, target_recall)) for one in comparisons]
    subjects = [
        subject_of(one, said, _target(one, target_recall))
        for one, said in zip(comparisons, advice, strict=True)
    ]
    made = sections(subjects)
    directory.mkdir(parents=True, exist_ok=True)
    page, table = directory / "report.html", directory / "runs.csv"
    page.write_text(report_page(subjects, made, advice), encoding="utf-8")
    runs_frame(comparisons).to_csv(table, index=False)
    names = [comparison_name(one.context) for one in comparisons] if len(comparisons) > 1 else []
    pictures = []
    for section in made:
        picture = directory / f"{section.name}.png"
        picture.write_bytes(_png(section, names))
        pictures.append(picture)
    return [page, table, *pictures]


def _target(comparison: Comparison, target_recall: float | None) -> float:
    return comparison.context.target_recall if target_recall is None else target_recall


def picture(section: Section, names: Sequence[str]) -> Any:
    """Return all charts of a section as one; ``names`` are the comparisons', if several."""
    width = _WIDE_PX if section.wide else _NARROW_PX
    panels = []
    for panel in section.panels:
        title = f"{names[panel.comparison]} · {panel.title}" if names else panel.title
        below = [chart.properties(width=width) for chart in panel.charts]
        heading = alt.TitleParams(title, limit=width)
        panels.append(alt.vconcat(*below, spacing=6, title=heading))
    whole = alt.concat(*panels, columns=2 if section.wide else 3, spacing=28)
    # Otherwise the colours of a panel would be those of the panel before it.
    return whole.resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    ).properties(title=alt.TitleParams(section.title, fontSize=15))


def _png(section: Section, names: Sequence[str]) -> bytes:
    """Return :func:`picture` as a PNG."""
    look = {**theme(), "background": "#ffffff", "padding": 20}
    png = BytesIO()
    picture(section, names).configure(**look).save(png, format="png", scale_factor=_PNG_SCALE)
    return png.getvalue()
