"""Another encoder for a library: every keyframe again, the old one answering until then."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from ingest.curation.reembedding import reembed
from ingest.engines.base import LocalEngine
from ingest.ledger import Ledger
from ingest.media.decoding import decode_image
from ingest.media.keyframes.registry import parse_selector
from ingest.options import IngestOptions, recipe_of
from ingest.pipeline import ingest
from ingest.report import IngestReport
from search_core.encoders.base import Embeddings, EncoderIdentity, Pixels
from search_core.errors import EncoderMismatch, StoreBusy, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint
from search_core.store.library import Replacement, Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from search_core.system.cancellation import Interrupted
from tests.support.made_media import FinerEncoder, HistogramEncoder, make_clip, make_photo

Rows = dict[str, tuple[MediaEntity, Embeddings]]

KILLED = Path(__file__).with_name("killed_reembedding.py")

on_both = pytest.mark.parametrize(
    "milvus", ["lite", pytest.param("server", marks=pytest.mark.server)], indirect=True
)


@pytest.fixture
def milvus(request: pytest.FixtureRequest) -> Iterator[MilvusStore]:
    """A store on Milvus Lite, where a test asks for both on each of them."""
    if getattr(request, "param", "lite") == "lite":
        yield request.getfixturevalue("lite_store")
        return
    store = MilvusStore(Endpoint(request.getfixturevalue("milvus_server_uri"), embedded=False))
    yield store
    for info in store.libraries():
        store.drop_library(info.name)
    store.close()


@pytest.fixture
def filled(
    milvus: MilvusStore, settings: Settings, media: Path, encoder: HistogramEncoder
) -> MilvusStore:
    """A library: two photographs, and a clip with B-frames between its keyframes."""
    make_photo(media / "red.jpg", (220, 30, 30), quality=95)
    make_photo(media / "blue.png", (30, 30, 220))
    make_clip(media / "clip.mp4", seconds=6, gop=10, x264={"bf": "2", "b-adapt": "0"})
    take_in(milvus, settings, media, encoder)
    return milvus


def take_in(
    store: Store, settings: Settings, media: Path, encoder: HistogramEncoder, library: str = "main"
) -> IngestReport:
    return ingest(
        [str(media)],
        IngestOptions(keyframes="interval:1", regions="off"),
        settings=settings,
        store=store,
        encoder=encoder,
        library=library,
    )


def rows(store: Store, library: str = "main") -> Rows:
    """Every row and its vector, by id."""
    return {
        entity.id: (entity, vector)
        for page in store.vectors(library)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    }


def assert_as_if_ingested(store: Store, settings: Settings, media: Path, before: Rows) -> None:
    """The rows there were, with the vectors that an ingest with the finer encoder gives."""
    memory = MemoryStore()
    take_in(memory, settings, media, FinerEncoder(), "reference")
    reference, after = rows(memory, "reference"), rows(store)
    assert store.library("main").encoder == FinerEncoder().identity
    assert {key: entity for key, (entity, _) in after.items()} == {
        key: entity for key, (entity, _) in before.items()
    }
    for key, (_, vector) in after.items():
        np.testing.assert_allclose(vector, reference[key][1], atol=1e-6)


@on_both
def test_it_is_as_if_ingested_with_the_new_encoder(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    before = rows(filled)
    thumbnails = {path: path.read_bytes() for path in settings.thumbnails_dir.rglob("*.jpg")}
    report = reembed(settings, filled, "main", FinerEncoder())
    assert (report.keyframes, report.thumbnails, report.left_out) == (len(before), 0, [])
    assert len(before) == 2 + 6
    assert_as_if_ingested(filled, settings, media, before)
    assert thumbnails == {
        path: path.read_bytes() for path in settings.thumbnails_dir.rglob("*.jpg")
    }


def test_nothing_is_taken_in_again_afterwards(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    reembed(settings, filled, "main", FinerEncoder())
    report = take_in(filled, settings, media, FinerEncoder())
    assert (report.done, report.skipped) == (0, 3)
    with Ledger(settings.ledger_path) as ledger:
        recipes = {recipe for recipe, _options in ledger.recipes("main")}
    assert recipes == {recipe_of("f" * 32, parse_selector("interval:1").recipe)}


def test_what_is_gone_or_changed_is_embedded_from_its_thumbnail(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    (media / "clip.mp4").unlink()
    make_photo(media / "blue.png", (30, 220, 30))
    (media / "moved").mkdir()
    shutil.move(media / "red.jpg", media / "moved" / "red.jpg")
    os.utime(media / "moved" / "red.jpg", (0, 0))  # what changed just now is not remembered
    take_in(filled, settings, media / "moved", HistogramEncoder())  # known to be there from now on
    report = reembed(settings, filled, "main", FinerEncoder())
    assert (report.keyframes, report.thumbnails) == (8, 7)
    assert report.reasons == {
        str(media / "clip.mp4"): "is not there any more",
        str(media / "blue.png"): "has other content now",
    }
    for entity, vector in rows(filled).values():
        thumbnail = settings.data_dir / entity.thumbnail
        picture = decode_image(thumbnail, max_pixels=10_000)
        [near] = FinerEncoder().encode_images([picture])
        assert float(near @ vector) > 0.9


def test_a_keyframe_of_which_nothing_is_left_is_left_out_and_told(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    (media / "red.jpg").unlink()
    [gone] = [entity for entity, _ in rows(filled).values() if entity.uri.endswith("red.jpg")]
    (settings.data_dir / gone.thumbnail).unlink()
    report = reembed(settings, filled, "main", FinerEncoder())
    assert (report.keyframes, report.left_out) == (7, [str(media / "red.jpg")])
    assert filled.count("main") == 7
    assert "1 left out" in report.summary


def test_a_source_that_crashes_the_decoder_costs_itself_alone(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    late = make_clip(media / "late.mp4", seconds=4, size=(96, 48))
    take_in(filled, settings, media, HistogramEncoder())
    engine = LocalEngine(1, entry="tests.ingest.sources.hostile_worker:main")
    report = reembed(settings, filled, "main", FinerEncoder(), engine=engine)
    assert (report.keyframes, report.thumbnails) == (12, 3)
    assert "made the decoder crash" in report.reasons[str(late)]


@on_both
def test_writes_and_deletes_meanwhile_are_in_the_new_collection(
    filled: MilvusStore, settings: Settings, media: Path, encoder: HistogramEncoder
) -> None:
    first, *_ = sorted(rows(filled))

    class Meanwhile(FinerEncoder):
        """Somebody takes in a photograph, and deletes a keyframe, while it embeds."""

        calls = 0

        def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
            self.calls += 1
            if self.calls == 1:
                make_photo(media / "green.png", (30, 220, 30))
                take_in(filled, settings, media, encoder)
                filled.delete("main", Filter(ids=(first,)))
            return super().encode_pixels(pixels)

    reembed(settings, filled, "main", Meanwhile())
    after = rows(filled)
    assert first not in after
    assert len(after) == 8
    assert any(entity.uri.endswith("green.png") for entity, _ in after.values())


@on_both
def test_it_answers_with_the_old_encoder_until_the_switch_and_writers_are_refused_then(
    filled: MilvusStore,
    settings: Settings,
    encoder: HistogramEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = rows(filled)
    [(entity, vector), *_] = before.values()
    heard = []
    replacement = filled.replacement

    def looked_at(name: str, identity: EncoderIdentity, work: str) -> Replacement:
        heir = replacement(name, identity, work)
        close, switch_over = heir.close_writing, heir.switch

        def close_writing() -> None:
            filled.upsert("main", [entity], vector[None])
            close()
            with pytest.raises(StoreBusy, match="another encoder"):
                filled.upsert("main", [entity], vector[None])
            heard.append("refused")

        def switch() -> None:
            assert filled.library("main").encoder == encoder.identity
            [[best]] = filled.search("main", vector[None], k=1)
            assert best.score > 0.999
            switch_over()
            heard.append("switched")

        monkeypatch.setattr(heir, "close_writing", close_writing)
        monkeypatch.setattr(heir, "switch", switch)
        return heir

    monkeypatch.setattr(filled, "replacement", looked_at)
    reembed(settings, filled, "main", FinerEncoder())
    assert heard == ["refused", "switched"]
    with pytest.raises(EncoderMismatch):  # whoever began before goes no further
        filled.upsert("main", [entity], vector[None])
    assert len(rows(filled)) == len(before)


@pytest.mark.parametrize("moment", ["embedding", "switching"])
def test_ended_midway_the_library_is_as_it_was(
    filled: MilvusStore,
    settings: Settings,
    encoder: HistogramEncoder,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = rows(filled)
    collections = filled.session.client.list_collections()

    class Ended(Exception):
        pass

    def end(*_: object) -> NoReturn:
        raise Ended

    if moment == "switching":
        monkeypatch.setattr("search_core.store.milvus.catalog.LibraryCatalog.switch", end)
    with pytest.raises(Ended):
        reembed(
            settings,
            filled,
            "main",
            FinerEncoder(),
            on_progress=end if moment == "embedding" else lambda *_: None,
        )
    assert filled.session.client.list_collections() == collections
    [(entity, vector), *_] = before.values()
    filled.upsert("main", [entity], vector[None])
    assert {key: entity for key, (entity, _) in rows(filled).items()} == {
        key: entity for key, (entity, _) in before.items()
    }


@on_both
def test_killed_midway_it_goes_on_where_it_was(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    before, endpoint = rows(filled), filled.endpoint
    if endpoint.embedded:
        filled.close()  # one process at a time
    command = [sys.executable, str(KILLED), str(settings.data_dir), endpoint.uri]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with closing(MilvusStore(endpoint)) as store:
        assert store.remove_leftovers() == []  # as a serve that is started again would
        report = reembed(settings, store, "main", FinerEncoder())
        assert (report.kept, report.keyframes) == (3, 5)
        assert store.session.client.list_collections() == [store.library("main").collection]
        assert_as_if_ingested(store, settings, media, before)


def test_put_off_it_goes_on_as_the_same_work_only(
    filled: MilvusStore, settings: Settings, media: Path
) -> None:
    before = rows(filled)
    told: list[tuple[int, int, str]] = []

    def note(done: int, total: int, current: str) -> None:
        told.append((done, total, current))

    def put_off() -> None:
        if len(told) == 3:
            raise Interrupted(is_put_off=True)

    settings.encoder.batch_size = 1
    with pytest.raises(Interrupted):
        reembed(
            settings, filled, "main", FinerEncoder(), work="job", on_progress=note, check=put_off
        )
    [(entity, vector), *_] = before.values()
    filled.upsert("main", [entity], vector[None])  # nobody waits for it
    with filled.replacement("main", FinerEncoder().identity, "another") as other:
        assert other.kept == 0
    report = reembed(settings, filled, "main", FinerEncoder(), work="job", on_progress=note)
    assert (report.kept, report.keyframes) == (3, 5)
    assert [done for done, *_ in told] == list(range(1, 9))
    assert "after 3 of a run that was ended" in report.summary
    assert_as_if_ingested(filled, settings, media, before)


def test_the_encoder_it_has_is_refused(
    filled: MilvusStore, settings: Settings, encoder: HistogramEncoder
) -> None:
    with pytest.raises(UsageError, match="already"):
        reembed(settings, filled, "main", encoder)
