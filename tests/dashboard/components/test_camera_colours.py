"""The cameras' colours: of the name, few shared, seen in both themes."""

from __future__ import annotations

from dashboard.components.theme import COLOURS, camera_colours
from search_core.schema.facets import CameraFacet


def cameras(*names: str) -> list[CameraFacet]:
    return [CameraFacet(name, 1, at, at) for at, name in enumerate(names)]


def test_no_two_cameras_share_a_colour_as_long_as_there_are_enough() -> None:
    names = [f"cam-{number}" for number in range(len(COLOURS))]
    assert len(set(camera_colours(cameras(*names)).values())) == len(COLOURS)
    assert len(camera_colours(cameras(*names, "one", "more"))) == len(COLOURS) + 2


def test_a_camera_keeps_its_colour_when_others_come_and_in_any_order() -> None:
    few, more = cameras("gate", "yard"), cameras("gate", "yard", "a", "b", "c", "d", "e")
    assert camera_colours(more).items() >= camera_colours(few).items()
    assert camera_colours(more[::-1]) == camera_colours(more)


def test_what_has_no_camera_has_no_colour() -> None:
    assert camera_colours(cameras("", "gate")).keys() == {"gate"}


def test_every_colour_is_seen_on_both_backgrounds() -> None:
    for colour in COLOURS:
        for background in ("#ffffff", "#0e1117"):
            light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3.0, (colour, background)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
