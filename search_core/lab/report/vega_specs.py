"""A report's charts as Vega-Lite: for a page that themes them, and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from typing import Any

import altair as alt
import vl_convert

from search_core.lab.report.sections import Panel, Section
from search_core.lab.report.theme import theme

Spec = dict[str, Any]
_PNG_SCALE = 1.5
_WIDE_PX, _NARROW_PX = 520, 300


def panel_specs(section: Section, panel: Panel) -> list[Spec]:
    """Return a panel's charts as Vega-Lite without a theme; each says what it is when read out."""
    made = []
    for chart in panel.charts:
        spec: Spec = chart.to_dict(validate=False)
        spec.pop("config", None)
        made.append({**spec, "description": f"{section.title}: {panel.title}"})
    return made


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


def section_png(section: Section, names: Sequence[str]) -> bytes:
    """Return :func:`picture` as a PNG."""
    look = {**theme(), "background": "#ffffff", "padding": 20}
    png = BytesIO()
    picture(section, names).configure(**look).save(png, format="png", scale_factor=_PNG_SCALE)
    return png.getvalue()


@cache
def scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs nothing else."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub asks for more than it does
    # The Vega-Lite that Altair writes, as vl-convert names it.
    return bundle(vl_version=".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2]))
