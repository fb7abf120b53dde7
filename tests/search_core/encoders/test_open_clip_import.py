from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import sys
from search_core.encoders.openclip import OpenClipEncoder
encoder = OpenClipEncoder({model!r})
encoder.encode_texts(["a white car"])
from PIL import Image
encoder.encode_images([Image.new("RGB", (64, 64), "red")])
heavy = "torchvision", "torch._dynamo", "sympy", "timm"
print(*[name for name in heavy if name in sys.modules])
import torchvision
print(torchvision.transforms.Resize(8))
"""


AMONG_OTHERS = """
import sys, threading, types
from search_core.encoders.open_clip_import import import_open_clip
done = threading.Event()
sys.setswitchinterval(1e-6)
def others():
    number = 0
    while not done.is_set():
        number += 1
        sys.modules[f"other{number % 5000}"] = types.ModuleType("other")
        sys.modules.pop(f"other{(number - 2500) % 5000}", None)
threading.Thread(target=others).start()
try:
    print(import_open_clip(timm=True).timm_model.timm is not None, "torchvision" in sys.modules)
finally:
    done.set()
"""


def imported_by(model: str) -> list[str]:
    """What of torch's surroundings a process imports to embed with a model, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(model=model)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_neither_torchvision_nor_a_compiler_nor_timm_is_imported(tiny_model_dir: Path) -> None:
    heavy, real = imported_by(f"local-dir:{tiny_model_dir}")
    assert heavy == ""
    assert real.startswith("Resize(size=8")  # whoever wants torchvision gets the real one


def test_a_tower_of_timm_brings_timm_alone() -> None:
    heavy, real = imported_by("sightline-demo")
    assert heavy == "timm"
    assert real.startswith("Resize(size=8")


def test_a_tower_of_timm_is_built_after_one_of_open_clips_own(tiny_model_dir: Path) -> None:
    from search_core.encoders.openclip import OpenClipEncoder

    OpenClipEncoder(f"local-dir:{tiny_model_dir}")
    demo = OpenClipEncoder("sightline-demo")
    assert demo.identity.dim == 192


def test_other_threads_may_import_meanwhile() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AMONG_OTHERS], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_names_of_python_are_no_placeholders() -> None:
    from search_core.encoders.open_clip_import import _Module

    with pytest.raises(AttributeError):
        _ = _Module("torchvision").__wrapped__
