"""open_clip with its own transforms of pictures, for tests that compare ours with them."""

from __future__ import annotations

import importlib
from typing import Any

from search_core.encoders.open_clip_import import import_open_clip


def open_clip_with_transforms() -> Any:
    """Return the module open_clip, its transforms those of torchvision."""
    open_clip = import_open_clip()
    importlib.import_module("torchvision.transforms.functional")
    transform = importlib.reload(open_clip.transform)
    for name in vars(transform).keys() & vars(open_clip.factory).keys():
        if getattr(vars(transform)[name], "__module__", "") == transform.__name__:
            setattr(open_clip.factory, name, vars(transform)[name])
    return open_clip
