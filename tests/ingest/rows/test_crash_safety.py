"""kill -9 at any moment, run again: nothing is lost and nothing is there twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.ledger import Ledger
from tests.support.made_media import make_clip, make_photo

#: An ingest in a process of its own, into rows on disk, that kills itself at a given moment.
SCRIPT = Path(__file__).with_name("killed_ingest.py")


def run(tmp_path: Path, moment: str, store: str = "file") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), moment, store],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def written(tmp_path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    make_clip(folder / "a.mp4", seconds=6)
    (folder / "yard").mkdir()  # two of one camera would be folded
    make_clip(folder / "yard" / "b.mp4", seconds=5, size=(48, 64))
    for number in range(4):
        make_photo(folder / f"{number}.png", (number, 60, 90))
    return folder


@pytest.mark.parametrize(
    "moment",
    ["first-keyframe", "embed", "before-upsert", "after-upsert", "before-ledger", "four-done"],
)
def test_killed_anywhere_and_run_again(tmp_path: Path, media: Path, moment: str) -> None:
    killed = run(tmp_path, moment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with Ledger(tmp_path / "data" / "ledger.sqlite") as ledger:
        for row in ledger.outcomes("main", "done"):  # what is called done is there, whole
            rows = [key for key in written(tmp_path) if key.startswith(row.source_id)]
            assert len(set(rows)) == row.keyframes
    report = json.loads(run(tmp_path, "never").stdout)
    assert report["done"] + report["skipped"] == 6 and report["failed"] == 0
    assert len(set(written(tmp_path))) == 6 + 5 + 4


def test_killed_and_run_again_on_milvus(tmp_path: Path, media: Path) -> None:
    killed = run(tmp_path, "four-done", "milvus")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    report = json.loads(run(tmp_path, "never", "milvus").stdout)
    assert report["rows"] == 6 + 5 + 4
    assert report["skipped"] >= 4
    assert report["done"] + report["skipped"] == 6
    again = json.loads(run(tmp_path, "never", "milvus").stdout)
    assert (again["done"], again["skipped"], again["rows"]) == (0, 6, 15)
