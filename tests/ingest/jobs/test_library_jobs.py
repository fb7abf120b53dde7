"""Jobs that change or measure a library: indexes, encoders, comparisons."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.jobs.client import Claim, Jobs
from ingest.jobs.requests import CompareRequest, IndexRequest, ReembedRequest
from ingest.jobs.worker import run_worker
from search_core.indexes import Hnsw, IvfFlat, VectorKind, index_spec_to_dict
from search_core.lab.recommendation import recommend
from search_core.lab.records import FIRST_FILE, read_jsonl
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.scratch import MilvusTrial
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.ingest.conftest import Work
from tests.support.made_media import HistogramEncoder
from tests.support.queued import EAGER, Calls, job_of, many_photos, options, report_of


@pytest.fixture
def filled(store: MemoryStore, encoder: HistogramEncoder) -> MemoryStore:
    """A library of 200 CLIP-like vectors."""
    store.ensure_library("main", encoder.identity)
    entities = [make_entity(number) for number in range(200)]
    store.upsert("main", entities, clip_like_vectors(200, encoder.identity.dim))
    return store


def test_an_index_is_built_as_a_job(jobs: Jobs, work: Work, filled: MemoryStore) -> None:
    request = IndexRequest("main", index_spec_to_dict(IvfFlat(nlist=8)), {"nprobe": 3})
    job_id = jobs.submit(request)
    work()
    job = job_of(jobs, job_id)
    assert (job.state, job.kind, job.title) == ("done", "index", "IVF_FLAT for main")
    assert filled.library("main").index == IvfFlat(nlist=8)
    assert filled.library("main").search.nprobe == 3


def test_an_index_milvus_cannot_build_fails_in_words(
    jobs: Jobs, work: Work, filled: MemoryStore
) -> None:
    job_id = jobs.submit(IndexRequest("main", index_spec_to_dict(IvfFlat(nlist=8)), {"nprobe": 9}))
    nowhere = jobs.submit(IndexRequest("other", index_spec_to_dict(Hnsw()), {}))
    work()
    assert job_of(jobs, job_id).state == "failed" and "nprobe" in job_of(jobs, job_id).message
    assert job_of(jobs, nowhere).state == "failed" and "other" in job_of(jobs, nowhere).message


def test_a_library_is_given_another_encoder_as_a_job(
    jobs: Jobs, work: Work, media: Path, settings: Settings, store: MemoryStore
) -> None:
    many_photos(media, settings, 5)
    jobs.submit_ingest([str(media)], "main")
    work()
    other = HistogramEncoder("b" * 32)
    request = ReembedRequest("main", settings.model)
    cancelled = jobs.submit(request)
    work(encoder=Calls(2, lambda: jobs.cancel(cancelled), "b" * 32))
    assert job_of(jobs, cancelled).state == "cancelled"
    assert store.library("main").encoder.digest == "a" * 32
    job_id = jobs.submit(request)
    work(encoder=other)
    job = job_of(jobs, job_id)
    assert (job.state, job.message) == ("done", "5 keyframes embedded again")
    assert (store.library("main").encoder, store.count("main")) == (other.identity, 5)
    again = jobs.submit(request)  # as after a worker that died when all was done
    work(encoder=other)
    assert job_of(jobs, again).state == "done" and "already" in job_of(jobs, again).message


def test_a_stopped_worker_leaves_what_it_has_embedded_again(
    jobs: Jobs, work: Work, media: Path, settings: Settings, lite_store: MilvusStore
) -> None:
    many_photos(media, settings, 5)
    jobs.submit_ingest([str(media)], "main")
    work(store=lite_store)
    stop = threading.Event()
    job_id = jobs.submit(ReembedRequest("main", settings.model))
    work(store=lite_store, stop=stop, encoder=Calls(3, stop.set, "b" * 32))
    assert job_of(jobs, job_id).state == "queued"
    assert lite_store.library("main").encoder.digest == "a" * 32
    work(store=lite_store, encoder=HistogramEncoder("b" * 32))
    report = report_of(job_of(jobs, job_id))
    assert (report["kept"], report["keyframes"]) == (3, 2)
    assert (lite_store.library("main").encoder.digest, lite_store.count("main")) == ("b" * 32, 5)


def test_indexes_are_compared_as_a_job(jobs: Jobs, work: Work, filled: MemoryStore) -> None:
    asked = CompareRequest("main", options("50%"), text=False)
    job_id = jobs.submit(asked)
    work()
    job = job_of(jobs, job_id)
    assert job.state == "done", job.message
    folder = Path(report_of(job)["folder"])
    assert {run.index_type for run in read_jsonl(folder / "runs.jsonl").runs} == {"FLAT", "HNSW"}
    assert (folder / "report.html").stat().st_size > 0
    assert job.message == report_of(job)["sentence"]
    assert report_of(job)["command"].startswith("sightline index set")


def test_how_far_a_comparison_is_never_falls(
    jobs: Jobs, work: Work, filled: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def keep(claim: Claim, share: float, message: str, counts: dict[str, int]) -> None:
        told.append(share)

    monkeypatch.setattr(Claim, "report_progress", keep)
    jobs.submit(CompareRequest("main", options("50%"), text=False))
    work()
    assert told == sorted(told)
    assert told[0] < 0.1 and told[-1] > 0.9 and len(set(told)) > 20


def test_a_cancelled_comparison_leaves_nothing_in_milvus(
    jobs: Jobs,
    settings: Settings,
    lite_store: MilvusStore,
    encoder: HistogramEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lite_store.ensure_library("main", encoder.identity)
    entities = [make_entity(number) for number in range(200)]
    lite_store.upsert("main", entities, clip_like_vectors(200, encoder.identity.dim))
    before = lite_store.session.client.list_collections()
    job_id = jobs.submit(CompareRequest("main", options(), text=False))
    built: list[MilvusTrial] = []
    open_trial = lite_store.open_trial

    def cancel_once_built(
        dim: int, *, metric: str, vector_kind: VectorKind, timeout_s: float, facets: Sequence[str]
    ) -> MilvusTrial:
        built.append(
            open_trial(
                dim, metric=metric, vector_kind=vector_kind, timeout_s=timeout_s, facets=facets
            )
        )
        jobs.cancel(job_id)
        return built[-1]

    monkeypatch.setattr(lite_store, "open_trial", cancel_once_built)
    run_worker(settings, store=lite_store, encoder=encoder, until_idle=True, timing=EAGER)
    assert built
    assert job_of(jobs, job_id).state == "cancelled"
    assert lite_store.session.client.list_collections() == before


def test_a_comparison_cancelled_after_its_first_pass_keeps_that_advice(
    jobs: Jobs, settings: Settings, work: Work, filled: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = jobs.submit(CompareRequest("main", options("50%"), text=False))
    first = settings.comparisons_dir / job_id / FIRST_FILE
    report_progress = Claim.report_progress

    def cancel_after_first(claim: Claim, share: float, said: str, counts: dict[str, int]) -> None:
        if first.exists():
            jobs.cancel(job_id)
        report_progress(claim, share, said, counts)

    monkeypatch.setattr(Claim, "report_progress", cancel_after_first)
    work()

    assert job_of(jobs, job_id).state == "cancelled"
    advice = recommend(read_jsonl(first).runs)
    assert advice is not None and advice.chosen.meets
    assert any("searches under filters (50%)" in said for said in read_jsonl(first).context.remarks)
