"""Batches of (frame, caption) pairs: siblings side by side, frames altered, captions said anew each
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from sightline.demo.scenes.scenes import Scene, Vehicle
from sightline.demo.training.cache import SIBLINGS, Group
from sightline.demo.training.captions import caption

Frames = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MEAN, STD = 0.45, 0.25
"""Every channel's mean and standard deviation as the encoder expects them (its preprocess_cfg says
the same).
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames uint8 (n, height, width, 3) RGB, a caption for each, and which of them must not be
    mirrored.
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


def draw_batch(
    groups: Sequence[Group],
    frames: Frames,
    rng: np.random.Generator,
    size: int,
    paired: float = 0.5,
    themes: Themes | None = None,
) -> Batch:
    """A batch of ``size`` pairs; a ``paired`` share of it are scenes beside one of their siblings.

    ``frames`` is (groups, members, height, width, 3). Both captions of such a pair mention what
    differs. With ``themes``, most of the batch is about hats, umbrellas, bags and lettering.
    """
    pairs = int(size * paired) // 2
    members: list[Member] = []
    if themes is not None:
        members = _themed(groups, themes, rng, size, pairs)
    else:
        for place, index in enumerate(rng.choice(len(groups), size - pairs, replace=False)):
            if place < pairs:
                members += _pair(groups, int(index), 1 + int(rng.integers(SIBLINGS)), False)
            else:
                members.append((int(index), int(rng.integers(SIBLINGS + 1)), None, False))
    scenes = [groups[index].scene(member) for index, member, _, _ in members]
    return Batch(
        frames=np.stack([frames[index, member] for index, member, _, _ in members]),
        captions=[
            caption(rng, scene, focus, alone=alone).text
            for scene, (_, _, focus, alone) in zip(scenes, members, strict=True)
        ],
        lettered=np.array([lettered(scene) for scene in scenes]),
    )


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
