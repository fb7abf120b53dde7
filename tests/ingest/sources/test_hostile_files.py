"""Files of any name and any content: each ends as done, skipped or failed, with words for people.

`SIGHTLINE_SOAK=1` tries many more.
"""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.engines.base import LocalEngine
from ingest.pipeline import ingest
from search_core.settings import MediaSettings, Settings
from search_core.store.memory.store import MemoryStore
from sightline.cli.terminal import one_line
from tests.support.made_media import HistogramEncoder, make_clip, make_photo

RUNS = 400 if os.environ.get("SIGHTLINE_SOAK") else 4
#: What a message for people never holds: names of classes, numbers of errors, addresses of objects.
RAW = re.compile(r"\w+(Error|Exception)\b|\[Errno|<class|object at 0x|Traceback|internal error")
SUFFIXES = (".jpg", ".png", ".mp4", ".mkv", ".ts", ".avi", ".zip")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small whole file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    for suffix in (".jpg", ".png"):
        make_photo(folder / f"a{suffix}")
    for suffix in (".mp4", ".mkv", ".ts", ".avi"):
        codec = "mpeg4" if suffix == ".avi" else "libx264"
        make_clip(folder / f"a{suffix}", seconds=2, codec=codec)
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.write(folder / "a.png", "in/a.png")
        out.write(folder / "a.mp4", "b.mp4")
    return {suffix: (folder / f"a{suffix}").read_bytes() for suffix in SUFFIXES}


HOSTILE_NAMES = (
    b"-k", b"--help", b"new\nline", b"\x1b[31mred", "\u202egnp".encode(), b"\xff\xfe", b"x" * 240,
    b"file:x", b"http:x", b"concat:x|y", b"%d", b"*", b"[a]", b"~", b"$HOME", b"' or 1", b"a\\b",
    b"2026-13-45_25-61-61", b"99999999999999", b" ", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80",
)  # fmt: skip
names = st.sampled_from(HOSTILE_NAMES) | st.binary(min_size=1, max_size=60).map(
    # A leading dot hides a file.
    lambda name: name.replace(b"/", b"").replace(b"\0", b"").lstrip(b".") or b"a"
)
#: What is done to a file's content: how, where as a share of it, to how many bytes, and with what.
changes = st.lists(
    st.tuples(
        st.sampled_from(["cut", "overwrite", "zero", "remove", "repeat"]),
        st.floats(0, 1),
        st.sampled_from([1, 4, 64, 1024]),
        st.binary(min_size=4, max_size=4),
    ),
    max_size=3,
)
files = st.lists(
    st.tuples(names, st.sampled_from(SUFFIXES), st.sampled_from(("", "", "", *SUFFIXES)), changes),
    min_size=8,
    max_size=16,
)


def changed(content: bytes, how: str, share: float, length: int, others: bytes) -> bytes:
    at = round(share * len(content))
    before, part, after = content[:at], content[at : at + length], content[at + length :]
    match how:
        case "cut":
            return before
        case "overwrite":
            return before + others + content[at + 4 :]
        case "zero":
            return before + bytes(len(part)) + after
        case "remove":
            return before + after
    return before + part + part + after


@pytest.fixture(scope="module")
def take_in_all(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("data")
    return Settings(
        data_dir=folder, media=MediaSettings(thumbnail_px=64, max_pixels=4_000_000, read="off")
    )


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@settings(
    max_examples=RUNS,
    deadline=None,
    derandomize=RUNS < 100,
    phases=[Phase.generate],  # to shrink would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=files)
def test_each_file_ends_with_an_outcome_in_words(
    files: list[tuple[bytes, str, str, Any]], whole: dict[str, bytes], take_in_all: Settings
) -> None:
    with TemporaryDirectory() as folder:
        for number, (name, kind, other, done) in enumerate(files):
            content = whole[kind]
            for change in done:
                content = changed(content, *change)
            path = Path(folder) / str(number) / os.fsdecode(name + (other or kind).encode())
            path.parent.mkdir()
            path.write_bytes(content)
        report = ingest(
            [folder],
            settings=take_in_all,
            store=MemoryStore(),
            encoder=HistogramEncoder(),
            library="main",
            engine=LocalEngine(1),
        )
    uris = [outcome.uri for outcome in report.outcomes]
    lost = [n for n in range(len(files)) if not any(f"{folder}/{n}/" in uri for uri in uris)]
    assert not lost, [(files[n][0], files[n][1:3]) for n in lost]
    assert report.done + report.skipped + report.failed == len(report.outcomes)
    for outcome in report.outcomes:
        said = f"{outcome.reason} {outcome.warning}"
        assert outcome.status == "done" or outcome.reason
        assert not RAW.search(said), said
        assert one_line(said) == said
