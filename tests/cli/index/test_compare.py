from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import UsageError
from search_core.lab.records import read_jsonl
from search_core.lab.session import Session
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from sightline.cli.index.compare import read_filter, read_sweeps
from tests.cli.conftest import Run
from tests.conftest import clip_like_vectors, make_entity

ROWS = 300
QUICK = ("--queries", 8, "--repeats", 2, "--no-text")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that choose a library of CLIP-like vectors in a data directory of its own."""
    folder = tmp_path_factory.mktemp("filled")
    endpoint = Endpoint(str(folder / "milvus.db"), write_lock=folder / "write.lock")
    with closing(MilvusStore(endpoint)) as store:
        store.ensure_library("main", EncoderIdentity("made-up", "", "0" * 32, 16, "fp32"))
        store.upsert("main", [make_entity(at) for at in range(ROWS)], clip_like_vectors(ROWS, 16))
        store.settle("main")
    return ["--data-dir", str(folder)]


def test_what_is_asked_for_is_measured_and_written_down(
    run: Run, filled: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    outcome = run(
        "index", "compare", "--types", "hnsw,FLAT", "--sweep", "ef=16,64", "--sweep", "M=8",
        "--filter", "10%", "--filter", "camera=cam-1", "--nq", "1,4", "--concurrency", "2",
        "--out", folder, "--json", *QUICK, *filled,
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.err
    runs = outcome.json
    searches = [item for item in runs if item["kind"] == "search"]
    assert {item["filter"] for item in searches} == {"", "10%", "camera=cam-1"}
    hnsw = [item for item in searches if item["index_type"] == "HNSW" and not item["filter"]]
    assert [item["search_params"] for item in hnsw] == [{"ef": 16}, {"ef": 64}]
    assert hnsw[0]["build_params"]["M"] == 8
    assert {item["kind"] for item in runs} == {"search", "batch", "throughput"}
    assert "★ Use " in outcome.err

    kept = read_jsonl(folder / "runs.jsonl")
    told = [item.to_dict() for item in kept.runs if item.kind != "build"]
    assert json.loads(json.dumps(told)) == runs
    assert kept.context.library == "main" and kept.context.seed == 0
    assert (folder / "report.html").exists() and (folder / "runs.csv").exists()

    again = run("index", "compare", "--out", folder, *QUICK, *filled)
    assert again.exit_code == 2 and "holds a comparison already" in again.err


def test_people_read_tables_and_one_sentence(run: Run, filled: list[str]) -> None:
    said = run(
        "index", "compare", "--types", "FLAT", "--filter", "10%", "--nq", "4",
        "--concurrency", "2", "--queries", 8, "--repeats", 2, *filled,
    )  # fmt: skip
    for words in (
        "Recall@10", "under filters", "requests of several queries", "by clients at once",
        "Building, and sizes", "★ Use FLAT: it finds 100.0%",
    ):  # fmt: skip
        assert words in said.out
    assert "The library has it already." in said.out
    assert "No sentences were asked" in said.err


def test_what_is_stopped_after_the_first_pass_keeps_its_advice_and_applies_nothing(
    run: Run, filled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*ignored: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_ask_all", stop)  # Ctrl-C, once the rest has begun
    outcome = run(
        "index", "compare", "--types", "FLAT,HNSW", "--apply", "--out", tmp_path / "out", *QUICK,
        *filled,
    )  # fmt: skip
    assert outcome.exit_code == 1
    assert "First pass: ★ Use " in outcome.err
    assert "Nothing was applied" in outcome.err
    assert "★ Use " in outcome.out and "FLAT" in outcome.out
    assert {run.index_type for run in read_jsonl(tmp_path / "out/runs.jsonl").runs} == {
        "FLAT",
        "HNSW",
    }


def test_where_nothing_was_measured_no_table_is_shown_and_the_command_fails(
    run: Run, filled: list[str]
) -> None:
    said = run("index", "compare", "--types", "HNSW", "--time-limit", "0.0001", *QUICK, *filled)
    assert said.exit_code == 1
    assert "Recall@" not in said.out and "none can be advised" in said.out
    assert "within 0.0001 s" in said.err or "within the time limit" in said.err


def test_an_index_of_more_clusters_than_vectors_is_refused_in_words(
    run: Run, filled: list[str]
) -> None:
    measured = run(
        "index", "compare", "--types", "IVF_FLAT", "--sweep", "nlist=7,5000", *QUICK, *filled
    )
    assert measured.exit_code == 0, measured.err
    assert "nlist 5000 is more than the " in " ".join(measured.err.split())
    refused = run("index", "set", "IVF_FLAT", "--nlist", "5000", *filled)
    assert refused.exit_code == 2 and "nlist 5000 is more than the 300 vectors" in refused.err


@pytest.mark.parametrize(
    "command", [["set", "IVF_FLAT", "--nlist", "60"], ["compare", "--sweep", "nlist=60", *QUICK]]
)
def test_what_faiss_writes_past_python_is_not_shown(
    filled: list[str], command: list[object]
) -> None:
    arguments = [str(part) for part in ("index", *command, *filled)]
    done = subprocess.run(
        [sys.executable, "-c", "from sightline.cli.main import main; main()", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "nlist=60" in done.stdout
    assert "WARNING clustering" not in done.stderr


def test_values_that_do_not_go_with_an_index_are_told(run: Run, filled: list[str]) -> None:
    asked = ("--types", "IVF_FLAT", "--sweep", "nprobe=1,500")
    said = run("index", "compare", *asked, *QUICK, *filled)
    assert said.exit_code == 0 and "nprobe 500 is more than the 7 clusters" in said.err


@pytest.mark.parametrize("how", [[], ["--in-place"]])
def test_apply_makes_the_advice_the_librarys_index(
    run: Run, filled: list[str], how: list[str]
) -> None:
    run("index", "set", "FLAT", *filled)
    outcome = run(
        "index", "compare", "--types", "HNSW", "--sweep", "ef=100", "--apply", *how, *QUICK, *filled
    )
    assert outcome.exit_code == 0, outcome.err
    shown = run("index", "show", "--json", *filled).json
    assert shown["index"]["index_type"] == "HNSW" and shown["search"]["ef"] == 100
    assert shown["rows"] == ROWS


def test_what_misses_the_target_is_not_applied(run: Run, filled: list[str]) -> None:
    run("index", "set", "FLAT", *filled)
    outcome = run(
        "index", "compare", "--types", "IVF_FLAT", "--sweep", "nlist=7", "--sweep", "nprobe=1",
        "--target-recall", "1", "--apply", *QUICK, *filled,
    )  # fmt: skip
    assert outcome.exit_code == 1
    assert "Nothing measured reaches the target" in outcome.out
    assert "left as it is" in outcome.err
    assert run("index", "show", "--json", *filled).json["index"]["index_type"] == "FLAT"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--types", "TREE"], "TREE is not an index type"),
        (["--sweep", "nprobe"], "nprobe is not a sweep"),
        (["--sweep", "nprobe=a"], "--sweep nprobe takes whole numbers"),
        (["--sweep", "nprobe="], "nprobe= is not a sweep"),
        (["--types", "IVF_FLAT", "--sweep", "nprobe=500"], "nprobe 500 is more than the 7"),
        (["--types", "IVF_FLAT", "--sweep", "nprobe=1,-1"], "from 1 to 65536, not -1"),
        (["--sweep", "search_list=10"], "a parameter search_list"),
        (["--time-limit", "0"], "must be above 0 seconds, not 0"),
        (["--out", __file__], "is a file: a comparison is written into a folder"),
        (["--filter", "colour=red"], "colour=red is not a filter"),
        (["--filter", "0.001%"], "not a share"),
        (["--nq", "0"], "must be 1 or more"),
        (["--target-recall", "95"], "above 0 and at most 1"),
        (["--in-place"], "Add --apply"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    run: Run, filled: list[str], options: list[str], said: str
) -> None:
    outcome = run("index", "compare", *options, *QUICK, *filled)
    assert outcome.exit_code == 2, outcome.err
    assert said in outcome.err


def test_sweeps_of_one_name_add_up() -> None:
    read = read_sweeps(["nprobe=1,4", "ef = 64", "nprobe=8"])
    assert read == {"nprobe": (1, 4, 8), "ef": (64,)}


def test_filters_are_read() -> None:
    case = read_filter("camera=gate-3,camera=gate-4, tag=odd,type=frame")
    assert case.where == Filter(("gate-3", "gate-4"), tags=("odd",), media_type="frame")
    assert case.label == "camera=gate-3,camera=gate-4, tag=odd,type=frame"
    assert read_filter("2.5%").share == 0.025
    assert read_filter("after=2026-11-01T00:00:00Z").where.after is not None
    with pytest.raises(UsageError, match="media type"):
        read_filter("type=film")
