"""Capture times in the names of files and folders."""

from __future__ import annotations

from datetime import UTC, datetime, time

from ingest.media.capture_time.claims import TimeClaim
from ingest.media.capture_time.formats import is_believable
from ingest.sources.names import NameReading


def name_claims(reading: NameReading | None) -> tuple[TimeClaim, ...]:
    """Return the time or the day a name gives; nothing where it leaves it open which."""
    if reading is None:
        return ()
    if reading.local is not None:
        moment = reading.local.replace(tzinfo=UTC) if reading.utc else reading.local
    elif reading.day is not None:
        moment = datetime.combine(reading.day, time())
    else:
        return ()
    if not is_believable(moment):
        return ()
    return (TimeClaim("name", moment, day_only=reading.local is None),)
