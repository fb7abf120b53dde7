"""The key of charts: what their colours, shapes, lines and looks stand for.

A page writes it as HTML, which folds where the page is narrow; a picture has it as a chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Look = Literal["", "front", "hollow", "ring", "interval", "guide", "outlined"]
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
    shape = shape_of_mark(mark)
    if shape:
        point = {"type": "point", "shape": shape, "size": 80, "opacity": 1, "style": "key"}
        hollow = mark.look in ("hollow", "ring", "outlined")
        point |= {"filled": not hollow, "strokeWidth": 1.6, **colour}
        if mark.look == "ring":
            point |= {"size": 200, "style": "chosen", "strokeWidth": 2}
        yield _placed(point, middle, y)


def _width(mark: Mark) -> int:
    return _LINE_WIDE if mark.dash or mark.look in ("front", "guide") else _POINT_WIDE


def shape_of_mark(mark: Mark) -> str:
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
