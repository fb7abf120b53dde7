"""How much of a sentence is read: what is said to be read has the whole sentence's embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search_core.encoders.openclip import OpenClipEncoder
from search_core.encoders.prompts import text_read
from tests.support.colour_encoder import ColourEncoder

LONG = (
    "a red car and " * 10,
    "红色的汽车停在门口" * 6,
    "x" * 300,
    "one, two; three! " * 9,
)


@pytest.fixture(scope="module")
def encoder(tiny_model_dir: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{tiny_model_dir}", precision="fp32")


@pytest.mark.parametrize("templates", [(), ("a photo of {}", "{}")])
@pytest.mark.parametrize("sentence", LONG)
def test_the_part_that_is_read_decides_the_embedding(
    encoder: OpenClipEncoder, sentence: str, templates: tuple[str, ...]
) -> None:
    read = text_read(encoder, sentence)
    assert 0 < len(read) < len(sentence) and sentence.startswith(read)
    whole, part, less = encoder.encode_texts([sentence, read, read[:-1]])
    np.testing.assert_allclose(part, whole, atol=1e-6)
    assert not np.allclose(less, whole, atol=1e-6)
    assert len(text_read(encoder, sentence, templates)) <= len(read)


@pytest.mark.parametrize("sentence", ["", "a red car", "门口", "a car!"])
def test_short_sentences_are_read_whole(encoder: OpenClipEncoder, sentence: str) -> None:
    assert text_read(encoder, sentence) == sentence
    assert text_read(encoder, sentence, ("a photo of {}",)) == sentence


def test_an_encoder_that_cannot_tell_reads_all() -> None:
    assert text_read(ColourEncoder(), LONG[0]) == LONG[0]
