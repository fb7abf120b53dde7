from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cameras.folders.scan import FolderScan, FolderUnavailable

LONG_AGO_S = 1_700_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "nvr"
    folder.mkdir()
    return folder


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def let_settle(root: Path) -> None:
    """Make all folders look as if nothing had changed in them for long."""
    for folder, _, _ in os.walk(root):
        os.utime(folder, (LONG_AGO_S, LONG_AGO_S))


def names(root: Path, found: object) -> set[str]:
    assert isinstance(found, dict)
    return {str(Path(path).relative_to(root)) for path in found}


def test_a_small_folder_is_seen_whole_each_time(root: Path, tmp_path: Path) -> None:
    put(root, "a.mp4", "2026/03/01/b.mp4", ".hidden.mp4", ".cache/c.mp4", "data/ledger.sqlite")
    (root / "link.mp4").symlink_to(root / "a.mp4")
    (root / "loop").symlink_to(root)
    scan = FolderScan(root, root / "data")
    assert names(root, scan.scan()) == {"a.mp4", "2026/03/01/b.mp4"}
    put(root, "2026/03/02/d.mp4")
    assert names(root, scan.scan()) == {"a.mp4", "2026/03/01/b.mp4", "2026/03/02/d.mp4"}
    assert scan.sweeps == 2 and scan.unlisted == {}


def test_a_scan_of_a_large_folder_is_bounded_and_sees_all_in_the_end(root: Path) -> None:
    files = [f"{day:02d}/{hour:02d}/{n}.mp4" for day in range(6) for hour in range(5) for n in "ab"]
    put(root, *files)
    let_settle(root)
    scan = FolderScan(root, root / "data", most_entries=20, recent_folders=2)
    seen: set[str] = set()
    while not scan.sweeps:
        found = names(root, scan.scan())
        assert len(found) <= 20
        seen |= found
    assert seen == set(files)


def test_what_is_new_in_a_large_folder_need_not_wait_for_the_sweep(root: Path) -> None:
    put(root, *(f"old/{n:03d}/clip.mp4" for n in range(60)), "today/08/0.mp4")
    let_settle(root)
    os.utime(root / "today/08", (LONG_AGO_S + 60, LONG_AGO_S + 60))
    scan = FolderScan(root, root / "data", most_entries=40, recent_folders=3)
    while not scan.sweeps:
        scan.scan()
    put(root, "today/08/1.mp4", "today/09/gate/0.mp4", "tomorrow/00/0.mp4")
    found = names(root, scan.scan(sweep=False))
    assert {"today/08/1.mp4", "today/09/gate/0.mp4", "tomorrow/00/0.mp4"} <= found
    put(root, "tomorrow/00/1.mp4")
    assert "tomorrow/00/1.mp4" in names(root, scan.scan(sweep=False))


@given(
    tree=st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=12),
    budget=st.integers(1, 12),
    recent=st.integers(0, 3),
)
def test_any_tree_is_seen_whole_whatever_the_budget(
    tmp_path_factory: pytest.TempPathFactory, tree: list[list[str]], budget: int, recent: int
) -> None:
    root = tmp_path_factory.mktemp("tree")
    files = {"/".join([*parts, "clip.mp4"]) for parts in tree}
    put(root, *files)
    scan = FolderScan(root, root / "data", most_entries=budget, recent_folders=recent)
    let_settle(root)
    seen: set[str] = set()
    for _ in range(200):
        seen |= names(root, scan.scan())
        if scan.sweeps:
            break
    assert scan.sweeps and seen == files
    shutil.rmtree(root)


def test_what_cannot_be_read_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "locked/a.mp4", "b.mp4")
    scan = FolderScan(root, root / "data")
    listing = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    with monkeypatch.context() as patch:  # root may read all
        patch.setattr(os, "scandir", refusing)
        assert names(root, scan.scan()) == {"b.mp4"}
    assert scan.unlisted == {str(root / "locked"): "cannot be listed: Permission denied"}
    assert names(root, scan.scan()) == {"b.mp4", "locked/a.mp4"}
    assert scan.unlisted == {}


def test_a_folder_that_is_away_is_no_empty_folder(root: Path) -> None:
    scan = FolderScan(root, root / "data")
    assert scan.scan() == {}
    put(root, "a.mp4")
    assert len(scan.scan()) == 1

    (root / "a.mp4").unlink()  # as the place where a volume was mounted
    with pytest.raises(FolderUnavailable, match="is empty, though it held files"):
        scan.scan()
    root.rmdir()
    with pytest.raises(FolderUnavailable, match="does not exist"):
        scan.scan()
    root.write_bytes(b"")
    with pytest.raises(FolderUnavailable, match="is not a folder"):
        scan.scan()
    root.unlink()
    put(root, "a.mp4")
    assert names(root, scan.scan()) == {"a.mp4"}
