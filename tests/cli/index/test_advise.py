from __future__ import annotations

from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from sightline.cli.index.advise import byte_count, count, share, shown_bytes
from tests.cli.conftest import Run

ASKED = ("index", "advise", "--dim", 512, "--rows")


@pytest.mark.parametrize(
    ("text", "number"),
    [("250000", 250_000), ("250_000", 250_000), ("1,250,000", 1_250_000), ("10M", 10**7),
     ("1.5b", 1_500_000_000), (" 2 k ", 2000), ("0.5K", 500)],
)  # fmt: skip
def test_counts_are_read(text: str, number: int) -> None:
    assert count(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("16GiB", 16 * 2**30), ("512MB", 512_000_000), ("1.5TiB", 3 * 2**39), ("100", 100),
     ("64 kib", 65_536)],
)  # fmt: skip
def test_amounts_of_memory_are_read(text: str, number: int) -> None:
    assert byte_count(text) == number


@pytest.mark.parametrize("text", ["", "many", "-5", "10Q", "1,00", "1e6", "M", "10 000", "0x10"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    for read in (count, byte_count):
        with pytest.raises(typer.BadParameter, match="such as"):
            read(text)


@pytest.mark.parametrize("text", ["", "x", "0.9%%", "nan", "inf", "95 percent"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="not a share"):
        share(text)


@given(st.integers(0, 10**18 // 2))
def test_amounts_shown_can_be_read_again(amount: int) -> None:
    shown = shown_bytes(amount).replace(",", "")
    assert byte_count(shown) == pytest.approx(amount, rel=0.06)


@given(st.floats(0, 1), st.integers(0, 10**12))
def test_shares_and_counts_round_trip(part: float, number: int) -> None:
    assert share(repr(part)) == part
    assert share(f"{part * 100!r}%") == pytest.approx(part)
    assert count(f"{number:,}") == count(str(number)) == number


def test_says_what_fits_and_how_to_begin(run: Run, tmp_path: Path) -> None:
    outcome = run(*ASKED, "10M", "--memory", "16GiB", "--data-dir", tmp_path)
    assert outcome.exit_code == 0
    best = next(line for line in outcome.out.splitlines() if "★" in line)
    assert "HNSW_SQ" in best
    assert "sightline index set HNSW_SQ --m 32" in outcome.out
    assert "needs Milvus 2.5 or later" in outcome.out
    assert "on an older one start with `sightline index set IVF_SQ8 --nlist 12649" in outcome.out
    assert "0.28 s" in outcome.out
    assert "too large for this memory" in outcome.out
    assert "any Milvus" in outcome.out
    assert not list(tmp_path.iterdir())  # nothing was started or made


def test_types_on_a_gpu_say_how_much_of_its_memory_they_take(run: Run) -> None:
    outcome = run(*ASKED, "1M", "--memory", "16GiB", "--server", "2.6.0-gpu")
    assert "1.9 GiB of memory of the GPU" in outcome.out
    [line] = [line for line in outcome.out.splitlines() if "GPU_CAGRA" in line]
    assert "2.1 GiB" in line


def test_json_holds_formula_source_and_start(run: Run, tmp_path: Path) -> None:
    asked = (*ASKED, "1M", "--memory", "16GiB", "--target-recall", "99%", "--server", "2.3.5")
    told = run(*asked, "--json", "--data-dir", tmp_path).json
    assert (told["rows"], told["target_recall"], told["server"]) == (10**6, 0.99, "Milvus 2.3.5")
    first = told["types"][0]
    assert first["index_type"] == "HNSW" and first["verdict"] == "recommended"
    assert first["search"]["ef"] > 64
    assert first["memory_bytes"] > 2_048_000_000 and first["disk_bytes"] > first["memory_bytes"]
    assert all(item["formula"] and item["source"] for item in told["types"])


def test_explains_every_size(run: Run) -> None:
    outcome = run(*ASKED, "1M", "--memory", "64GiB", "--server", "2.6.0-gpu", "--explain")
    assert "vectors (4 * dim a row) + links" in outcome.out
    assert "checked against faiss" in outcome.out


def test_says_what_fits_nothing(run: Run) -> None:
    outcome = run(*ASKED, "1B", "--memory", "512MB", "--server", "any")
    assert outcome.exit_code == 0
    assert "Nothing here fits" in outcome.out
    assert "IVF_PQ needs the least memory" in outcome.out


def test_milvus_lite_beyond_what_it_serves_well_is_warned_of(run: Run) -> None:
    outcome = run(*ASKED, "200k", "--memory", "16GiB", "--server", "lite")
    assert "Milvus Lite searches slowly" in outcome.err


def test_a_milvus_that_cannot_be_reached_means_any(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_MILVUS_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("SIGHTLINE_MILVUS_TIMEOUT_S", "0.2")
    outcome = run(*ASKED, "1000", "--memory", "1GiB", "--data-dir", tmp_path)
    assert outcome.exit_code == 0
    assert "cannot be reached" in outcome.err and "any Milvus" in outcome.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rows", "many", "--memory", "1GiB"], "is not a number such as"),
        (["--rows", "1M", "--memory", "much"], "not an amount of memory such as"),
        (["--rows", "1M", "--memory", "1GiB", "--target-recall", "95"], "Write 95 % as 0.95"),
        (["--rows", "1M", "--memory", "1GiB", "--server", "newest"], "not a version of Milvus"),
        (["--rows", "0", "--memory", "1GiB"], "not 0"),
        (["--rows", "1M", "--memory", "1GiB", "--dim", "-3"], "not -3"),
    ],
)
def test_nonsense_is_refused(run: Run, options: list[str], said: str) -> None:
    outcome = run("index", "advise", *options)
    assert outcome.exit_code == 2
    assert said in " ".join(outcome.err.replace("│", " ").split())
