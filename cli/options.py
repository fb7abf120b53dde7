"""The options several commands share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from search_core.durations import parse_duration
from search_core.entities import ms_from_datetime
from search_core.errors import UsageError
from search_core.filters import Filter
from search_core.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What may be given before or after any command."""

    data_dir: Path | None = None
    model: str | None = None
    pretrained: str | None = None

    def settings(self, library: str | None = None) -> Settings:
        """Read the settings with these options over environment and files."""
        return load_settings(
            data_dir=self.data_dir, library=library, model=self.model, pretrained=self.pretrained
        )


def settings_of(ctx: typer.Context, library: str | None = None) -> Settings:
    """Return the settings a command runs with."""
    options = ctx.find_object(GlobalOptions)
    return (options or GlobalOptions()).settings(library)


def moment(text: str) -> datetime:
    """Read an ISO 8601 date or moment; one without a zone is local time."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 moment such as 2026-11-20, 2026-11-20T14:30 "
            "or 2026-11-20T14:30:00Z."
        ) from None


def finite(value: float | None) -> float | None:
    """Return a number that an option was given; refuse nan and inf."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def duration(text: str) -> timedelta:
    """Read a duration such as 30d or 12h."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error.message} {error.hint}") from None


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for other programs, and nothing else.")
]
RetainOption = Annotated[
    timedelta | None,
    typer.Option(
        "--retain",
        parser=duration,
        metavar="TIME",
        help="Remove its keyframes when they are older, such as 30d or 12h.",
        show_default=False,
    ),
]
LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="NAME",
        help="Which library; `main` unless SIGHTLINE_LIBRARY names another.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
CameraFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--camera", metavar="NAME", help="Only this camera; give it again for any of several."
    ),
]
AfterFilter = Annotated[
    datetime | None,
    typer.Option(
        "--after",
        parser=moment,
        metavar="ISO8601",
        help="Only what was captured at this moment or later (local time without a zone).",
    ),
]
BeforeFilter = Annotated[
    datetime | None,
    typer.Option(
        "--before", parser=moment, metavar="ISO8601", help="Only what was captured earlier."
    ),
]
TagFilter = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only what has this tag; again: all of several."),
]


def check_period(after: datetime | None, before: datetime | None) -> None:
    """Raise UsageError when no moment is both after and before."""
    if after is None or before is None or ms_from_datetime(after) < ms_from_datetime(before):
        return
    if ms_from_datetime(after) == ms_from_datetime(before):
        raise UsageError(
            f"Nothing is captured from {after.isoformat(' ')} on and earlier than that.",
            "--after includes its moment and --before does not: give a later --before.",
        )
    raise UsageError(
        f"--after {after.isoformat(' ')} is later than --before {before.isoformat(' ')}.",
        "Nothing lies between them; exchange the two.",
    )


def make_filter(
    camera: list[str] | None,
    after: datetime | None,
    before: datetime | None,
    tag: list[str] | None,
    ids: list[str] | None = None,
) -> Filter:
    """Return the filter these options mean; raises UsageError for a time with nothing in it."""
    check_period(after, before)
    return Filter(
        cameras=tuple(camera or ()),
        after=after,
        before=before,
        tags=tuple(tag or ()),
        ids=tuple(ids or ()),
    )
