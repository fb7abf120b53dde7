"""The report of a comparison, or of several side by side: a page, pictures, a table of all runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search_core.lab.recommendation import recommend
from search_core.lab.records import Comparison
from search_core.lab.report.frames import runs_frame
from search_core.lab.report.html_page import comparison_name, report_page
from search_core.lab.report.sections import sections, subject_of
from search_core.lab.report.vega_specs import section_png


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
        picture.write_bytes(section_png(section, names))
        pictures.append(picture)
    return [page, table, *pictures]


def _target(comparison: Comparison, target_recall: float | None) -> float:
    return comparison.context.target_recall if target_recall is None else target_recall
