"""The options several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from search_core.errors import UsageError
from search_core.schema.clocks import by_camera, check_moment, parse_duration, parse_offset
from search_core.schema.entity import ms_from_datetime
from search_core.schema.filters import Filter
from search_core.settings import Settings, load_settings
from search_core.store.library import Store
from sightline.cli.terminal import warn

S = TypeVar("S")
T = TypeVar("T")


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


def downloads_agreed(settings: Settings) -> Settings:
    """Return settings by which weights are downloaded without asking, unless they never are."""
    if settings.encoder.download == "never":
        return settings
    agreed = settings.encoder.model_copy(update={"download": "yes"})
    return settings.model_copy(update={"encoder": agreed})


def moment(text: str) -> datetime:
    """Read an ISO 8601 date or moment; one without a zone is local time."""
    try:
        written = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 moment such as 2026-11-20, 2026-11-20T14:30 "
            "or 2026-11-20T14:30:00Z."
        ) from None
    return _read(check_moment, written)


def finite(value: float | None) -> float | None:
    """Return a number that an option was given; refuse nan and inf."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def duration(text: str) -> timedelta:
    """Read a duration such as 30d or 12h."""
    return _read(parse_duration, text)


def of_cameras(written: list[str] | None, parse: Callable[[str], object]) -> tuple[str, ...]:
    """Return what was given as VALUE or CAMERA=VALUE, each value checked."""
    _read(lambda values: by_camera(values, parse), written or [])
    return tuple(written or ())


def _read(parse: Callable[[S], T], value: S) -> T:
    """Return a value of an option; a UsageError becomes one of the command line."""
    try:
        return parse(value)
    except UsageError as error:
        raise typer.BadParameter(f"{error.message} {error.hint}") from None


def shift(text: str) -> timedelta:
    """Read a signed duration such as +1h or -90s."""
    return _read(parse_offset, text)


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for other programs, and nothing else.")
]
NamePatternOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name-pattern",
        metavar="PATTERN",
        help="How files and the folders above them are named, where Sightline does not know the "
        "recorder: %camera/%Y-%m-%d_%H-%M-%S. %camera is the camera, %* any text, the rest as in "
        "strptime; utc: in front where the names are in UTC. May be repeated.",
    ),
]
RetainOption = Annotated[
    timedelta | None,
    typer.Option(
        "--retain",
        parser=duration,
        metavar="TIME",
        help="Remove its keyframes when they are older, such as 30d or 12h.",
    ),
]
LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="NAME",
        help="Which library; `main` unless SIGHTLINE_LIBRARY names another.",
    ),
]
TimezoneOption = Annotated[
    list[str] | None,
    typer.Option(
        "--timezone",
        metavar="[CAMERA=]ZONE",
        help="The zone of times written without one, such as Europe/Berlin or +02:00: that of "
        "every camera, or of one. Otherwise as the settings say, else this machine's.",
    ),
]
ClockOffsetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--clock-offset",
        metavar="[CAMERA=]OFFSET",
        help="What to add to the times of a clock that is wrong: +1h where it is an hour slow, "
        "-2m30s where it is fast.",
    ),
]
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="Which library; `main` unless SIGHTLINE_LIBRARY names another."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DownloadOption = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        help="Download the weights of an encoder without asking, where they are not here.",
    ),
]
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

IdFilter = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="This keyframe; give it again for several."),
]
OnlyLibraryOption = Annotated[
    str | None,
    typer.Option("--library", metavar="NAME", help="Only this library; all otherwise."),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Put this tag on all of it; may be repeated."),
]
RegionsOption = Annotated[
    str | None,
    typer.Option(
        "--regions",
        metavar="WHICH",
        help="Parts of pictures to embed as well, as for `sightline ingest`.",
    ),
]
UdpOption = Annotated[
    bool, typer.Option("--udp", help="Let the camera send over UDP; TCP loses nothing.")
]
LastOption = Annotated[
    timedelta,
    typer.Option("--last", parser=duration, metavar="TIME", help="How far back gaps are listed."),
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


def warn_of_unknown(store: Store, library: str, where: Filter) -> bool:
    """Warn of each camera, tag and id of a filter that no keyframe in a library has.

    Return whether there are any.
    """
    unknown = [
        what for what, alone in _conditions(where) if not store.count(library, alone, fresh=False)
    ]
    for what in unknown:
        warn(f"No keyframe in the library {library} {what}.")
    return bool(unknown)


def why_nothing_passes(store: Store, library: str, where: Filter) -> str:
    """Return what to say of a filter that no keyframe passes, with values that are all known."""
    period = Filter(after=where.after, before=where.before)
    if not period.is_empty and not store.count(library, period, fresh=False):
        ends = (("from", where.after), ("before", where.before))
        words = " and ".join(f"{word} {end.isoformat(' ')}" for word, end in ends if end)
        return f"No keyframe in the library {library} was captured {words}."
    return f"No keyframe in the library {library} passes these filters together."


def _conditions(where: Filter) -> Iterator[tuple[str, Filter]]:
    for camera in where.cameras:
        yield f"is of the camera {camera!r}", Filter(cameras=(camera,))
    for tag in where.tags:
        yield f"has the tag {tag!r}", Filter(tags=(tag,))
    for entity_id in where.ids:
        yield f"has the id {entity_id!r}", Filter(ids=(entity_id,))
