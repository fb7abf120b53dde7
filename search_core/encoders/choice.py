"""Which encoder a new library gets where nobody names one."""

from __future__ import annotations

from search_core.encoders.catalogue import ENCODERS, EncoderSpec, recommended
from search_core.encoders.hub import is_here


def for_this_machine() -> tuple[EncoderSpec, ...]:
    """Return the encoders recommended for this machine's footage, the best first."""
    from search_core.encoders.openclip import gpu_name

    usual = recommended()
    best = recommended(gpu=True) if gpu_name() else usual
    return (best,) if best is usual else (best, usual)


def demo_encoder() -> EncoderSpec:
    """Return the encoder that knows the sample footage, and needs no download."""
    return next(spec for spec in ENCODERS if spec.is_demo)


def here_for_footage() -> EncoderSpec | None:
    """Return the best recommended encoder whose weights are on this machine."""
    return next(filter(is_here, for_this_machine()), None)
