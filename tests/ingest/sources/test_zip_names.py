"""Zips made on machines of many languages: names come out as they were typed."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.archives import Archive, Member, code_page
from search_core.errors import CorruptMedia


def zip_with_names(path: Path, names: list[bytes], extra: bytes = b"") -> Path:
    """Write a zip whose names are these bytes, and no flag says in what encoding."""
    placeholders = [f"{at:04}".encode() + b"x" * (len(name) - 4) for at, name in enumerate(names)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for at, placeholder in enumerate(placeholders):
            info = zipfile.ZipInfo(placeholder.decode())
            info.extra = extra
            out.writestr(info, f"content {at}")
    data = buffer.getvalue()
    for placeholder, name in zip(placeholders, names, strict=True):
        data = data.replace(placeholder, name)
    path.write_bytes(data)
    return path


def names_of(path: Path) -> list[str]:
    with Archive(path) as archive:
        return [member.name for member in archive.members() if isinstance(member, Member)]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gbk", ["旅行照片/北京 天安门.jpg", "大门口_2026年3月1日.mp4", "plain.jpg"]),
        ("gbk", ["测试.mp4"]),
        ("big5", ["視頻/門口.mp4"]),
        ("cp932", ["写真/海の夏休み.jpg", "カメラ１.mp4"]),
        ("cp949", ["사진/서울역 출입구 카메라.jpg"]),
        ("cp866", ["Отпуск/Москва.jpg"]),
        ("cp437", ["Fotos/Straße München.jpg", "Größe.jpg"]),
        ("cp437", ["été à la plage.jpg"]),
        ("utf-8", ["été.jpg", "门口.mp4"]),
    ],
)
def test_names_without_an_encoding_are_read_in_the_machines_code_page(
    encoding: str, names: list[str], tmp_path: Path
) -> None:
    path = zip_with_names(tmp_path / "a.zip", [name.encode(encoding) for name in names])
    assert names_of(path) == names
    with Archive(path) as archive:
        for at, member in enumerate(archive.members()):
            assert isinstance(member, Member)
            unpacked, _ = archive.extract(member, tmp_path / "out", lambda: None)
            assert unpacked == tmp_path / "out" / names[at]
            assert unpacked.read_text() == f"content {at}"


def test_a_name_in_the_unicode_extra_field_wins(tmp_path: Path) -> None:
    plain, name = b"AUSS~1.JPG", "Außen – Tür.jpg"
    field = struct.pack("<BI", 1, zlib.crc32(plain)) + name.encode()
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert names_of(zip_with_names(tmp_path / "a.zip", [plain], extra)) == [name]
    stale = zip_with_names(tmp_path / "b.zip", [b"NEW~NAME.JPG"], extra)
    assert names_of(stale) == ["NEW~NAME.JPG"]


def test_a_name_that_is_not_the_utf8_it_says_to_be_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("é.jpg", b"x")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(CorruptMedia, match="not valid UTF-8"):
        names_of(path)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_any_bytes_have_a_code_page_that_decodes_them(names: list[bytes]) -> None:
    encoding = code_page(names)
    assert all(isinstance(name.decode(encoding), str) for name in names)


def test_members_of_one_name_are_all_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as out:
        for at, name in enumerate(["d/a.jpg", "d/a.jpg", "D/A.jpg", "d/a (2).jpg", "d/a.jpg"]):
            out.writestr(name, f"content {at}")
    assert names_of(path) == [
        "d/a.jpg",
        "d/a (2).jpg",
        "D/A (3).jpg",
        "d/a (2) (2).jpg",
        "d/a (4).jpg",
    ]
    with Archive(path) as archive:
        for at, member in enumerate(archive.members()):
            assert isinstance(member, Member)
            unpacked, _ = archive.extract(member, tmp_path / "out", lambda: None)
            assert unpacked.read_text() == f"content {at}"
