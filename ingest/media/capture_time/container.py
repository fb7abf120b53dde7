"""Capture times in the metadata of video containers and their streams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ingest.media.capture_time.claims import TimeClaim
from ingest.media.capture_time.formats import is_believable, read_written

#: Tags in the order in which they are believed. Apple's carries the zone the camera was in;
#: DATE_RECORDED is when recording began, while creation_time may be when the file was remuxed.
_KEYS = (
    "com.apple.quicktime.creationdate",
    "date_recorded",
    "datetimeoriginal",
    "date_time_original",
    "creation_time",
    "creationdate",
    "creation_date",
    "idit",
    "date",
    "icrd",
    "date_digitized",
)
#: Matroska's tags end in the language they are written in.
_LANGUAGE = re.compile(r"-[a-z]{3}$")


def container_claims(tags: Iterable[Mapping[str, str]]) -> tuple[TimeClaim, ...]:
    """Return the time a container gives, and the day where a better tag gives no more than that.

    ``tags`` are the container's own, then those of its streams.
    """
    levels = [
        {_LANGUAGE.sub("", key.lower()): text for key, text in level.items()} for level in tags
    ]
    found = list(_believable(levels))
    timed = next((claim for claim in found if not claim.day_only), None)
    day = next((claim for claim in found if claim.day_only), None)
    return tuple(claim for claim in (timed, day) if claim is not None)


def _believable(levels: list[dict[str, str]]) -> Iterator[TimeClaim]:
    for key in _KEYS:
        for level in levels:
            written = read_written(level.get(key))
            if written is not None and is_believable(written.moment):
                yield TimeClaim("container", written.moment, written.day_only)
