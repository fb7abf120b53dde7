"""Batches of pictures and what is said of them: siblings side by side, parts of wide frames beside
whole ones, pictures altered, and claims said anew each time, in both languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from sightline.demo.scenes.facts import Facts
from sightline.demo.scenes.scenes import Scene, Vehicle
from sightline.demo.training.cache import SIBLINGS, Group
from sightline.demo.training.captions import LANGUAGES, facts, say
from sightline.demo.training.views import View

Frames = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MEAN, STD = 0.45, 0.25
"""Every channel's mean and standard deviation as the encoder expects them (its preprocess_cfg says
the same).
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames uint8 (n, height, width, 3) RGB, a caption for each, English or Chinese by chance, and
    which of them must not be mirrored.
    """

    frames: Frames
    captions: list[str]
    lettered: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def lettered(scene: Scene) -> bool:
    """Whether anything in the scene carries letters (a taxi's sign included)."""
    return any(
        isinstance(thing, Vehicle) and (thing.lettering or thing.kind == "taxi")
        for thing in scene.things
    )


Member = tuple[int, int, tuple[int, str] | None, bool]
"""A frame of a batch: its group, its place there, the caption's focus, and whether that is all."""

FINE = ("hat", "umbrella", "bag", "lettering")
"""Attributes that take few pixels, learned late unless they are asked for."""


def fine_details(scene: Scene) -> list[tuple[int, str]]:
    """The (thing, attribute) pairs of a scene that are fine."""
    return [
        (index, name)
        for index, thing in enumerate(scene.things)
        for name in FINE
        if getattr(thing, name, None)
    ]


class Themes:
    """Which groups show fine details, so that batches can be made where only those tell apart."""

    def __init__(self, groups: Sequence[Group]) -> None:
        details = [{name for _, name in fine_details(group.base)} for group in groups]
        self.lettered = np.flatnonzero(["lettering" in names for names in details])
        self.worn = np.flatnonzero([bool(names - {"lettering"}) for names in details])
        self.siblings = [
            (index, member)
            for index, group in enumerate(groups)
            for member, sibling in enumerate(group.siblings, start=1)
            if sibling.attribute in FINE
        ]


def _pair(groups: Sequence[Group], index: int, member: int, alone: bool) -> list[Member]:
    sibling = groups[index].siblings[member - 1]
    focus = (sibling.index, sibling.attribute)
    return [(index, 0, focus, alone), (index, member, focus, alone)]


def _themed(
    groups: Sequence[Group], themes: Themes, rng: np.random.Generator, size: int, pairs: int
) -> list[Member]:
    """Half of the pairs differ in a fine detail, three quarters of the rest are asked for one."""
    members: list[Member] = []
    for choice in rng.choice(len(themes.siblings), pairs // 2, replace=False):
        index, member = themes.siblings[int(choice)]
        members += _pair(groups, index, member, bool(rng.random() < 0.5))
    for index in rng.choice(len(groups), pairs - pairs // 2, replace=False):
        members += _pair(groups, int(index), 1 + int(rng.integers(SIBLINGS)), False)
    rest = size - 2 * pairs
    for theme in (themes.lettered, themes.worn):
        for index in rng.choice(theme, rest * 3 // 8, replace=False):
            details = fine_details(groups[index].base)
            if theme is themes.lettered:
                details = [detail for detail in details if detail[1] == "lettering"]
            focus = details[int(rng.integers(len(details)))]
            members.append((int(index), 0, focus, bool(rng.random() < 0.5)))
    for index in rng.choice(len(groups), size - len(members), replace=False):
        members.append((int(index), int(rng.integers(SIBLINGS + 1)), None, False))
    return [members[int(place)] for place in rng.permutation(size)]


_EMPTY_KEPT = 0.2
_VIEW_CHANCES = np.array([0.24, 0.2, 0.2, 0.14, 0.14, 0.08])
"""How often each of a wide scene's views is drawn."""


class WideScenes:
    """The views of a cache's wide scenes, with their pictures (scenes, views, height, width, 3)."""

    def __init__(self, views: Sequence[tuple[View, ...]], frames: Frames) -> None:
        self.views = views
        self.frames = frames

    def draw(self, rng: np.random.Generator, size: int) -> list[tuple[int, int]]:
        """Scene and view of ``size`` views, of which something can be said; few of them empty."""
        found: list[tuple[int, int]] = []
        for index in rng.choice(len(self.views), min(len(self.views), 3 * size), replace=False):
            number = int(rng.choice(len(_VIEW_CHANCES), p=_VIEW_CHANCES))
            view = self.views[int(index)][number]
            if view.scene.things or (view.is_clear and rng.random() < _EMPTY_KEPT):
                found.append((int(index), number))
        return found[:size]


def _view_facts(rng: np.random.Generator, view: View) -> Facts:
    details = [
        (index, name) for index, name in fine_details(view.scene) if name in view.told[index]
    ]
    focus = details[int(rng.integers(len(details)))] if details and rng.random() < 0.4 else None
    alone = focus is not None and rng.random() < 0.5
    is_part = view.side < _PLACE_TOLD
    return facts(rng, view.scene, focus, alone=alone, told=view.told, is_part=is_part)


_PLACE_TOLD = 0.45
"""A view of a smaller side does not show where it is."""


def _said(rng: np.random.Generator, claims: Facts) -> str:
    return say(rng, claims, language=LANGUAGES[int(rng.integers(len(LANGUAGES)))]).text


def draw_batch(
    groups: Sequence[Group],
    frames: Frames,
    rng: np.random.Generator,
    size: int,
    paired: float = 0.5,
    themes: Themes | None = None,
    wide: WideScenes | None = None,
) -> Batch:
    """A batch of ``size`` pictures with their captions.

    ``frames`` is (groups, members, height, width, 3). A ``paired`` share of its whole frames are
    scenes beside one of their siblings; what is said of such a pair mentions what differs. With
    ``themes``, most whole frames are about hats, umbrellas, bags and lettering. With ``wide``,
    nearly half of the batch are views of wide scenes.
    """
    drawn = wide.draw(rng, int(size * _VIEWED)) if wide is not None else []
    whole = size - len(drawn)
    pairs = int(whole * paired) // 2
    members: list[Member] = []
    if themes is not None:
        members = _themed(groups, themes, rng, whole, pairs)
    else:
        for place, index in enumerate(rng.choice(len(groups), whole - pairs, replace=False)):
            if place < pairs:
                members += _pair(groups, int(index), 1 + int(rng.integers(SIBLINGS)), False)
            else:
                members.append((int(index), int(rng.integers(SIBLINGS + 1)), None, False))
    scenes = [groups[index].scene(member) for index, member, _, _ in members]
    claims = [
        facts(rng, scene, focus, alone=alone)
        for scene, (_, _, focus, alone) in zip(scenes, members, strict=True)
    ]
    pictures = [frames[index, member] for index, member, _, _ in members]
    for index, number in drawn:
        assert wide is not None
        view = wide.views[index][number]
        scenes.append(view.scene)
        claims.append(_view_facts(rng, view))
        pictures.append(wide.frames[index, number])
    # Shuffled, so that batch statistics are the same in each chunk.
    order = rng.permutation(size)
    return Batch(
        frames=np.stack([pictures[place] for place in order]),
        captions=[_said(rng, claims[place]) for place in order],
        lettered=np.array([lettered(scenes[place]) for place in order]),
    )


_VIEWED = 0.45


def augment(
    batch: Batch, generator: torch.Generator, size: tuple[int, int], device: torch.device
) -> torch.Tensor:
    """The batch's frames as the encoder's input, float32 (n, 3, height, width), normalised.

    Shifted and scaled a little, some mirrored (never lettered ones), some coarser, brighter,
    darker, noisier; the hue is never touched, for colours are what captions speak of.
    """

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    height, width = size
    count = len(batch.frames)
    images = torch.from_numpy(batch.frames).to(device).permute(0, 3, 1, 2).float().div_(255)
    zoom = float(uniform(1.0, 1.14, 1))
    tall, wide = round(height * zoom), round(width * zoom)
    images = F.interpolate(images, size=(tall, wide), mode="bicubic", antialias=True)
    rows = (uniform(0, 1, count) * (tall - height + 1)).long()
    columns = (uniform(0, 1, count) * (wide - width + 1)).long()
    mirrored = (torch.rand(count, generator=generator) < 0.5) & ~torch.from_numpy(batch.lettered)
    images = torch.stack(
        [
            images[i, :, r : r + height, c : c + width]
            for i, (r, c) in enumerate(zip(rows, columns, strict=True))
        ]
    )
    images = torch.where(mirrored.to(device)[:, None, None, None], images.flip(3), images)
    coarse = torch.randperm(count, generator=generator)[: count // 4].to(device)
    factor = float(uniform(0.6, 0.95, 1))
    small = F.interpolate(images[coarse], scale_factor=factor, mode="bilinear", antialias=True)
    images[coarse] = F.interpolate(small, size=size, mode="bilinear")
    contrast = uniform(0.8, 1.2, count, 1, 1, 1).to(device)
    images = (images - 0.42) * contrast + 0.42 * uniform(0.8, 1.2, count, 1, 1, 1).to(device)
    grain = torch.randn(images.shape, generator=generator).to(device)
    images = images + grain * uniform(0.0, 0.035, count, 1, 1, 1).to(device)
    return (images.clamp_(0, 1) - MEAN) / STD
