"""Let a CUDA build of torchvision import beside a CPU build of torch.

torchvision registers fake kernels for two of its compiled operators while it is imported. Where its
compiled library does not load (a CUDA build beside a CPU torch), the operators do not exist and the
import stops with ``operator torchvision::nms does not exist``. CLIP needs neither operator, so
declaring their schemas is enough.
"""

from __future__ import annotations

from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")
_declared: list[object] = []


def ensure_torchvision_ops() -> None:
    """Declare torchvision's ``nms`` and ``qnms`` where they are missing.

    Call it before anything imports torchvision or open_clip; calling it again does nothing.
    """
    if _declared:
        return
    import torch

    if torch.version.cuda is not None:
        return  # torch and torchvision are both CUDA builds: the compiled operators load
    make_library: Any = torch.library.Library  # untyped in torch
    library = make_library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SCHEMA)
    _declared.append(library)  # the definitions live as long as this object
