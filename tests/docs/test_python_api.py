"""The Python blocks of docs/python-api.md run, one after another, on a few pictures."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from PIL import Image

from sightline.demo.scenes.render import render_scene
from sightline.demo.training.truth import still_scenes

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CAMERAS = ("gate-3", "yard")
_PICTURES = 12


def test_blocks_of_the_python_api_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = iter(still_scenes())
    for camera in _CAMERAS:
        folder = tmp_path / "footage" / camera
        folder.mkdir(parents=True)
        for number in range(_PICTURES):
            Image.fromarray(render_scene(next(scenes))).save(folder / f"{number}.jpg")
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    test = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.DocTestRunner(optionflags=options).run(test, out=said.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)
