from __future__ import annotations

from pathlib import Path

import pytest

from search_core.errors import SettingsError
from search_core.settings import load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DATA_DIR", "MODEL", "PRETRAINED", "MILVUS_URI", "LIBRARY"):
        monkeypatch.delenv(f"SIGHTLINE_{name}", raising=False)
    return tmp_path


def test_defaults_keep_everything_in_the_data_directory(empty_folder: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == empty_folder / "data"
    assert settings.milvus.uri is None
    assert settings.model == "auto"
    assert settings.ledger_path.parent == settings.milvus_lite_dir.parent == settings.data_dir


def test_options_win_over_environment_over_files(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "sightline.toml").write_text(
        'library = "from_toml"\nmodel = "toml"\n[encoder]\nbatch_size = 3\n'
    )
    (empty_folder / ".env").write_text("SIGHTLINE_MODEL=dotenv\nSIGHTLINE_PRETRAINED=dotenv\n")
    monkeypatch.setenv("SIGHTLINE_PRETRAINED", "environment")
    monkeypatch.setenv("SIGHTLINE_MILVUS_URI", "http://milvus:19530")
    monkeypatch.setenv("SIGHTLINE_MILVUS_TIMEOUT_S", "5")
    settings = load_settings(data_dir=Path("/elsewhere"))
    assert settings.library == "from_toml"
    assert settings.encoder.batch_size == 3
    assert settings.model == "dotenv"
    assert settings.pretrained == "environment"
    assert settings.milvus.uri == "http://milvus:19530"
    assert settings.milvus.timeout_s == 5.0
    assert settings.data_dir == Path("/elsewhere")


def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_ENCODER_BATCH_SIZE", "many")
    with pytest.raises(SettingsError, match=r"encoder\.batch_size"):
        load_settings()


def test_a_broken_file_is_named(empty_folder: Path) -> None:
    (empty_folder / "sightline.toml").write_text("library = \n")
    with pytest.raises(SettingsError, match=r"sightline\.toml"):
        load_settings()


def test_the_token_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_MILVUS_TOKEN", "root:secret")
    assert "secret" not in repr(load_settings())
