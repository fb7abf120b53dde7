from __future__ import annotations

import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ingest.cameras.camera import AddedCamera, AddedCameras
from search_core.errors import SettingsError, UsageError
from search_core.schema.camera import check_address, with_login

SECRET = "hunter2"
URL = SecretStr(f"rtsp://admin:{SECRET}@10.0.0.5:554/stream1")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture
def cameras(tmp_path: Path) -> AddedCameras:
    return AddedCameras(tmp_path / "data" / "cameras.toml")


def test_a_camera_is_kept_where_only_the_owner_can_read_it(cameras: AddedCameras) -> None:
    assert cameras.all() == {}
    gate = AddedCamera(url=URL, library="yard", retain=timedelta(days=30), transport="udp")
    cameras.add("gate-3", gate)

    assert stat.S_IMODE(cameras.path.stat().st_mode) == 0o600
    assert AddedCameras(cameras.path).all() == {"gate-3": gate}
    assert SECRET not in repr(cameras.all())
    assert {file.name for file in cameras.path.parent.iterdir()} == {"cameras.toml", "cameras.lock"}


def test_no_moment_leaves_the_file_open_to_others(
    cameras: AddedCameras, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.path.parent.mkdir()
    cameras.path.write_text("[cameras]\n")
    cameras.path.chmod(0o644)
    modes = []
    replace = Path.replace

    def seen(draft: Path, target: Path) -> Path:
        modes.append(stat.S_IMODE(draft.stat().st_mode))
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", seen)
    cameras.add("gate", AddedCamera(url=URL))

    assert modes == [0o600]
    assert stat.S_IMODE(cameras.path.stat().st_mode) == 0o600


@settings(max_examples=40, deadline=None)
@given(name=NAMES, path=NAMES)
def test_any_name_and_address_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, name: str, path: str
) -> None:
    cameras = AddedCameras(tmp_path_factory.mktemp("any") / "cameras.toml")
    url = SecretStr(f"rtsp://host/{path}".strip())
    try:
        check_address(url.get_secret_value())
    except UsageError:
        return  # it never gets this far
    cameras.add(name, AddedCamera(url=url))

    [(known, given)] = AddedCameras(cameras.path).all().items()
    assert (known, given.url) == (name, url)
    tomllib.loads(cameras.path.read_text(encoding="utf-8"))


def test_changes_are_seen_by_others_and_nothing_else_changes(cameras: AddedCameras) -> None:
    cameras.add("gate", AddedCamera(url=URL, library="main"))
    cameras.add("dock", AddedCamera(url=URL, library="yard"))
    reader = AddedCameras(cameras.path)
    before = reader.get("gate")

    cameras.change("dock", lambda given: given.model_copy(update={"paused": True}))
    cameras.rename_library("yard", "garden")
    assert reader.get("dock") == AddedCamera(url=URL, library="garden", paused=True)
    cameras.remove("dock")
    assert reader.all() == {"gate": before}
    for refused in (
        lambda: reader.get("dock"),
        lambda: reader.remove("dock"),
        lambda: reader.change("dock", lambda given: given),
        lambda: reader.add("gate", before),
    ):
        with pytest.raises(UsageError):
            refused()
    assert reader.all() == {"gate": before}


def test_cameras_added_at_once_are_all_there(cameras: AddedCameras) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: AddedCameras(cameras.path).add(f"cam-{n}", AddedCamera(url=URL)),
                range(16),
            )
        )
    assert len(cameras.all()) == 16


@pytest.mark.parametrize(
    "text",
    [
        f'[cameras.gate]\nurl = "http://u:{SECRET}@cam/1"\n',
        f'[cameras.gate]\nurl = "rtsp://u:{SECRET}@cam/1"\nhunter2 = 1\nretain = "soon"\n',
        f"[cameras.gate]\nurl = rtsp://u:{SECRET}@cam/1\n",
        f'url = "rtsp://u:{SECRET}@cam/1"\n',
        f'[cameras]\ngate = "rtsp://u:{SECRET}@cam/1"\n',
    ],
)
def test_a_file_that_cannot_be_is_named_without_what_is_in_it(
    cameras: AddedCameras, text: str
) -> None:
    cameras.path.parent.mkdir()
    cameras.path.write_text(text)

    with pytest.raises(SettingsError, match=r"cameras\.toml cannot be read") as refused:
        cameras.all()
    assert f"u:{SECRET}" not in str(refused.value)
    with pytest.raises(SettingsError):
        cameras.add("dock", AddedCamera(url=URL))
    assert cameras.path.read_text() == text  # nothing of it is lost


def test_a_name_and_a_password_are_put_into_an_address_as_they_are_typed() -> None:
    assert with_login("rtsp://cam:554/x?a=b", "", "") == "rtsp://cam:554/x?a=b"
    assert with_login("rtsp://cam/x", "ann", "") == "rtsp://ann@cam/x"
    assert (
        with_login("rtsp://old:one@[fe80::1]:554/x", "a@b", "p@:/?#%")
        == "rtsp://a%40b:p%40%3A%2F%3F%23%25@[fe80::1]:554/x"
    )
    with pytest.raises(UsageError, match="password needs a user name"):
        with_login("rtsp://cam/x", "", SECRET)
    with pytest.raises(UsageError, match="Not a camera's address"):
        with_login(f"http://cam/{SECRET}", "ann", SECRET)
