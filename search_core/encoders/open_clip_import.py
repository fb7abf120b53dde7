"""Importing open_clip without what it imports and CLIP never uses.

Imported plainly, open_clip brings torchvision and timm, and they bring torch's compiler: two thirds
of the time that a command takes before it can read a sentence. Pictures are prepared here without
torchvision (:class:`search_core.encoders.base.Preprocess`), and timm builds some vision towers
only. While open_clip is imported, names of torchvision are placeholders; afterwards it is as if
nobody had imported it, and whoever does gets the real one.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ABSENT = "torchvision"
_OPERATOR = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_lock = threading.RLock()
_declared: list[object] = []


def import_open_clip(*, timm: bool = False) -> Any:
    """Return the module open_clip; with ``timm`` it builds vision towers of timm as well."""
    with _lock:
        declare_torchvision_operators()
        if "open_clip" not in sys.modules:
            with _without_torchvision(), _without_timm():
                importlib.import_module("open_clip")
        open_clip: Any = sys.modules["open_clip"]
        if timm and open_clip.timm_model.timm is None:
            with _without_torchvision(), _without_compiler():
                importlib.import_module("timm")  # open_clip would keep silent about why it fails
                importlib.reload(open_clip.timm_model)
            open_clip.model.TimmModel = open_clip.timm_model.TimmModel
        return open_clip


def declare_torchvision_operators() -> None:
    """Let torchvision itself be imported, as by transformers, beside a torch of another build.

    torchvision registers fake kernels for two of its compiled operators while it is imported. Where
    its compiled library does not load (a CUDA build beside a CPU torch) they do not exist, and the
    import stops with ``operator torchvision::nms does not exist``. Declaring them is enough.
    """
    import torch

    if _declared or torch.version.cuda is not None:
        return
    make_library: Any = torch.library.Library  # untyped in torch
    library = make_library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _OPERATOR)
    _declared.append(library)  # the definitions live as long as this object


class _Name(type):
    """A name of a module that is not there: a class whose attributes are such names too."""

    def __getattr__(cls, name: str) -> Any:
        return _placeholder(name)


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return _placeholder(name)


def _placeholder(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Name(name, (), {})


class _Finder(MetaPathFinder, Loader):
    """Finds a placeholder for torchvision and everything in it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return how to load a placeholder, None for all other modules."""
        if fullname.partition(".")[0] != _ABSENT:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that has every name."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is nothing in it."""


@contextmanager
def _without_torchvision() -> Iterator[None]:
    if _ABSENT in sys.modules:  # somebody else has paid for it
        yield
        return
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in list(sys.modules):  # other threads import meanwhile
            if name.partition(".")[0] == _ABSENT:
                del sys.modules[name]


@contextmanager
def _without_timm() -> Iterator[None]:
    """Let ``import timm`` fail, which open_clip is prepared for."""
    if "timm" in sys.modules:
        yield
        return
    sys.modules["timm"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["timm"]


def _no_hint(fn: Any = None, *_: Any, **__: Any) -> Any:
    return (lambda made: made) if fn is None else fn


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Let timm's hints to torch's compiler be none: making one imports all of the compiler."""
    from torch import compiler

    hint = compiler.disable
    compiler.disable = _no_hint
    try:
        yield
    finally:
        compiler.disable = hint
