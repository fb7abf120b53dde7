"""`sightline jobs`: what was asked of workers, seen and changed from the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.jobs.client import Jobs
from search_core.search.query_pictures import QueryPictures, digest_of
from search_core.settings import Settings
from tests.cli.conftest import Run
from tests.support.waiting import free_port


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    return ["--data-dir", str(tmp_path / "data")]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(Settings(data_dir=tmp_path / "data"))
    yield jobs
    jobs.close()


def test_jobs_are_listed_cancelled_and_tried_again(run: Run, own: list[str], jobs: Jobs) -> None:
    first = jobs.submit_ingest(["/footage/night.mp4"], "main")
    second = jobs.submit_ingest(["/footage/day.mp4", "/x"], "main")
    listed = run("jobs", "list", *own).out
    assert "night.mp4" in listed and "day.mp4 and 1 more" in listed
    assert [job["id"] for job in run("jobs", "list", "--json", *own).json] == [second, first]
    assert [job["id"] for job in run("jobs", "list", "--limit", 1, "--json", *own).json] == [second]

    assert run("jobs", "cancel", first, *own).exit_code == 0
    assert "cancelled before it started" in run("jobs", "show", first, *own).out
    again = run("jobs", "cancel", first, *own)
    assert again.exit_code == 2 and "is cancelled" in again.err
    assert run("jobs", "retry", first, *own).exit_code == 0
    assert run("jobs", "show", first, "--json", *own).json["state"] == "queued"
    refused = run("jobs", "retry", first, *own)
    assert refused.exit_code == 2 and "is queued" in refused.err


def test_jobs_that_ended_long_ago_are_pruned(run: Run, own: list[str], jobs: Jobs) -> None:
    old, young = (jobs.submit_ingest([f"/{name}"], "main") for name in ("old", "young"))
    waiting = jobs.submit_ingest(["/waiting"], "main")
    assert jobs.cancel(old) and jobs.cancel(young)
    jobs._table.update(old, {}, {"finished_ms": 1})
    for options in (["--dry-run"], ["--camera", "gate"], ["--library", "main"]):
        run("prune", *options, *own)
    assert len(jobs.list()) == 3
    said = run("prune", *own).err
    assert "Forgotten: 1 job that ended 90 days ago or longer" in said
    assert [job.id for job in jobs.list()] == [waiting, young]


def test_pictures_last_searched_by_long_ago_are_pruned(
    run: Run, own: list[str], jobs: Jobs, tmp_path: Path
) -> None:
    pictures = QueryPictures(tmp_path / "data" / "query-pictures")
    assert pictures.keep(b"old") and pictures.keep(b"new")
    os.utime(tmp_path / "data" / "query-pictures" / digest_of(b"old"), (0, 0))
    assert "To be forgotten: 1 picture" in run("prune", "--dry-run", *own).err
    assert "Forgotten: 1 picture that" in run("prune", *own).err
    assert pictures.read(digest_of(b"new")) and pictures.forget_old() == 0


def test_there_may_be_no_jobs_and_not_that_one(run: Run, own: list[str]) -> None:
    assert "There are no jobs" in run("jobs", "list", *own).out
    assert run("jobs", "list", "--json", *own).json == []
    for command in ("show", "cancel", "retry"):
        outcome = run("jobs", command, "nonsense", *own)
        assert outcome.exit_code == 2
        assert "There is no job nonsense" in outcome.err


def test_a_queue_out_of_reach_is_told_without_its_password(run: Run, own: list[str]) -> None:
    env = {"SIGHTLINE_QUEUE": f"redis://:never-shown@127.0.0.1:{free_port()}/0"}
    for command in (["jobs", "list"], ["worker"]):
        outcome = run(*command, *own, env=env)
        assert outcome.exit_code == 1
        assert "Redis does not answer" in outcome.err and "SIGHTLINE_QUEUE" in outcome.err
        assert "never-shown" not in outcome.err
