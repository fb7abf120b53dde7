"""What became of each file, while its ingest is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.auth import identity
from dashboard.auth.guarded_jobs import GuardedJobs
from ingest.jobs.client import Claim, Claims, Jobs
from ingest.ledger import Ledger
from ingest.options import IngestOptions
from search_core.access.roles import Access
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.conftest import OpenPage, words

NAMES = ["001-red.png", "002-note.txt", "003-box.zip"]


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.uploads_dir / "20260101-000000-abcd"


@pytest.fixture
def claim(settings: Settings, folder: Path) -> Iterator[Claim]:
    """An ingest of NAMES in a worker's hands."""
    with Ledger(settings.ledger_path) as ledger:  # long before
        ledger.record("main", "0", "r", str(folder / NAMES[0]), "failed", reason="is empty")
        ledger._database.write("UPDATE sources SET updated_ms = 1")
    Jobs(settings).submit_ingest(
        [str(folder / name) for name in NAMES], "main", IngestOptions(camera="cam-2")
    )
    with closing(Claims(settings)) as claims:
        claim = claims.next()
        assert claim is not None
        yield claim


def rows(app: AppTest) -> list[tuple[str, str, str]]:
    frame = app.dataframe[0].value
    return [(row["File"], row["Result"], row["Why"]) for row in frame.to_dict("records")]


def test_files_are_told_of_as_they_are_finished(
    claim: Claim,
    settings: Settings,
    folder: Path,
    library: list[MediaEntity],
    open_page: OpenPage,
) -> None:
    app = open_page("library", view="Add footage")
    assert rows(app) == []

    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "1", "r", str(folder / NAMES[0]), "done", keyframes=1)
        why = f"has the content of {folder / NAMES[0]}"
        ledger.record("main", "2", "r", str(folder / NAMES[2] / "a.png"), "skipped", reason=why)
        why = "is neither an image nor a video"
        ledger.record("main", "3", "r", str(folder / NAMES[1]), "failed", reason=why)
        ledger.record("main", "4", "r", "/another/job.png", "failed", reason="is another's")
        ledger.record("other", "5", "r", str(folder / NAMES[1]), "failed", reason="is another's")
    claim.report_progress(0.75, "known.png", {"total": 4, "finished": 4, "skipped": 2})
    app.run()

    assert rows(app) == [
        ("note.txt", "failed", "is neither an image nor a video"),
        ("box.zip/a.png", "skipped", "has the content of red.png"),
        ("red.png", "done", ""),
    ]
    assert "1 more: in the library already." in words(app)

    claim.finish("done", "4 done", None, {})
    assert not open_page("library", view="Add footage").dataframe


def test_of_many_files_the_failed_and_the_newest_are_shown(
    claim: Claim,
    settings: Settings,
    folder: Path,
    library: list[MediaEntity],
    open_page: OpenPage,
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        for number in range(300):
            uri = str(folder / NAMES[2] / f"{number}.png")
            status = "failed" if number == 5 else "done"
            ledger.record("main", str(number), "r", uri, status)  # type: ignore[arg-type]
    claim.report_progress(0.6, "x", {"total": 500, "finished": 300, "failed": 1})

    app = open_page("library", view="Add footage")

    assert len(rows(app)) == 200
    assert rows(app)[0][:2] == ("box.zip/5.png", "failed")
    assert "100 more. Those that failed come first." in words(app)


@pytest.mark.parametrize(("camera", "told"), [("cam-2", 1), ("cam-1", 0)])
def test_who_may_not_see_a_job_hears_nothing_of_its_files(
    claim: Claim,
    settings: Settings,
    folder: Path,
    camera: str,
    told: int,
    look: Callable[..., AppTest],
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "1", "r", str(folder / NAMES[0]), "done")
    operator = Access("otto", "operator", (camera,))
    guarded = GuardedJobs(Jobs(settings), operator, identity.audit_log(), settings)

    assert len(guarded.results_so_far(claim.job, 10)) == told
