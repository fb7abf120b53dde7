"""The key of charts: what their colours, shapes, lines and looks stand for.

A page writes it as HTML, which folds where the page is narrow; a picture has it as a chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

Look = Literal["", "front", "hollow", "ring", "interval", "guide", "outlined"]
Spec = dict[str, Any]
_CHANNELS = {"color": "colour", "fill": "colour", "shape": "shape", "strokeDash": "dash"}
#: Vega's named shapes as SVG paths within -1 to 1.
_PATHS = {
    "circle": "M-1,0A1,1 0 1 1 1,0A1,1 0 1 1 -1,0Z",
    "square": "M-0.9,-0.9H0.9V0.9H-0.9Z",
    "diamond": "M0,-1.2L0.9,0L0,1.2L-0.9,0Z",
    "cross": "M-1,-0.4H-0.4V-1H0.4V-0.4H1V0.4H0.4V1H-0.4V0.4H-1Z",
    "triangle-up": "M0,-1L1,0.9H-1Z",
    "triangle-down": "M0,1L-1,-0.9H1Z",
    "triangle-right": "M1,0L-0.9,1V-1Z",
    "triangle-left": "M-1,0L0.9,-1V1Z",
}
#: Widths and heights in px. A letter of the key is 12 px high and seldom wider than 6.6 px.
_LINE_WIDE, _POINT_WIDE, _GAP, _LETTER, _LINE = 32, 16, 6, 6.6, 22
_BETWEEN = 22


@dataclass(frozen=True, slots=True)
class Mark:
    """What a key shows for one label; "" where a label has no colour, shape or dash of its own.

    ``shape`` is one of Vega's names or an SVG path, ``dash`` as SVG's stroke-dasharray has it.
    ``look`` is one of those that charts have for more than one colour: a point on the ``front`` and
    one that is not (``hollow``), the ``ring`` of the advice, an ``interval``, the ``guide`` at the
    recall that is wanted, a bar that is ``outlined``.
    """

    label: str
    colour: str = ""
    shape: str = ""
    dash: str = ""
    look: Look = ""


def take_legends(specs: Sequence[Spec]) -> tuple[list[Mark], list[Spec]]:
    """Return the legends of named colours, shapes and dashes as one, and the charts without them.

    A legend inside a chart does not fold on a narrow page; one of HTML does.
    """
    found: dict[str, dict[str, str]] = {}
    bare = deepcopy(list(specs))
    for spec in bare:
        for channel, definition in _channels(spec):
            scale = definition.get("scale") or {}
            if channel not in _CHANNELS or not isinstance(scale.get("domain"), list):
                continue
            for label, value in zip(scale["domain"], scale["range"], strict=True):
                looks = found.setdefault(str(label), {})
                dash = " ".join(str(part) for part in value) if isinstance(value, list) else value
                looks.setdefault(_CHANNELS[channel], dash)
            definition["legend"] = None
    return [
        Mark(label, looks.get("colour", ""), looks.get("shape", ""), looks.get("dash", ""))
        for label, looks in found.items()
    ], bare


def symbol_svg(mark: Mark, ink: str = "currentColor") -> str:
    """Return the symbol of a mark as SVG, 28 px wide, in ``ink`` where it has no colour."""
    colour = mark.colour or ink
    drawn = []
    if mark.look == "front":
        drawn.append(_svg_line(ink, 'stroke-width="10" opacity="0.13"'))
    if mark.look == "guide":
        drawn.append(_svg_line(ink, 'stroke-dasharray="4 4" opacity="0.7"'))
    if mark.look == "interval":
        drawn.append(f'<path d="M14,0V14" stroke="{ink}" stroke-width="1.5" opacity="0.6"/>')
    if mark.dash:
        drawn.append(_svg_line(colour, f'stroke-width="1.8" stroke-dasharray="{mark.dash}"'))
    if shape := _shape(mark):
        hollow = mark.look in ("hollow", "ring", "outlined")
        width = 0.42 if mark.look == "ring" else 0.3
        look = f'fill="none" stroke="{colour}" stroke-width="{width}"'
        path = f'd="{_PATHS.get(shape, shape)}" transform="translate(14 7) scale(5.2)"'
        drawn.append(f"<path {path} {look}/>" if hollow else f'<path {path} fill="{colour}"/>')
    size = 'viewBox="0 0 28 14" width="28" height="14" aria-hidden="true"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(drawn)}</svg>'


def key_chart(marks: Sequence[Mark], width: int) -> dict[str, Any]:
    """Return a key as a Vega-Lite view ``width`` px wide, for a theme's styles."""
    layers: list[dict[str, Any]] = []
    x, y = 0.0, _LINE / 2
    for mark in marks:
        before = _width(mark) + _GAP
        takes = before + _LETTER * len(mark.label)
        if x and x + takes > width:
            x, y = 0.0, y + _LINE
        layers += _symbol(mark, x, y)
        words = {"type": "text", "align": "left", "style": "key-text", "text": mark.label}
        layers.append(_placed(words, x + before, y))
        x += takes + _BETWEEN
    return {
        "data": {"values": [{}]},
        "width": width,
        "height": y + _LINE / 2,
        "view": {"stroke": None},
        "layer": layers,
    }


def _symbol(mark: Mark, x: float, y: float) -> Iterator[dict[str, Any]]:
    middle = x + _width(mark) / 2
    colour = {"color": mark.colour} if mark.colour else {}
    if mark.look == "front":
        yield _rule({"style": "front"}, x, y)
    if mark.look == "guide":
        yield _rule({"style": "guide"}, x, y)
    if mark.look == "interval":
        bar = {"type": "rule", "style": "key", "strokeWidth": 1.5, "opacity": 0.6}
        yield _placed(bar, middle, y - 8, y2=y + 8)
    if mark.dash:
        dash = [int(part) for part in mark.dash.split()]
        yield _rule({"style": "key", "strokeWidth": 1.8, "strokeDash": dash, **colour}, x, y)
    shape = _shape(mark)
    if shape:
        point = {"type": "point", "shape": shape, "size": 80, "opacity": 1, "style": "key"}
        hollow = mark.look in ("hollow", "ring", "outlined")
        point |= {"filled": not hollow, "strokeWidth": 1.6, **colour}
        if mark.look == "ring":
            point |= {"size": 200, "style": "chosen", "strokeWidth": 2}
        yield _placed(point, middle, y)


def _width(mark: Mark) -> int:
    return _LINE_WIDE if mark.dash or mark.look in ("front", "guide") else _POINT_WIDE


def _shape(mark: Mark) -> str:
    """Return the shape that a mark is drawn with; "" for a line only."""
    if mark.look in ("front", "hollow", "ring"):
        return "circle"
    if mark.look in ("interval", "guide"):
        return ""
    return mark.shape or ("square" if not mark.dash else "")


def _rule(look: dict[str, Any], x: float, y: float) -> dict[str, Any]:
    return _placed({"type": "rule", **look}, x, y, x2=x + _LINE_WIDE)


def _placed(look: dict[str, Any], x: float, y: float, **ends: float) -> dict[str, Any]:
    at = {"x": x, "y": y, **ends}
    return {"mark": look, "encoding": {name: {"value": value} for name, value in at.items()}}


def _svg_line(colour: str, look: str) -> str:
    return f'<path d="M1,7H27" stroke="{colour}" {look}/>'


def _channels(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    for layer in spec.get("layer", [spec]):
        for channel, definition in layer.get("encoding", {}).items():
            if isinstance(definition, dict):
                yield channel, definition
