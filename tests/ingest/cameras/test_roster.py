"""Which cameras are to be watched: those of the settings, and those added while it runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.roster import Roster
from ingest.cameras.status_log import Diary
from ingest.curation.moving import rename_library
from ingest.rows.retention import Rule, rules_of
from search_core.errors import FilterError, SettingsError, UsageError
from search_core.schema.camera import CameraSettings
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder

NOW_MS = 1_770_000_000_000
SECRET = "hunter2"
URL = f"rtsp://admin:{SECRET}@10.0.0.5:554/stream1"


@pytest.fixture
def written(settings: Settings) -> Settings:
    """Settings as of a sightline.toml that names the camera gate."""
    given = CameraSettings(url=SecretStr("rtsp://toml/gate"), retain=timedelta(days=30))
    return settings.model_copy(update={"cameras": {"gate": given}})


def test_both_kinds_are_watched_and_only_the_added_is_changed(written: Settings) -> None:
    roster = Roster(written)
    roster.add(roster.make(" dock ", URL, retain=timedelta(days=7)))

    dock, gate = roster.cameras()
    assert (dock.name, dock.added, dock.library) == ("dock", True, "main")
    assert (gate.name, gate.added) == ("gate", False)
    assert SECRET not in repr(roster.cameras())
    assert [camera.name for camera in roster.watched()] == ["dock", "gate"]

    roster.pause("dock")
    assert [camera.name for camera in Roster(written).watched()] == ["gate"]
    roster.pause("dock", paused=False)
    roster.change("dock", address="rtsp://elsewhere/x", transport="udp", regions="motion")
    assert Roster(written).get("dock").regions == "motion"
    with pytest.raises(UsageError, match="Unknown kind of regions"):
        roster.change("dock", regions="circles")
    assert Roster(written).get("dock").address == "rtsp://elsewhere"
    assert Roster(written).get("dock").retain == timedelta(days=7)
    changes: tuple[Callable[[], None], ...] = (
        lambda: roster.pause("gate"),
        lambda: roster.change("gate", address=URL),
        lambda: roster.remove("gate"),
    )
    for change in changes:
        with pytest.raises(UsageError, match="gate"):
            change()


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("gate", URL, "There is a camera gate already"),
        ("dock", URL, "There is a camera dock already"),
        ("  ", URL, "has no name"),
        ("a\nb", URL, "cannot name a camera"),
        ("x" * 300, URL, "cannot name a camera"),
        ("yard", f"http://u:{SECRET}@cam/1", "Not a camera's address"),
        ("yard", "", "Not a camera's address"),
    ],
)
def test_a_camera_that_cannot_be_is_not_added(
    written: Settings, name: str, address: str, said: str
) -> None:
    roster = Roster(written)
    roster.add(roster.make("dock", URL))

    with pytest.raises((UsageError, FilterError), match=said) as refused:
        roster.make(name, address)
    assert SECRET not in f"{refused.value} {refused.value.hint}"
    assert len(roster.cameras()) == 2


def test_a_name_that_comes_into_the_settings_wins(settings: Settings, written: Settings) -> None:
    Roster(settings).add(Roster(settings).make("gate", URL))

    [gate] = Roster(written).cameras()
    assert gate.address == "rtsp://toml" and not gate.added
    with pytest.raises(UsageError, match=r"is in sightline\.toml"):
        Roster(written).get("gate")
    Roster(written).remove("gate")  # the address goes from where nobody uses it
    assert SECRET not in settings.cameras_path.read_text()


def test_a_removed_camera_is_told_of_no_more_and_its_keyframes_go_in_time(
    settings: Settings,
) -> None:
    roster = Roster(settings)
    roster.add(roster.make("dock", URL, retain=timedelta(days=7)))
    [dock] = roster.cameras()
    with Diary(settings.ledger_path) as diary:
        diary.begin(dock, NOW_MS)
        diary.seen("dock", NOW_MS, NOW_MS + 5_000, 10, 0, 0)
        diary.lost("dock", "does not answer", NOW_MS + 9_000)
        roster.keep_for("dock", timedelta(days=2))
        assert [state.retain for state in roster.states()] == [timedelta(days=2)]

        roster.remove("dock")
        assert roster.states() == []
        assert [gap.ended_ms is None for gap in diary.gaps()] == [False]
        assert rules_of(settings) == [Rule("main", timedelta(days=2), "dock")]
        # Whoever still watches it for a moment does not bring it back.
        diary.seen("dock", NOW_MS + 10_000, NOW_MS + 11_000, 5, 0, 0)
        diary.lost("dock", "broke the connection", NOW_MS + 12_000)
        diary.end("dock", NOW_MS + 13_000)
        assert roster.states() == [] and len(diary.gaps()) == 1

        roster.add(roster.make("dock", URL))
        assert [(state.state, state.retain) for state in roster.states()] == [("stopped", None)]
        assert rules_of(settings) == []
        diary.begin(dock, (diary.gaps()[0].ended_ms or 0) + 60_000)
        [again, before] = diary.gaps()
        assert again.began_ms == before.ended_ms


def test_states_say_what_is_paused_and_what_counts_now(written: Settings) -> None:
    roster = Roster(written)
    roster.add(roster.make("dock", URL, retain=timedelta(days=7)))
    by_hand = Camera("yard", SecretStr(URL), "main", timedelta(days=1))
    with Diary(written.ledger_path) as diary:
        diary.begin(by_hand, NOW_MS)
        diary.lost("yard", "does not answer", NOW_MS)
    roster.pause("dock")
    roster.keep_for("gate", None)
    roster.keep_for("yard", timedelta(hours=12))

    told = {state.name: (state.state, state.retain, state.reason) for state in roster.states()}
    assert told == {
        "dock": ("paused", timedelta(days=7), ""),
        "gate": ("stopped", None, ""),
        "yard": ("lost", timedelta(hours=12), "does not answer"),
    }
    assert rules_of(written) == [
        Rule("main", timedelta(days=7), "dock"),
        Rule("main", timedelta(hours=12), "yard"),
    ]


def test_a_library_that_is_renamed_keeps_its_cameras(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    store.ensure_library("main", encoder.identity)
    roster = Roster(settings)
    roster.add(roster.make("dock", URL))

    rename_library(settings, store, "main", "yard")

    assert [camera.library for camera in roster.cameras()] == ["yard"]


def test_a_file_that_cannot_be_read_is_said_to_be_so(settings: Settings) -> None:
    settings.cameras_path.parent.mkdir()
    settings.cameras_path.write_text("[cameras")

    for ask in (Roster(settings).watched, Roster(settings).states, lambda: rules_of(settings)):
        with pytest.raises(SettingsError, match=r"cameras\.toml cannot be read"):
            ask()
