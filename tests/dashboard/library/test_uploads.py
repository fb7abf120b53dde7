from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from dashboard.library.adding import MAX_FILES, safe_name, save_uploads
from search_core.errors import UsageError


class Sent(io.BytesIO):
    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name = name
        self.size = len(data)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gate.mp4", "001-gate.mp4"),
        ("../../etc/passwd", "001-passwd"),
        ("C:\\Users\\me\\Film 1.MOV", "001-Film-1.mov"),
        ("..", "001-file"),
        ("", "001-file"),
        ("\x00;rm -rf $HOME.jpg", "001-rm-rf-HOME.jpg"),
        ("вход.jpg", "001-file.jpg"),
        ("a" * 300 + ".jpeg", f"001-{'a' * 60}.jpeg"),
        (".hidden", "001-hidden"),
        ("x.p<b>", "001-x"),
    ],
)
def test_names_are_made_of_what_is_harmless(sent: str, kept: str) -> None:
    assert safe_name(sent, 1) == kept


def test_files_are_kept_whole_and_apart(tmp_path: Path) -> None:
    first = save_uploads([Sent("a.jpg", b"one"), Sent("a.jpg", b"two")], tmp_path)
    second = save_uploads([Sent("a.jpg", b"three")], tmp_path)

    assert [path.read_bytes() for path in first + second] == [b"one", b"two", b"three"]
    assert all(path.parent.parent == tmp_path for path in first + second)
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_and_a_flood_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="too many"):
        save_uploads([Sent("a", b"")] * (MAX_FILES + 1), tmp_path)

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(UsageError, match="Not enough disk space"):
        save_uploads([Sent("a", b"1")], tmp_path)
    assert list(tmp_path.iterdir()) == []
