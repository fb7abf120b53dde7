from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import SettingsError, UsageError
from search_core.schema.camera import check_address, public_address
from search_core.schema.clocks import format_duration, parse_duration
from search_core.settings import load_settings

SECRET = "hunter2"


@given(st.integers(1, 5_000), st.sampled_from("smhdw"))
def test_a_duration_is_read_as_it_is_written(number: int, unit: str) -> None:
    duration = parse_duration(f" {number}{unit.upper()} ")

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "0d", "-1d", "1", "d", "1y", "1.5h", "1d2h", "5300w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://admin:{SECRET}@10.0.0.5:554/stream1",
        f"rtsp://10.0.0.5:554/user=admin&password={SECRET}&channel=1.sdp",
        f"RTSP://10.0.0.5:554/live?token={SECRET}#{SECRET}",
        f"rtsp://10.0.0.5:554/user=admin@{SECRET}",
    ],
)
def test_what_is_told_of_an_address_holds_no_secret(url: str) -> None:
    assert public_address(check_address(url)) == "rtsp://10.0.0.5:554"


def test_an_ipv6_address_keeps_its_brackets() -> None:
    assert public_address("rtsps://a:b@[FE80::1]/x") == "rtsps://[fe80::1]"


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://u:{SECRET}@host/x",
        f"rtsp://u:{SECRET}@/x",
        f"{SECRET}",
        f"rtsp://h:{SECRET}/",
        f"rtsp://admin:12#{SECRET}@10.0.0.5/x",  # "admin" would be the host, 12 the port
        f"rtsp://admin:12/{SECRET}@10.0.0.5/x",
        f"rtsp://admin:one@{SECRET}?@10.0.0.5/x",
    ],
)
def test_a_refused_address_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_address(url)

    assert SECRET not in f"{refused.value} {refused.value.hint}"


def test_cameras_are_read_from_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sightline.toml").write_text(
        f'[cameras.gate-3]\nurl = "rtsp://u:{SECRET}@cam/1"\nretain = "30d"\n'
        '[retain]\nmain = "52w"\n'
    )
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.cameras["gate-3"].retain == timedelta(days=30)
    assert settings.cameras["gate-3"].url.get_secret_value() == f"rtsp://u:{SECRET}@cam/1"
    assert settings.retain == {"main": timedelta(weeks=52)}
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "line",
    [f'url = "http://u:{SECRET}@cam/1"', f'url = "rtsp://u:{SECRET}@cam/1"\nretain = "soon"'],
)
def test_a_camera_that_cannot_be_is_named_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "sightline.toml").write_text(f"[cameras.gate-3]\n{line}\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError, match=r"cameras\.gate-3") as refused:
        load_settings()

    assert SECRET not in str(refused.value)
