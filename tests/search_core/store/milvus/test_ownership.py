from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from search_core.store.milvus.properties import BELIEVED_MS, Owner


def test_this_process_owns_what_it_makes() -> None:
    owner = Owner.current()
    assert not owner.is_gone()
    assert Owner(**asdict(owner)) == owner


def test_a_process_that_ended_is_gone_and_its_number_may_return() -> None:
    script = (
        "import json; from dataclasses import asdict;"
        "from search_core.store.milvus.properties import Owner;"
        "print(json.dumps(asdict(Owner.current())))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    ended = Owner(**json.loads(told.stdout))
    assert ended.is_gone()
    # A process that lives, started at another time, has the number now.
    assert replace(ended, pid=os.getpid()).is_gone()


@pytest.mark.parametrize(("age_ms", "gone"), [(0, False), (BELIEVED_MS + 60_000, True)])
def test_another_hosts_process_is_believed_for_a_day(age_ms: int, gone: bool) -> None:
    here = Owner.current()
    there = replace(here, host="elsewhere", pid=1, started="x", since=here.since - age_ms)
    assert there.is_gone() is gone
