"""Downloading weights from a hub, against a server that speaks as the real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from search_core.encoders.catalogue import EncoderSpec, find_encoder
from search_core.encoders.hub import download, hub_answers, is_here
from search_core.encoders.openclip import OpenClipEncoder
from search_core.errors import EncoderUnavailable
from tests.support.model_hub import ModelHub, asked_by_this_process

WEIGHTS = bytes(range(256)) * 400


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHub]:
    """A hub that this process asks, with an empty cache."""
    with asked_by_this_process(monkeypatch, tmp_path / "cache") as served:
        yield served


@pytest.fixture
def spec() -> EncoderSpec:
    found = find_encoder("ViT-B-32-256")
    assert found is not None
    return found


def test_weights_are_downloaded_once_and_their_bytes_are_told(
    hub: ModelHub, spec: EncoderSpec
) -> None:
    hub.files[spec.hub, "open_clip_model.safetensors"] = WEIGHTS
    told: list[tuple[int, int | None]] = []
    assert not is_here(spec)
    download(spec, lambda done, total: told.append((done, total)))
    assert is_here(spec)
    assert told[0][0] == 0 and told[-1] == (len(WEIGHTS), len(WEIGHTS))
    hub.asked.clear()
    download(spec)
    assert not [one for one in hub.asked if one[0] == "GET"]


def test_weights_that_are_there_only_as_a_pickle_are_taken(
    hub: ModelHub, spec: EncoderSpec
) -> None:
    hub.files[spec.hub, "open_clip_pytorch_model.bin"] = WEIGHTS
    download(spec)
    assert is_here(spec)


def test_an_interrupted_download_is_resumed_where_it_stopped(
    hub: ModelHub, spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.files[spec.hub, "open_clip_model.safetensors"] = WEIGHTS
    hub.break_after = 40_000
    download(spec)  # the client itself asks again
    ranges = [asked for method, _, asked in hub.asked if method == "GET"]
    assert ranges == ["", "bytes=40000-"]
    assert is_here(spec)


def test_a_tokenizer_comes_along_where_one_is_needed(hub: ModelHub, spec: EncoderSpec) -> None:
    multilingual = replace(spec, text_hub="owner/tokenizer")
    hub.files[spec.hub, "open_clip_model.safetensors"] = WEIGHTS
    with pytest.raises(EncoderUnavailable, match="could not be downloaded"):
        download(multilingual)
    assert is_here(spec) and not is_here(multilingual)
    hub.files["owner/tokenizer", "tokenizer.json"] = b"{}"
    download(multilingual)
    assert is_here(multilingual)


def test_a_repository_that_is_not_there_is_one_sentence(hub: ModelHub, spec: EncoderSpec) -> None:
    with pytest.raises(EncoderUnavailable, match="could not be downloaded") as refused:
        download(spec)
    assert "\n" not in str(refused.value)
    assert "sightline models download ViT-B-32-256" in refused.value.hint


def test_the_hub_is_not_asked_offline(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_answers()
    with socket.socket() as unused:  # bound, and nobody listens
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert not hub_answers()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_answers()


def test_weights_on_the_disk_are_loaded_without_the_hub(
    hub: ModelHub, spec: EncoderSpec, tmp_path: Path
) -> None:
    """They do not fit, but nobody asked the hub whether there are better ones."""
    hub.files[spec.hub, "open_clip_model.safetensors"] = WEIGHTS
    download(spec)
    hub.asked.clear()
    with pytest.raises(EncoderUnavailable):
        OpenClipEncoder(spec.name, spec.pretrained)
    checkpoint = tmp_path / "weights.safetensors"
    checkpoint.write_bytes(WEIGHTS)
    with pytest.raises(EncoderUnavailable, match="does not fit the model"):
        OpenClipEncoder(spec.name, str(checkpoint))
    assert not hub.asked
