from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from search_core.access.audit_log import AuditLog
from search_core.errors import AuditUnavailable


def test_events_come_newest_first_and_narrowed(audit: AuditLog) -> None:
    assert audit.events() == []
    assert not audit.path.exists()
    audit.record("ann", "search", "main", {"text": "a car", "filter": {"cameras": ["gate"]}})
    audit.record("bob", "search", "main", {"text": "x" * 10_000}, "192.0.2.1")
    audit.record("ann", "delete", "main", {"count": 3})

    assert [event.id for event in audit.events()] == [3, 2, 1]
    assert audit.events(1)[0].detail == {"count": 3}
    assert [event.action for event in audit.events(who="ann")] == ["delete", "search"]
    [found] = audit.events(who="bob", action="search")
    assert (found.address, len(found.detail["text"])) == ("192.0.2.1", 2000)
    moment = found.at_ms
    assert audit.events(before_ms=moment - 60_000) == []
    assert len(audit.events(after_ms=moment - 60_000)) == 3
    assert stat.S_IMODE(audit.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("change", ["DELETE FROM events", "UPDATE events SET who = 'eve'"])
def test_the_file_itself_refuses_to_be_changed(audit: AuditLog, change: str) -> None:
    audit.record("ann", "view")
    with closing(sqlite3.connect(audit.path)) as other, pytest.raises(sqlite3.Error):
        other.execute(change)
    assert [event.who for event in audit.events()] == ["ann"]


def test_a_file_that_cannot_be_written_is_an_error_not_a_silence(audit: AuditLog) -> None:
    audit.path.write_bytes(b"this is no database" * 100)
    with pytest.raises(AuditUnavailable, match=r"audit\.sqlite"):
        audit.record("ann", "view")
