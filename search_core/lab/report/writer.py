"""The report of a comparison, or of several side by side: a page, pictures, a table of all runs."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import altair as alt

from search_core.lab.recommendation import recommend
from search_core.lab.records import Comparison
from search_core.lab.report.frames import runs_frame
from search_core.lab.report.html_page import comparison_name, report_page
from search_core.lab.report.sections import Section, sections, subject_of
from search_core.lab.report.theme import theme

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
