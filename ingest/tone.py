"""High dynamic range footage as ordinary pictures: PQ and HLG in BT.2020 to sRGB."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Transfer = Literal["pq", "hlg"]

#: Points per side of the table that colours are looked up in, and interpolated.
_SIDE = 65
#: Diffuse white (ITU-R BT.2408), which becomes the white of the picture but for a little room.
_WHITE_NITS = 203.0
#: Linear light up to here is shown as it is; what is brighter is rolled off.
_KNEE = 0.8
#: BT.2020 to BT.709 primaries (ITU-R BT.2087).
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def tone_mapped(image: Image.Image, transfer: Transfer) -> Image.Image:
    """Return RGB in BT.2020 coded with PQ (SMPTE ST 2084) or HLG (ARIB STD-B67) as sRGB."""
    return image.filter(_table(transfer))


@cache
def _table(transfer: Transfer) -> ImageFilter.Color3DLUT:
    steps = np.linspace(0.0, 1.0, _SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    coded = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    nits = _nits_of_pq(coded) if transfer == "pq" else _nits_of_hlg(coded)
    light = np.maximum(0.0, nits / _WHITE_NITS @ _TO_709.T)
    brightest = np.maximum(light.max(axis=1, keepdims=True), 1e-9)
    room = 1.0 - _KNEE
    rolled_off = _KNEE + room * (1.0 - np.exp(-np.maximum(0.0, brightest - _KNEE) / room))
    light *= np.where(brightest > _KNEE, rolled_off, brightest) / brightest
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return ImageFilter.Color3DLUT(_SIDE, np.clip(srgb, 0.0, 1.0).astype(np.float32).ravel())


def _nits_of_pq(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light that PQ codes, in candela per square metre (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = coded ** (1 / m2)
    return np.asarray(10_000.0 * (np.maximum(0.0, power - c1) / (c2 - c3 * power)) ** (1 / m1))


def _nits_of_hlg(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light that HLG codes on a screen of 1000 cd/m2, gamma 1.2 (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3.0, (np.exp((coded - c) / a) + b) / 12.0)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(1_000.0 * luminance[:, None] ** 0.2 * scene)
