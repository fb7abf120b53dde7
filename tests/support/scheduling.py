"""Which process of a run takes which tests, and in what order.

A test of the Milvus server waits for the server nearly all the time (of 110 s, the processor works
20), so two processes have a server each while others work. The rest goes by file, the longest
first: a long file that is begun last is what everybody waits for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

SERVERS = 2
#: Files and tests that need the server and do not say so in their parameters.
ONLY_ON_A_SERVER = (
    "/test_bulk.py::",
    "/test_bulk_ingest.py::",
    "/test_milvus_users.py::",
    "::test_two_worker_processes_do_each_job_once",
)
_ON_A_SERVER = re.compile(r"\[(?:.*-)?server(?:-.*)?\]$")

#: Seconds of what takes more than 20, measured on two cores; wrong ones cost time, nothing else.
SECONDS_ON_A_SERVER = {
    "search_core/store/milvus/test_in_place.py": 129,
    "ingest/curation/test_reembedding.py": 117,
    "contracts/test_store.py": 110,
    "contracts/test_trial.py": 109,
    "integration/test_restarted_milvus.py": 107,
    "search_core/store/milvus/test_rebuild.py": 97,
    "integration/test_bulk_ingest.py": 83,
    "search_core/lab/test_benchmark.py": 77,
    "integration/test_offered_indexes.py": 64,
    "search_core/store/milvus/test_bulk.py": 63,
    "integration/test_full_disk.py": 57,
    "integration/test_killed_comparison.py": 50,
    "search_core/store/test_killed_index_work.py": 47,
    "integration/test_killed_ingest.py": 46,
    "integration/test_milvus_users.py": 45,
    "search_core/search/test_filtered_search.py": 33,
}
SECONDS = {
    "search_core/store/milvus/test_versions.py": 227,
    "search_core/encoders/test_families.py": 60,
    "cli/library/test_damaged_store.py": 60,
    "cli/cameras/test_cameras.py": 56,
    "cli/cameras/test_folders.py": 44,
    "ingest/cameras/folders/test_watching_folders.py": 43,
    "cli/cameras/test_changes.py": 35,
    "ingest/jobs/test_workers.py": 34,
    "contracts/test_store.py": 33,
    "dashboard/search/test_page.py": 33,
    "ingest/curation/test_reembedding.py": 32,
    "search_core/store/milvus/test_probe.py": 32,
    "dashboard/auth/test_roles.py": 31,
    "search_core/lab/report/test_writer.py": 31,
    "dashboard/cameras/test_page.py": 29,
    "dashboard/index/test_page.py": 25,
    "cli/index/test_compare.py": 24,
    "cli/library/test_corrections.py": 23,
    "ingest/media/test_large_pictures.py": 22,
    "cli/library/test_verify.py": 21,
}


def units_of(node_ids: Iterable[str]) -> dict[str, str]:
    """Return the unit of each test, by node id; what is in one unit runs in one process."""
    node_ids = list(node_ids)
    waiting = {_file(node_id) for node_id in node_ids if needs_server(node_id)}
    busy_s = dict.fromkeys((f"server {number}" for number in range(SERVERS)), 0)
    server_of: dict[str, str] = {}
    for file in sorted(waiting, key=lambda file: (-SECONDS_ON_A_SERVER.get(file, 0), file)):
        server_of[file] = min(busy_s, key=lambda server: busy_s[server])
        busy_s[server_of[file]] += SECONDS_ON_A_SERVER.get(file, 5)
    return {
        node_id: server_of[_file(node_id)] if needs_server(node_id) else _file(node_id)
        for node_id in node_ids
    }


def needs_server(node_id: str) -> bool:
    """Whether a test needs the Milvus server that its process starts."""
    return (
        any(part in node_id for part in ONLY_ON_A_SERVER)
        or _ON_A_SERVER.search(node_id) is not None
    )


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return tests in the order of their units: those of servers first, then the longest."""
    units = units_of(item.nodeid for item in items)

    def place(item: pytest.Item) -> tuple[bool, int]:
        unit = units[item.nodeid]
        return not unit.startswith("server"), -SECONDS.get(unit, 0)

    return sorted(items, key=place)


def processes() -> int:
    """Return how many processes to run: one for each processor, and those that wait for servers."""
    return (os.cpu_count() or 1) + SERVERS


class Units(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out units in the order of the tests, as :func:`in_order` left them."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._units: dict[str, str] = {}
        config.option.loadscopereorder = False

    def schedule(self) -> None:
        """Hand out what is left."""
        if not self._units:
            self._units = units_of(next(iter(self.registered_collections.values())))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        """Return the unit of a test."""
        return self._units[nodeid]


def _file(node_id: str) -> str:
    """Return the path of a test's file below tests/."""
    return node_id.partition("::")[0].removeprefix("tests/")
