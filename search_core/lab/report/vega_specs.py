"""A report's charts as Vega-Lite: for a page that themes them, and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import altair as alt
import vl_convert

from search_core.lab.report.legend import Spec, key_chart, take_legends
from search_core.lab.report.sections import Panel, Section
from search_core.lab.report.theme import theme

#: The Vega-Lite that Altair writes, as vl-convert names it.
_VERSION = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
_PNG_SCALE = 1.5
_WIDE_PX, _NARROW_PX = 520, 300
_KEY_PX = 1000


def panel_specs(section: Section, panel: Panel) -> list[Spec]:
    """Return a panel's charts as Vega-Lite without a theme; each says what it is when read out."""
    made = []
    for chart in panel.charts:
        spec: Spec = chart.to_dict(validate=False)
        spec.pop("config", None)
        made.append({**spec, "description": f"{section.title}: {panel.title}"})
    return made


def picture_spec(section: Section, specs: Sequence[Sequence[Spec]], names: Sequence[str]) -> Spec:
    """Return all charts of a section as one, below a key that explains them.

    ``specs`` are its panels', from :func:`panel_specs`; ``names`` are the comparisons', when there
    are several.
    """
    width = _WIDE_PX if section.wide else _NARROW_PX
    legend, bare = take_legends([spec for drawn in specs for spec in drawn])
    datasets: dict[str, Any] = {}
    panels = []
    for panel in section.panels:
        title = f"{names[panel.comparison]} · {panel.title}" if names else panel.title
        drawn, bare = bare[: len(panel.charts)], bare[len(panel.charts) :]
        for spec in drawn:
            datasets |= spec["datasets"]
        below = [
            {name: value for name, value in spec.items() if name not in ("$schema", "datasets")}
            | {"width": width}
            for spec in drawn
        ]
        heading = {"text": title, "limit": width}
        panels.append({"title": heading, "vconcat": below, "spacing": 6})
    body: Spec = {"columns": 2 if section.wide else 3, "spacing": 28, "concat": panels}
    # Otherwise the colours of a panel would be those of the panel before it.
    body["resolve"] = {"scale": dict.fromkeys(("color", "shape", "strokeDash"), "independent")}
    marks = [*legend, *section.key]
    return {
        "$schema": specs[0][0]["$schema"],
        "title": {"text": section.title, "fontSize": 15},
        "spacing": 14,
        "vconcat": [key_chart(marks, _KEY_PX), body] if marks else [body],
        "datasets": datasets,
    }


def section_png(section: Section, specs: Sequence[Sequence[Spec]], names: Sequence[str]) -> bytes:
    """Return :func:`picture_spec` as a PNG."""
    whole = picture_spec(section, specs, names)
    config = {**theme(), "background": "#ffffff", "padding": 20}
    png: bytes = vl_convert.vegalite_to_png(
        whole, vl_version=_VERSION, scale=_PNG_SCALE, config=config
    )
    return png


@cache
def scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs nothing else."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub asks for more than it does
    return bundle(vl_version=_VERSION)
