"""Regions from end to end: ingested, found, and never counted as keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.curation.corrections import SetCamera, apply_correction, plan_correction
from ingest.curation.moving import move_entities
from ingest.curation.reembedding import reembed
from ingest.curation.tagging import change_tags, set_tags
from ingest.ledger import Ledger
from ingest.media.regions.tiles import TILES
from ingest.options import IngestOptions
from ingest.rows.deletion import deleted_entities, deletions, discard, purge, put_back
from search_core.access.audit_log import AuditLog
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import Access
from search_core.encoders.base import Embeddings, EncoderIdentity, Pixels
from search_core.errors import EntityNotFound, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.settings import Settings
from search_core.store.library import EVERY_ROW, Store
from search_core.store.milvus import schema
from search_core.store.milvus.store import MilvusStore
from tests.ingest.conftest import TakeIn
from tests.support.colour_encoder import ColourEncoder

SIZE = (640, 360)
ROWS_EACH = 1 + len(TILES)


class OtherColours(ColourEncoder):
    """The same colours under another identity, each vector turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = EncoderIdentity("other", "", "d1" * 16, self.identity.dim, "fp32")

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Embed as colours are, the other way round."""
        return super().encode_pixels(pixels)[:, ::-1].copy()


@pytest.fixture
def photos(media: Path) -> Path:
    """Four grey photographs; in a corner of the second is something small and red."""
    for number in range(4):
        image = Image.new("RGB", SIZE, (128, 128, 128))
        image.paste((30, 30 + number, 220), (0, 0, 640, 20 + number))
        if number == 1:
            image.paste((220, 30, 30), (560, 290, 620, 340))
        image.save(media / f"{number}.png")
    return media


@pytest.fixture
def filled(lite_store: MilvusStore, photos: Path, take_in: TakeIn) -> MilvusStore:
    report = take_in(
        photos, store=lite_store, encoder=ColourEncoder(), library="main", regions="tiles"
    )
    assert (report.done, report.keyframes) == (4, 4)
    return lite_store


def every_row(store: Store, library: str = "main") -> dict[str, tuple[MediaEntity, list[float]]]:
    return {
        entity.id: (entity, vector.round(5).tolist())
        for page in store.vectors(library, where=EVERY_ROW)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    }


def counts(store: Store, library: str = "main") -> tuple[int, int]:
    return store.count(library), store.count(library, EVERY_ROW)


def test_what_is_small_is_found_with_its_box_and_counts_stay_those_of_keyframes(
    filled: MilvusStore, settings: Settings
) -> None:
    assert counts(filled) == (4, 4 * ROWS_EACH)
    with Ledger(settings.ledger_path) as ledger:
        assert {row.keyframes for row in ledger.outcomes("main")} == {1}
    engine = SearchEngine(ColourEncoder(), filled, "main")
    hits = engine.answer(Query("red"), k=4).hits
    assert len({hit.entity.id for hit in hits}) == 4
    assert hits[0].entity.uri.endswith("1.png") and not hits[0].entity.is_region
    assert hits[0].box == pytest.approx((2 / 3, 2 / 3, 1.0, 1.0))
    assert hits[0].to_dict()["box"] == [0.6667, 0.6667, 1.0, 1.0]

    alike = engine.answer(Query(like=(hits[0].entity.id,)), k=4).hits
    assert hits[0].entity.id not in {hit.entity.id for hit in alike} and len(alike) == 3
    left = engine.answer(Query("grey", without=("red",)), k=4).hits
    assert len({hit.entity.id for hit in left}) == len(left) > 0


def test_a_stored_region_is_searched_by_its_own_vector(
    filled: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ColourEncoder()
    engine = SearchEngine(encoder, filled, "main")
    red = engine.answer(Query("red"), k=1).hits[0]
    assert red.to_dict()["region"] == red.region
    corners = [row for row in filled.entities("main", EVERY_ROW) if row.box == red.box]
    assert red.region in {row.id for row in corners}
    other = next(row for row in corners if row.id != red.region)

    def refused(pixels: Sequence[Pixels]) -> Embeddings:
        raise AssertionError("its vector is stored")

    monkeypatch.setattr(encoder, "encode_pixels", refused)
    np.testing.assert_allclose(
        engine.embed(Query(like=(red.region,))), filled.embedding("main", red.region), atol=1e-5
    )
    alike = engine.answer(Query(like=(red.region,)), k=4).hits
    assert red.entity.id not in {hit.entity.id for hit in alike} and len(alike) == 3
    both = engine.answer(Query(like=(red.region, other.id)), k=4).hits
    assert {red.entity.id, other.keyframe_id}.isdisjoint(hit.entity.id for hit in both)
    assert len(both) == 2

    less = engine.answer(Query("grey", less_like=(red.region,)), k=4)
    assert not np.allclose(less.embedding, engine.embed(Query("grey")))
    without = engine.answer(Query("grey", not_like=(red.region,)), k=4).hits
    assert red.entity.id not in {hit.entity.id for hit in without}
    with pytest.raises(EntityNotFound):
        engine.answer(Query(like=(f"{red.entity.id}-t99", other.id)))


def test_who_may_not_see_a_camera_does_not_search_by_its_regions(
    filled: MilvusStore, settings: Settings
) -> None:
    [region] = filled.entities("main", Filter(cameras=()).regions_alone(), limit=1)
    for cameras, sees in ((("elsewhere",), False), ((region.camera,), True)):
        access = Access("ana", "viewer", cameras)
        guarded = GuardedStore(filled, access, AuditLog(settings.audit_path))
        engine = SearchEngine(ColourEncoder(), guarded, "main", cameras=cameras)
        if sees:
            assert engine.answer(Query(like=(region.id,)), k=4).hits
            continue
        with pytest.raises(EntityNotFound):
            engine.answer(Query(like=(region.id,)), k=4)


def test_the_trash_keeps_regions_with_their_keyframes(
    filled: MilvusStore, settings: Settings
) -> None:
    before = every_row(filled)
    keys = [entity.id for entity in filled.entities("main")]
    assert discard(settings, filled, "main", Filter(ids=tuple(keys[:2])), "two") == 2
    assert counts(filled) == (2, 2 * ROWS_EACH)
    [deletion] = deletions(settings)
    assert deletion.count == 2
    assert {e.id for e in deleted_entities(settings, deletion.number, 99)} == set(keys[:2])
    assert put_back(settings, filled, deletion.number, {keys[0]}) == 1
    assert deletions(settings)[0].count == 1
    assert counts(filled) == (3, 3 * ROWS_EACH)
    assert put_back(settings, filled, deletion.number) == 1
    assert every_row(filled) == before

    discard(settings, filled, "main", Filter(ids=(keys[3],)), "one")
    thumbnail = settings.data_dir / before[keys[3]][0].thumbnail
    assert purge(settings, filled, deletions(settings)[0].number) == 1
    assert not thumbnail.exists() and not deletions(settings)


def test_tags_cameras_and_moves_take_regions_along(filled: MilvusStore, settings: Settings) -> None:
    keys = [entity.id for entity in filled.entities("main")]
    assert change_tags(filled, "main", Filter(ids=(keys[0],)), add=["seen"]).changed == 1
    tagged = Filter(tags=("seen",))
    assert filled.count("main", tagged.with_regions()) == ROWS_EACH
    assert set_tags(filled, "main", keys[1], ["seen"]).id == keys[1]
    assert filled.count("main", tagged.with_regions()) == 2 * ROWS_EACH

    plan = plan_correction(settings, filled, "main", SetCamera("gate"), Filter(ids=(keys[2],)))
    apply_correction(settings, filled, plan)
    gate = Filter(cameras=("gate",))
    assert filled.count("main", gate.with_regions()) == ROWS_EACH

    assert move_entities(settings, filled, "main", tagged, "other") == 2
    assert counts(filled, "other") == (2, 2 * ROWS_EACH)
    assert counts(filled) == (2, 2 * ROWS_EACH)


def test_another_encoder_embeds_the_same_boxes(filled: MilvusStore, settings: Settings) -> None:
    before = every_row(filled)
    report = reembed(settings, filled, "main", OtherColours())
    assert (report.keyframes, report.thumbnails, report.left_out) == (4, 0, [])
    after = every_row(filled)
    assert {key: row for key, (row, _) in after.items()} == {
        key: row for key, (row, _) in before.items()
    }
    for key, (_, vector) in after.items():
        np.testing.assert_allclose(vector, before[key][1][::-1], atol=1e-4)


def test_regions_are_a_recipe_of_their_own(
    filled: MilvusStore, photos: Path, take_in: TakeIn
) -> None:
    options = {"store": filled, "encoder": ColourEncoder(), "library": "main"}
    assert take_in(photos, regions="tiles", **options).skipped == 4  # type: ignore[arg-type]
    assert take_in(photos, **options).done == 4  # type: ignore[arg-type]
    assert filled.count("main") == 4


def test_what_is_there_without_regions_is_not_taken_in_again_for_their_sake(
    lite_store: MilvusStore, photos: Path, take_in: TakeIn
) -> None:
    again = partial(take_in, photos, store=lite_store, encoder=ColourEncoder(), library="main")
    assert again(regions="off").done == 4
    assert again(regions="auto").skipped == 4
    assert again(regions="tiles").done == 4


def test_a_library_from_before_regions_refuses_them_and_says_what_to_do(
    lite_store: MilvusStore, photos: Path, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ColourEncoder()
    with monkeypatch.context() as before:
        lengths = {
            name: most
            for name, most in schema.VARCHAR_LENGTHS.items()
            if name not in ("kind", "frame_id")
        }
        before.setattr(schema, "VARCHAR_LENGTHS", lengths)
        before.setattr(schema, "_ARRAY_FIELDS", ("tags",))
        lite_store.ensure_library("main", encoder.identity)
    with pytest.raises(UsageError, match="before regions"):
        take_in(photos, store=lite_store, encoder=encoder, library="main", regions="tiles")
    usual = IngestOptions().regions
    assert usual == "auto"  # which is for libraries that can hold regions
    taken = take_in(photos, store=lite_store, encoder=encoder, library="main", regions=usual)
    assert taken.done == 4
    assert take_in(photos, store=lite_store, encoder=encoder, library="main").skipped == 4
    info = lite_store.library("main")
    lite_store.rebuild("main", info.index)
    report = take_in(photos, store=lite_store, encoder=encoder, library="main", regions="tiles")
    assert report.done == 4 and counts(lite_store) == (4, 4 * ROWS_EACH)
