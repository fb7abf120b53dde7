"""Every setting has an effect: each test sets one, by its variable, and looks at what it changes.

``test_no_setting_is_without_a_test`` goes red where a setting is added without one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from PIL import Image
from pydantic import BaseModel

from dashboard.auth.server_files import allowed_address, allowed_path
from dashboard.components.regions import offered_regions
from ingest.jobs.client import Jobs
from ingest.media.lettering import process
from ingest.media.regions.registry import spelled
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport
from ingest.sources.remote.fetching import Fetcher
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Embeddings, Pixels
from search_core.encoders.loading import load_encoder
from search_core.errors import (
    EncoderError,
    MediaError,
    NotAllowed,
    QueueUnavailable,
    SettingsError,
    StoreAccessDenied,
    UsageError,
)
from search_core.schema.entity import ms_from_datetime
from search_core.settings import Settings, load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.bulk_insert import bulk_storage
from search_core.store.milvus.session import connect
from sightline.cli.serve.serve import listening_at
from sightline.workspace import Workspace
from tests.cli.conftest import Run, data_dir_of
from tests.ingest.rows.test_lettering import ENTRY
from tests.support.loopback_servers import serving
from tests.support.made_media import HistogramEncoder

_SHOWN: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., Any])
SetTo = Callable[..., Settings]


def shows(*names: str) -> Callable[[Test], Test]:
    """Say that a test shows these settings' effects."""
    _SHOWN.update(names)
    return lambda test: test


@pytest.fixture
def set_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SetTo:
    """Return the settings that are read where these variables are set."""

    def read(**values: object) -> Settings:
        for name, value in {"DATA_DIR": tmp_path / "data", **values}.items():
            monkeypatch.setenv(f"SIGHTLINE_{name}", str(value))
        return load_settings()

    return read


class Counting(HistogramEncoder):
    """Remembers how many pictures it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        self.batches.append(len(pixels))
        return super().encode_pixels(pixels)


def take_in(
    path: Path, settings: Settings, encoder: HistogramEncoder | None = None, **options: Any
) -> tuple[IngestReport, MemoryStore]:
    store, encoder = MemoryStore(), encoder or HistogramEncoder()
    report = ingest(
        [str(path)],
        IngestOptions(alone=False, **options),
        settings=settings,
        store=store,
        encoder=encoder,
        library="main",
    )
    return report, store


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (600, 300), (200, 40, 40)).save(path)
    return path


def test_no_setting_is_without_a_test() -> None:
    assert set(_names(Settings)) == _SHOWN


def _names(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{name}.")
        else:
            yield before + name


@shows("data_dir", "media.thumbnail_px")
def test_thumbnails_lie_in_the_data_directory_and_are_so_large(
    set_to: SetTo, photo: Path, tmp_path: Path
) -> None:
    settings = set_to(DATA_DIR=tmp_path / "elsewhere", MEDIA_THUMBNAIL_PX=120)
    _, store = take_in(photo, settings)
    (entity,) = store.entities("main", limit=9)
    with Image.open(tmp_path / "elsewhere" / entity.thumbnail) as thumbnail:
        assert thumbnail.size == (120, 60)


@shows("library", "model")
def test_a_command_uses_the_library_and_the_model_that_are_set(
    run: Run, photo: Path, encoder: list[str], tmp_path: Path
) -> None:
    env = {
        "SIGHTLINE_LIBRARY": "yard",
        "SIGHTLINE_MODEL": encoder[1],
        "SIGHTLINE_DATA_DIR": str(tmp_path / "data"),
    }
    assert "taken into the library yard" in run("ingest", photo, env=env).out
    env["SIGHTLINE_MODEL"] = "no-such-model"
    assert "no-such-model" in run("search", "a car", env=env).err


@shows("pretrained")
def test_the_weights_that_are_set_are_looked_for(set_to: SetTo) -> None:
    with pytest.raises(EncoderError, match="no-such-weights"):
        load_encoder(set_to(MODEL="ViT-B-32", PRETRAINED="no-such-weights"))


@shows("encoder.device")
def test_the_encoder_runs_on_the_device_that_is_set(set_to: SetTo, encoder: list[str]) -> None:
    settings = set_to(MODEL=encoder[1], ENCODER_DEVICE="meta")
    with pytest.raises(Exception, match=r"(?i)meta"):  # where nothing can be computed
        load_encoder(settings).encode_images([Image.new("RGB", (32, 32))])


@shows("encoder.download")
def test_download_never_refuses_weights_that_are_not_here(set_to: SetTo) -> None:
    settings = set_to(ENCODER_DOWNLOAD="never", MODEL="ViT-B-32", PRETRAINED="laion2b_s34b_b79k")
    with (
        Workspace(settings) as workspace,
        pytest.raises(EncoderError, match="may not be downloaded"),
    ):
        workspace.encoder()


@shows("encoder.precision")
def test_the_encoder_has_the_precision_that_is_set(set_to: SetTo, encoder: list[str]) -> None:
    for precision in ("fp32", "bf16"):
        settings = set_to(MODEL=encoder[1], ENCODER_PRECISION=precision)
        assert load_encoder(settings).identity.precision == precision


@shows("encoder.batch_size")
def test_so_many_pictures_are_embedded_at_once(set_to: SetTo, media: Path) -> None:
    encoder = Counting()
    take_in(media, set_to(ENCODER_BATCH_SIZE=3), encoder)
    assert max(encoder.batches) == 3


@shows("media.max_pixels")
def test_larger_pictures_than_the_limit_are_refused(set_to: SetTo, tmp_path: Path) -> None:
    """Above Pillow's own limit as well as below it."""
    large = tmp_path / "large.png"
    Image.new("1", (20_000, 9_000)).save(large)
    report, _ = take_in(large, set_to())
    assert "SIGHTLINE_MEDIA_MAX_PIXELS" in report.outcomes[0].reason
    report, _ = take_in(large, set_to(MEDIA_MAX_PIXELS=180_000_000))
    assert report.outcomes[0].status == "done"
    report, _ = take_in(large, set_to(MEDIA_MAX_PIXELS=1_000_000))
    assert "more than the limit of 1,000,000 (SIGHTLINE_MEDIA_MAX_PIXELS)" in (
        report.outcomes[0].reason
    )


@shows("media.max_animation_frames")
def test_an_animation_gives_so_many_keyframes(set_to: SetTo, tmp_path: Path) -> None:
    frames = [Image.new("L", (40, 30), 12 * number) for number in range(20)]
    frames[0].save(
        tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=1000, loop=0
    )
    report, _ = take_in(
        tmp_path / "a.gif", set_to(MEDIA_MAX_ANIMATION_FRAMES=4), keyframes="iframe"
    )
    assert report.keyframes == 4


@shows("media.workers")
@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_processes_decode(
    set_to: SetTo, media: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    take_in(media, set_to(MEDIA_WORKERS=workers))
    assert sum(name.startswith("decoder-") for name in started) == workers


@shows("media.read")
def test_lettering_is_read_unless_that_is_set_off(
    set_to: SetTo, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ENTRY", ENTRY)
    for module in ("ingest.rows.lettering", "ingest.pipeline"):
        monkeypatch.setattr(f"{module}.what_is_missing", lambda: "")
    report, _ = take_in(photo, set_to(MEDIA_READ="off"))
    assert report.read is None
    report, store = take_in(photo, set_to(MEDIA_READ="auto"))
    assert report.read is not None
    assert report.read.keyframes == store.count("main") == 1


@shows("media.server_folders")
def test_the_dashboard_adds_files_from_these_folders_only(set_to: SetTo, photo: Path) -> None:
    with pytest.raises(NotAllowed):
        allowed_path(str(photo), set_to())
    assert allowed_path(str(photo), set_to(MEDIA_SERVER_FOLDERS=f'["{photo.parent}"]'))


@shows("media.detector")
def test_the_dashboard_offers_the_detector_of_this_file(set_to: SetTo, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "yolox.onnx"
    file.write_bytes(b"any")
    assert offered_regions(set_to()) == ["off", "auto", "motion", "tiles"]
    assert offered_regions(set_to(MEDIA_DETECTOR=str(file)))[4:] == [spelled(f"detector:{file}")]


@shows("queue")
def test_the_queue_that_is_set_is_asked(set_to: SetTo) -> None:
    with pytest.raises(QueueUnavailable):
        Jobs(set_to(QUEUE="redis://127.0.0.1:1/0")).list()


@shows("record_searches")
@pytest.mark.parametrize(("value", "kept"), [("true", True), ("false", False)])
def test_searches_are_kept_or_not(run: Run, library: list[str], value: str, kept: bool) -> None:
    searches = data_dir_of(library) / "searches.sqlite"
    for path in searches.parent.glob("searches.sqlite*"):
        path.unlink()
    run("search", "a red gate", *library, env={"SIGHTLINE_RECORD_SEARCHES": value})
    assert searches.exists() == kept


class _Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """A Milvus that refuses every call, and remembers what came with it."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.left_s: list[float] = []

    def service(self, call: Any) -> Any:
        self.metadata.update(call.invocation_metadata)

        def refuse(_request: bytes, context: Any) -> None:
            self.left_s.append(context.time_remaining())
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not here")

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextmanager
def refusing_milvus() -> Iterator[tuple[str, _Refusing]]:
    handler = _Refusing()
    server = grpc.server(ThreadPoolExecutor(2), handlers=(handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", handler
    finally:
        server.stop(None)


@shows("milvus.uri", "milvus.token", "milvus.timeout_s")
def test_milvus_is_asked_where_it_is_with_the_token_and_in_time(set_to: SetTo) -> None:
    with refusing_milvus() as (uri, milvus):
        settings = set_to(MILVUS_URI=uri, MILVUS_TOKEN="anna:secret", MILVUS_TIMEOUT_S=2)
        with pytest.raises(StoreAccessDenied, match=uri):
            connect(resolve_endpoint(settings))
    assert milvus.metadata["authorization"] == "YW5uYTpzZWNyZXQ="  # anna:secret
    assert 0 < max(milvus.left_s) < 3  # without the setting 5


@shows("milvus.bulk_storage")
def test_a_bulk_insert_leaves_its_files_where_it_is_set(set_to: SetTo, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_MILVUS_BULK_STORAGE"):
        bulk_storage(set_to())
    assert str(tmp_path) in bulk_storage(set_to(MILVUS_BULK_STORAGE=tmp_path)).address


@contextmanager
def web(content: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve something at every path; yields the address, and what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}", asked


WEB = {"REMOTE_ALLOW_URLS": "true", "REMOTE_PRIVATE_HOSTS": '["127.0.0.1"]'}


def fetch(address: str, settings: Settings) -> bytes:
    remote = RemoteFiles(settings.remote)
    with Fetcher(settings, remote, lambda: None) as fetcher:
        file = next(remote.find(address))
        found = fetcher.wait(fetcher.start(file, lambda head: True))
        assert found.path is not None
        return found.path.read_bytes()


@shows("remote.allow_urls", "remote.private_hosts")
def test_addresses_are_fetched_where_both_settings_allow_it(set_to: SetTo, photo: Path) -> None:
    with web(photo.read_bytes()) as (address, asked):
        for settings in (set_to(), set_to(REMOTE_ALLOW_URLS="true")):
            with pytest.raises(MediaError):
                fetch(f"{address}/a.png", settings)
        assert asked == []
        assert fetch(f"{address}/a.png", set_to(**WEB)) == photo.read_bytes()


@shows("remote.max_bytes", "remote.max_seconds")
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"REMOTE_MAX_BYTES": 100}, "is larger than"),
        ({"REMOTE_MAX_SECONDS": 1e-9}, "took longer|in time"),
    ],
)
def test_what_is_larger_or_slower_than_the_limit_is_not_fetched(
    set_to: SetTo, photo: Path, limit: dict[str, float], said: str
) -> None:
    with web(photo.read_bytes()) as (address, _asked), pytest.raises(MediaError, match=said):
        fetch(f"{address}/a.png", set_to(**WEB, **limit))


@shows("remote.allow_jobs")
def test_jobs_name_addresses_only_where_it_is_allowed(set_to: SetTo) -> None:
    with pytest.raises(NotAllowed):
        allowed_address("s3://bucket/a.mp4", set_to())
    assert allowed_address("s3://bucket/a.mp4", set_to(REMOTE_ALLOW_JOBS="true"))


@shows("remote.s3_endpoint")
def test_buckets_are_looked_for_at_the_endpoint(
    set_to: SetTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with web(b"") as (address, asked):
        with suppress(MediaError):  # nothing is there
            list(RemoteFiles(set_to(REMOTE_S3_ENDPOINT=address).remote).find("s3://yard/*.mp4"))
        assert asked and asked[0].startswith("/yard")


@shows("access.without_login")
def test_other_addresses_are_listened_at_only_where_it_is_allowed(set_to: SetTo) -> None:
    with pytest.raises(UsageError):
        listening_at("0.0.0.0", set_to())
    assert listening_at("0.0.0.0", set_to(ACCESS_WITHOUT_LOGIN="true"))


@shows("cameras")
def test_the_cameras_of_the_file_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text('[cameras.gate-4]\nurl = "rtsp://127.0.0.1:1/x"\n')
    assert "gate-4" in run("cameras", "--data-dir", tmp_path / "data").out


@shows("timezone", "names.patterns")
def test_names_are_read_by_the_patterns_and_in_the_time_zone_that_are_set(
    set_to: SetTo, tmp_path: Path
) -> None:
    path = tmp_path / "03-04-2026_10-20-30.png"
    Image.new("RGB", (60, 40), (200, 40, 40)).save(path)
    settings = set_to(TIMEZONE="+05:00", NAMES_PATTERNS='["%d-%m-%Y_%H-%M-%S"]')
    _, store = take_in(path, settings)
    (entity,) = store.entities("main", limit=9)
    moment = datetime(2026, 4, 3, 5, 20, 30, tzinfo=UTC)
    assert (entity.captured_at, entity.captured_from) == (ms_from_datetime(moment), "name")


@shows("clocks")
def test_the_clock_of_a_camera_is_read_as_the_file_says(
    set_to: SetTo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text('[clocks.gate]\ntimezone = "+05:00"\noffset = "+1h"\n')
    path = tmp_path / "2026-04-03_10-20-30.png"
    Image.new("RGB", (60, 40), (200, 40, 40)).save(path)
    captured = {}
    for camera in ("gate", "yard"):
        _, store = take_in(path, set_to(TIMEZONE="UTC"), camera=camera)
        (entity,) = store.entities("main", limit=9)
        captured[camera] = entity.captured_at
        path.write_bytes(path.read_bytes() + b"x")  # other content is taken in again
    assert captured["gate"] == ms_from_datetime(datetime(2026, 4, 3, 6, 20, 30, tzinfo=UTC))
    assert captured["yard"] == ms_from_datetime(datetime(2026, 4, 3, 10, 20, 30, tzinfo=UTC))


@shows("folders")
def test_the_folders_of_the_file_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text(f'[folders.recorder-4]\npath = "{tmp_path}/recordings"\n')
    assert "recorder-4" in run("folders", "--data-dir", tmp_path / "data").out


@shows("forget_missing")
def test_a_librarys_keyframes_of_deleted_files_are_pruned(
    run: Run, photo: Path, encoder: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    run("ingest", photo, *options, "--started-at", "2020-01-01T00:00:00Z")
    photo.unlink()
    run("prune", *options)
    assert run("search", "a car", "--json", *options).json
    Path("sightline.toml").write_text('[forget_missing]\nmain = "30d"\n')
    run("prune", *options)
    assert not run("search", "a car", "--json", *options).json


@shows("retain")
def test_a_librarys_old_keyframes_are_pruned(
    run: Run, photo: Path, encoder: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [*encoder, "--data-dir", str(tmp_path / "data")]
    run("ingest", photo, *options, "--started-at", "2020-01-01T00:00:00Z")
    run("prune", *options)
    assert run("search", "a car", "--json", *options).json
    Path("sightline.toml").write_text('[retain]\nmain = "30d"\n')
    run("prune", *options)
    assert not run("search", "a car", "--json", *options).json
