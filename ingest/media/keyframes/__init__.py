"""Which frames of a video become keyframes: one module per way to choose, one protocol for all.

A selector says in its ``recipe`` what it does, which is part of the ledger's key, so a changed
option means that sources are taken in again. For each video it hands out a chooser, which is first
asked how much of each stretch between codec keyframes has to be decoded, from the packets' sizes
and times alone, and then shown the decoded frames.
"""

from ingest.media.keyframe_selector import (
    FrameChooser,
    KeyframeSelector,
    NamedSelector,
    SeenFrame,
    SmallPicture,
)
from ingest.media.keyframes.auto import Auto
from ingest.media.keyframes.iframe import CodecKeyframes
from ingest.media.keyframes.interval import Interval
from ingest.media.keyframes.motion import Motion
from ingest.media.keyframes.registry import (
    SELECTORS,
    parse_selector,
    selector_examples,
    selector_help,
    selector_hint,
)
from ingest.media.keyframes.scene import Scene

__all__ = [
    "SELECTORS",
    "Auto",
    "CodecKeyframes",
    "FrameChooser",
    "Interval",
    "KeyframeSelector",
    "Motion",
    "NamedSelector",
    "Scene",
    "SeenFrame",
    "SmallPicture",
    "parse_selector",
    "selector_examples",
    "selector_help",
    "selector_hint",
]
