"""A report's charts as Vega-Lite: for a page that themes them, and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import vl_convert

from search_core.lab.chart_theme import theme
from search_core.lab.report_charts import Panel, Section

Spec = dict[str, Any]
#: The Vega-Lite that Altair writes, as vl-convert names it.
_VERSION = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
_PNG_SCALE = 1.5
_WIDE_PX, _NARROW_PX = 520, 300
_LOOKS = {"color": "colour", "fill": "colour", "shape": "shape", "strokeDash": "dash"}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a legend shows for one label; "" where a label has no colour, shape or dash of its own.

    ``shape`` is one of Vega's names or an SVG path, ``dash`` as SVG's stroke-dasharray has it.
    """

    label: str
    colour: str = ""
    shape: str = ""
    dash: str = ""


def panel_specs(section: Section, panel: Panel) -> list[Spec]:
    """Return a panel's charts as Vega-Lite without a theme; each says what it is when read out."""
    made = []
    for chart in panel.charts:
        spec: Spec = chart.to_dict(validate=False)
        spec.pop("config", None)
        made.append({**spec, "description": f"{section.title}: {panel.title}"})
    return made


def take_legends(specs: Sequence[Spec]) -> tuple[list[Mark], list[Spec]]:
    """Return the legends of named colours, shapes and dashes as one, and the charts without them.

    A legend inside a chart does not fold on a narrow page; one of HTML does.
    """
    found: dict[str, dict[str, str]] = {}
    bare = deepcopy(list(specs))
    for spec in bare:
        for channel, definition in _channels(spec):
            scale = definition.get("scale") or {}
            if channel not in _LOOKS or not isinstance(scale.get("domain"), list):
                continue
            for label, value in zip(scale["domain"], scale["range"], strict=True):
                looks = found.setdefault(str(label), {})
                dash = " ".join(str(part) for part in value) if isinstance(value, list) else value
                looks.setdefault(_LOOKS[channel], dash)
            definition["legend"] = None
    return [Mark(label, **looks) for label, looks in found.items()], bare


def section_png(section: Section, specs: Sequence[Sequence[Spec]], names: Sequence[str]) -> bytes:
    """Return all charts of a section as one PNG.

    ``specs`` are its panels', from :func:`panel_specs`; ``names`` are the comparisons', when there
    are several.
    """
    width = _WIDE_PX if section.wide else _NARROW_PX
    datasets: dict[str, Any] = {}
    panels = []
    for panel, drawn in zip(section.panels, specs, strict=True):
        title = f"{names[panel.comparison]} · {panel.title}" if names else panel.title
        for spec in drawn:
            datasets |= spec["datasets"]
        below = [
            {name: value for name, value in spec.items() if name not in ("$schema", "datasets")}
            | {"width": width}
            for spec in drawn
        ]
        heading = {"text": title, "limit": width}
        panels.append({"title": heading, "vconcat": below, "spacing": 6})
    whole: Spec = {
        "$schema": specs[0][0]["$schema"],
        "title": section.title,
        "columns": 2 if section.wide else 3,
        "spacing": 28,
        "concat": panels,
        "datasets": datasets,
    }
    if section.name == "latency-nq":  # each index has a search parameter of its own
        whole["resolve"] = {"scale": {"color": "independent"}}
    plain = theme()
    config = {**plain, "background": "#ffffff", "padding": 20}
    config["legend"] = {**plain["legend"], "columns": 3}
    png: bytes = vl_convert.vegalite_to_png(
        whole, vl_version=_VERSION, scale=_PNG_SCALE, config=config
    )
    return png


@cache
def scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs nothing else."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub asks for more than it does
    return bundle(vl_version=_VERSION)


def _channels(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    for layer in spec.get("layer", [spec]):
        for channel, definition in layer.get("encoding", {}).items():
            if isinstance(definition, dict):
                yield channel, definition
