"""Watched folders on the page Cameras: added, changed, paused and removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.auth import identity
from dashboard.cameras import changes
from ingest.cameras.folders.folder import AddedFolder
from ingest.cameras.folders.roster import FolderRoster
from search_core.access.users import Users
from search_core.errors import NotAllowed, SightlineError, UsageError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.cameras.test_page import labels, press, typed
from tests.dashboard.conftest import Look, OpenPage, words

pytestmark = pytest.mark.usefixtures("data_dir")

REMOVED = """
from dashboard.auth import identity
from dashboard.cameras import changes
identity.begin_page()
changes.remove(changes.folder_roster().get("nvr"))
"""


@pytest.fixture
def recordings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the server below which folders may be watched, with two in it."""
    given = tmp_path_factory.mktemp("recordings")
    for name in ("nvr", "dock"):
        (given / name).mkdir()
    monkeypatch.setenv("SIGHTLINE_MEDIA_SERVER_FOLDERS", f'["{given}"]')
    resources.settings.clear()
    return given


@pytest.fixture
def added(settings: Settings, recordings: Path) -> str:
    roster = FolderRoster(settings)
    roster.add(roster.make("nvr", AddedFolder(path=recordings / "nvr", tags=("old",))))
    return "nvr"


def press_add(app: AppTest) -> None:
    """Add the folder; the button beside it adds a camera."""
    [button] = [one for one in app.button if one.label == "Add" and "folder" in (one.form_id or "")]
    button.click().run()


def test_a_folder_is_added_and_written_down(
    recordings: Path, settings: Settings, open_page: OpenPage, library: list[MediaEntity]
) -> None:
    app = open_page("cameras")
    assert "No folder is watched" in words(app)
    press_add(app)
    assert "No folder was given" in words(app)
    app.selectbox(key="new-folder-0-path").set_value(str(recordings / "nvr"))
    press_add(app)
    assert "The folder has no name" in words(app)
    typed(app, "folder-name-0", "<b>nvr</b>")
    typed(app, "new-folder-0-camera", "gate")
    app.selectbox(key="new-folder-0-regions").set_value("tiles")
    press_add(app)
    assert app.selectbox(key="one-folder").value == "<b>nvr</b>"

    [folder] = FolderRoster(settings).folders()
    assert (folder.name, folder.path) == ("<b>nvr</b>", recordings / "nvr")
    assert (folder.library, folder.camera, folder.keyframes) == ("main", "gate", "auto")
    assert folder.regions == "tiles" and "Regions: tiles of the picture" in words(app)
    assert app.dataframe[-1].value["State"].tolist() == ["not watched"]
    [event] = identity.audit_log().events(action="folders")
    assert event.detail == {"added": "<b>nvr</b>", "path": str(recordings / "nvr")}


def test_without_a_place_for_them_it_is_said_how_folders_are_added(open_page: OpenPage) -> None:
    app = open_page("cameras")
    assert "once `sightline.toml` on the server names the folders" in words(app)
    assert "server_folders" in "\n".join(block.value for block in app.code)


def test_a_folder_is_paused_resumed_changed_and_removed(
    added: str, recordings: Path, settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    press(app, "Pause")
    assert FolderRoster(settings).folders()[0].paused and "paused" in words(app)
    press(app, "Resume")
    assert not FolderRoster(settings).folders()[0].paused

    key = next(box.key for box in app.selectbox if (box.key or "").startswith("change-folder-nvr"))
    form = (key or "").removesuffix("-path")
    app.selectbox(key=f"{form}-path").set_value(str(recordings / "dock"))
    typed(app, f"{form}-keyframes", "never")
    press(app, "Save")
    assert "Unknown keyframe selector" in words(app)
    typed(app, f"{form}-keyframes", "interval:5")
    press(app, "Save")
    [folder] = FolderRoster(settings).folders()
    assert (folder.path, folder.keyframes) == (recordings / "dock", "interval:5")
    assert folder.tags == ("old",)

    press(app, "Remove …")
    assert "will no longer be watched" in words(app) and FolderRoster(settings).folders()
    assert "Remove" in labels(app)  # AppTest presses none in dialogs

    AppTest.from_string(REMOVED, default_timeout=60).run()
    assert not FolderRoster(settings).folders()
    done = [next(iter(event.detail)) for event in identity.audit_log().events(action="folders")]
    assert done == ["removed", "changed", "resumed", "paused"]


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("/etc", NotAllowed, "/etc is not in a folder from which files may be added"),
        ("{}/../..", NotAllowed, "is not in a folder"),
        ("{}/nothing", UsageError, "There is no .*/nothing on the server"),
        ("{}/file.mp4", UsageError, "file.mp4 is not a folder"),
    ],
)
def test_only_folders_are_watched_where_footage_may_be_taken_from(
    recordings: Path,
    settings: Settings,
    open_page: OpenPage,
    path: str,
    error: type[SightlineError],
    said: str,
) -> None:
    open_page("cameras")
    (recordings / "file.mp4").touch()
    with pytest.raises(error, match=said):
        changes.add_folder("a", AddedFolder(path=Path(path.format(recordings))))
    assert not FolderRoster(settings).folders()
    assert not identity.audit_log().events(action="folders")


def test_a_folder_of_the_settings_is_changed_there(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sightline.toml").write_text(f'[folders.nvr]\npath = "{recordings / "nvr"}"\n')
    resources.settings.clear()
    app = open_page("cameras")
    assert "From `sightline.toml` on the server; it is changed there." in words(app)
    assert not labels(app) & {"Pause", "Remove …", "Save"}


def test_only_an_administrator_of_all_cameras_changes_one(
    added: str, settings: Settings, look: Look, users: Users, recordings: Path
) -> None:
    app = look("otto", "cameras")
    assert "An administrator of all cameras can change it" in words(app)
    assert not labels(app) & {"Pause", "Remove …", "Save", "Add"}
    [folder] = FolderRoster(settings).folders()
    given = AddedFolder(path=recordings / "dock")
    for change in (
        lambda: changes.add_folder("dock", given),
        lambda: changes.change_folder("nvr", given),
        lambda: changes.pause(folder, paused=True),
        lambda: changes.remove(folder),
    ):
        with pytest.raises((NotAllowed, UsageError)):
            change()
    assert FolderRoster(settings).folders() == [folder]
    users.set_cameras("otto", ["cam-1"])
    assert "Watched folders" not in words(look("otto", "cameras"))
