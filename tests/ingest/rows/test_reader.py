"""RapidOCR on real photographs, where they are there."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from PIL import Image

from ingest.media.lettering.reader import INSTALL, Reader, is_installed
from search_core.schema.lettering import Wording, stored_lines
from tests.conftest import SHARED_DATA

PHOTOS = SHARED_DATA / "photos"
WORDS = SHARED_DATA / "photos-words.tsv"


@pytest.mark.skipif(not is_installed(), reason=f"needs the extra reading: {INSTALL}")
@pytest.mark.skipif(not WORDS.exists(), reason="needs shared photographs")
def test_words_on_real_photographs_find_them_first() -> None:
    with WORDS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader((li for li in file if li[0] != "#"), delimiter="\t"))
    reader = Reader()
    read = {name: _read(reader, PHOTOS / name) for name in {row["file"] for row in rows}}
    first: dict[str, Counter[bool]] = defaultdict(Counter)
    for row in rows:
        wording = Wording((row["query"],))
        found = [
            (reading.tier, -reading.confidence, name)
            for name, stored in read.items()
            if (reading := wording.reading(stored)) is not None
        ]
        first[row["kind"]][bool(found) and min(found)[2] == row["file"]] += 1
    clear = first["plain"] + first["small"]
    assert clear[True] >= 0.9 * clear.total(), first
    assert first["partial"][True] >= 0.6 * first["partial"].total(), first


def _read(reader: Reader, path: Path) -> str:
    with Image.open(path) as image:
        return stored_lines(reader.read(image.convert("RGB"), is_photograph=True))
