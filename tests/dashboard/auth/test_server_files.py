from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import resources
from dashboard.auth.server_files import allowed_address, allowed_path, choices
from ingest.ledger import Ledger
from ingest.options import IngestOptions
from search_core.access.users import Users
from search_core.errors import NotAllowed, SightlineError, UsageError
from search_core.settings import Settings
from tests.dashboard.asking import PASSWORD
from tests.dashboard.conftest import Look, OpenPage, words


@pytest.fixture
def footage(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder that the settings allow, with links in it: one of them leads out."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "night").mkdir()
    (folder / "night" / "a.mp4").touch()
    (folder / ".hidden").touch()
    (folder / "out").symlink_to(data_dir)
    (folder / "in").symlink_to(folder / "night")
    (folder / "round").symlink_to(folder / "round")
    monkeypatch.setenv("SIGHTLINE_MEDIA_SERVER_FOLDERS", f'["{folder}"]')
    resources.settings.clear()
    return folder


def test_only_what_is_below_a_named_folder_may_be_taken_in(footage: Path) -> None:
    settings = resources.settings()

    assert allowed_path(f"{footage}", settings) == str(footage)
    assert allowed_path(f" {footage}/in/a.mp4 ", settings) == str(footage / "night" / "a.mp4")
    for path in (
        "/etc/passwd",
        f"{footage}/../other",
        f"{footage}-beside",
        f"{footage}/out",
        f"{footage}/out/thumbnails",
        f"{footage}/night/../../x",
        "night/a.mp4",
        "~/x",
        f"file://{footage}/night/a.mp4",
    ):
        with pytest.raises(NotAllowed, match="not in a folder"):
            allowed_path(path, settings)
    for path in (f"{footage}/none.mp4", f"{footage}/*.mp4"):
        with pytest.raises(UsageError, match="There is no"):
            allowed_path(path, settings)
    for path in (f"{footage}/round", "/srv/\0"):
        with pytest.raises(SightlineError):
            allowed_path(path, settings)
    assert choices(settings) == [
        str(footage),
        *(str(footage / name) for name in ("in", "night", "out", "round")),
    ]


def test_not_even_sightlines_own_files_where_all_is_allowed(
    settings: Settings, data_dir: Path
) -> None:
    settings.media.server_folders = (Path("/"),)

    with pytest.raises(NotAllowed):
        allowed_path(str(data_dir / "thumbnails"), settings)
    settings.media.server_folders = ()
    with pytest.raises(NotAllowed, match="not in a folder"):
        allowed_path("/etc", settings)


def test_addresses_are_as_the_settings_say(settings: Settings) -> None:
    with pytest.raises(NotAllowed, match="Files at web addresses cannot"):
        allowed_address("s3://footage/a.mp4", settings)
    settings.remote.allow_jobs = True
    assert allowed_address(" s3://footage/a.mp4", settings) == "s3://footage/a.mp4"
    with pytest.raises(NotAllowed, match="on the web"):
        allowed_address("HTTPS://example.org/a.mp4", settings)
    settings.remote.allow_urls = True
    assert allowed_address("https://example.org/a.mp4", settings)
    with pytest.raises(UsageError, match="is not an address"):
        allowed_address("/etc/passwd", settings)


def test_a_path_on_the_server_becomes_a_job(footage: Path, open_page: OpenPage) -> None:
    app = open_page("library")
    app.segmented_control(key="adding-way").set_value("On the server").run()
    app.selectbox(key="server-path-0").set_value(str(footage / "night")).run()
    next(button for button in app.button if button.label == "Ingest").click().run()

    words(app)
    [job] = resources.jobs().list()
    assert job.request["paths"] == [str(footage / "night")]
    assert job.request["camera"] is None


def test_what_is_not_allowed_is_not_offered_and_refused(open_page: OpenPage) -> None:
    app = open_page("library")
    assert not app.segmented_control

    for path in ("/etc", "s3://footage/a.mp4", "../x"):
        with pytest.raises(NotAllowed):
            resources.jobs().submit_ingest([path], "main")
    assert resources.jobs().list() == []


def test_who_sees_some_cameras_only_uploads(
    footage: Path, library: object, look: Look, users: Users
) -> None:
    users.add("olga", "operator", ["cam-1"], PASSWORD)
    app = look("otto", "library")
    app.segmented_control(key="view").set_value("Add footage").run()
    assert app.segmented_control(key="adding-way").options == ["Upload", "On the server"]

    app = look("olga", "library")
    app.segmented_control(key="view").set_value("Add footage").run()
    assert "adding-way" not in {control.key for control in app.segmented_control}
    with pytest.raises(NotAllowed, match="Only uploaded files"):
        resources.jobs().submit_ingest([str(footage)], "main", IngestOptions(camera="cam-1"))
    with pytest.raises(NotAllowed):
        resources.jobs().ingest_again("main", 10)


def test_what_failed_is_tried_again_wherever_it_was(settings: Settings, look: Look) -> None:
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "s", "r", "/elsewhere/a.mp4", "failed", reason="is damaged")
    look("vera")
    with pytest.raises(NotAllowed):
        resources.jobs().ingest_again("main", 10)
    look("otto")
    assert resources.jobs().ingest_again("main", 10) == 1
    [job] = resources.jobs().list()
    assert job.request["paths"] == ["/elsewhere/a.mp4"]
    assert job.request["alone"] is False
