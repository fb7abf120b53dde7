"""Zips: names cannot leave, bombs do not unpack, bad members fail alone."""

import contextlib
import stat
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources import archives
from ingest.sources.archives import Archive, Member, RefusedMember, safe_name
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia


def members_of(path: Path) -> list[Member | RefusedMember]:
    with Archive(path) as archive:
        return list(archive.members())


def extract_all(path: Path, folder: Path) -> list[Path]:
    with Archive(path) as archive:
        return [
            archive.extract(member, folder, lambda: None)[0]
            for member in archive.members()
            if isinstance(member, Member)
        ]


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "C:\\x.jpg", "C:x.jpg", "\\\\host\\x"],
)
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(name, b"x")
        out.writestr("good.jpg", b"x")
    refused, good = members_of(tmp_path / "a.zip")
    assert isinstance(refused, RefusedMember) and refused.failed
    assert "leads out" in refused.reason
    assert good.name == "good.jpg"


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(["..", ".", "", "a", "C:", "\\", "/", "b.jpg"]), max_size=8).map(
            "/".join
        ),
    )
)
def test_any_name_stays_in_the_folder_or_is_refused(name: str) -> None:
    try:
        safe = safe_name(name)
    except UnsupportedMedia:
        return
    folder = PurePosixPath("/folder")
    parts = (folder / safe).parts
    assert parts[: len(folder.parts)] == folder.parts and len(parts) > len(folder.parts)
    assert ".." not in parts and "\0" not in safe and "\\" not in safe


def test_members_are_unpacked_whole_under_their_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(zipfile.ZipInfo("trip/one.jpg", (2020, 5, 6, 7, 8, 10)), b"one" * 5000)
        out.writestr("two.jpg", b"two")
        out.writestr("trip/", b"")
    one, two = extract_all(tmp_path / "a.zip", tmp_path / "out")
    assert one == tmp_path / "out/trip/one.jpg" and one.read_bytes() == b"one" * 5000
    assert two.read_bytes() == b"two"
    assert not list((tmp_path / "out").rglob("*.part"))


def test_hidden_members_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for name in ("__MACOSX/._a.jpg", ".hidden/a.jpg", "b/.DS_Store", "a.jpg"):
            out.writestr(name, b"x")
    assert [member.name for member in members_of(tmp_path / "a.zip")] == ["a.jpg"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_MATTERS_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("bomb.bmp", bytes(1_000_000))
        out.writestr("small.bmp", bytes(500))
    bomb, small = members_of(tmp_path / "a.zip")
    assert isinstance(bomb, RefusedMember) and "zip bombs" in bomb.reason
    assert isinstance(small, Member)


def test_a_total_is_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 250)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for number in range(4):
            out.writestr(f"{number}.jpg", bytes(100))
    kinds = [type(member) for member in members_of(tmp_path / "a.zip")]
    assert kinds == [Member, Member, RefusedMember, RefusedMember]


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        for number in range(3):
            out.writestr(f"{number}.jpg", b"x")
    with pytest.raises(MediaTooLarge):
        members_of(tmp_path / "a.zip")


def test_links_nested_archives_and_encrypted_members_are_told_apart(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, b"/etc/passwd")
        out.writestr("inner.zip", b"PK")
        out.writestr("secret.jpg", b"x")
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 8] |= 1  # the flag of encryption in the last member's directory entry
    (tmp_path / "a.zip").write_bytes(raw)
    link_member, inner, secret = members_of(tmp_path / "a.zip")
    assert isinstance(link_member, RefusedMember)
    assert isinstance(inner, RefusedMember) and isinstance(secret, RefusedMember)
    assert not link_member.failed and "symbolic link" in link_member.reason
    assert not inner.failed and "inside an archive" in inner.reason
    assert secret.failed and secret.reason == "is encrypted"


def test_a_damaged_member_fails_and_leaves_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.jpg", b"some content")
    raw = (tmp_path / "a.zip").read_bytes().replace(b"some content", b"same content", 1)
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(MediaError, match="checksum"):
        extract_all(tmp_path / "a.zip", tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"no zip at all"])
def test_what_is_no_zip_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(CorruptMedia, match="not a complete zip"):
        Archive(tmp_path / "a.zip")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_zip_or_a_media_error(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        path.write_bytes(b"PK\x03\x04" + content)
        with contextlib.suppress(MediaError):
            extract_all(path, Path(folder) / "out")
