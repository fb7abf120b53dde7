"""`sightline searches`: saved searches, which `sightline search` and the dashboard share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.access.roles import LOCAL
from search_core.errors import UsageError
from search_core.schema.filters import Filter, Hours
from search_core.search.engine import DEFAULT_K
from search_core.search.saved_searches import SavedSearch, SavedSearches
from search_core.settings import Settings
from search_core.system.machine import local_zone
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.terminal import local_time, note, print_json, say, table

if TYPE_CHECKING:
    from search_core.schema.entity import MediaType

app = typer.Typer(name="searches", help="List and delete the saved searches.", no_args_is_help=True)
UserOption = Annotated[
    str,
    typer.Option("--user", metavar="NAME", help="Whose; where there is a login, a user's name."),
]
SavedNameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The saved search.")]
#: What the page Search can choose for these; an address with another value asks before it searches.
_HITS = (20, 50, 100, 200, 500)
_KINDS: dict[str, MediaType] = {"Video": "frame", "Photos": "image"}


@app.command("list")
def list_(ctx: typer.Context, user: UserOption = LOCAL.name, json: JsonOption = False) -> None:
    """List saved searches, each with its link: put it after the dashboard's address."""
    with _saved(settings_of(ctx)) as searches:
        found = searches.of(user)
    if json:
        print_json(
            [{"name": one.name, "library": one.library, "link": _link(one)} for one in found]
        )
        return
    if not found:
        note("No search is saved. `sightline search SENTENCE --save NAME` saves one.")
        return
    made = table("Name", "Library", "Saved", "Link", fold=("Name", "Link"))
    for one in found:
        made.add_row(one.name, one.library, local_time(one.saved_ms), _link(one))
    say(made)


@app.command("delete")
def delete(ctx: typer.Context, name: SavedNameArgument, user: UserOption = LOCAL.name) -> None:
    """Delete a saved search; nothing of the library is deleted."""
    with _saved(settings_of(ctx)) as searches:
        searches.delete(user, name)
    say(f"The saved search {name} is deleted.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search of words looks for, as the command's options and a page's address say it."""

    sentence: str
    where: Filter
    without: tuple[str, ...] = ()
    k: int = DEFAULT_K
    min_score: float | None = None
    literal: tuple[str, ...] = ()


def save(settings: Settings, name: str, wanted: Wanted) -> SavedSearch:
    """Save a search as the page Search has it in its address."""
    where = wanted.where
    address: dict[str, Sequence[str]] = {
        "q": [wanted.sentence],
        "words": wanted.literal,
        "camera": where.cameras,
        "tag": where.tags,
        "without": wanted.without,
        "after": _written(where.after),
        "before": _written(where.before),
        "k": [str(wanted.k)] if wanted.k in _HITS and wanted.k != DEFAULT_K else [],
        "min_score": [] if wanted.min_score is None else [str(wanted.min_score)],
    }
    with _saved(settings) as searches:
        return searches.save(LOCAL.name, name, settings.library, address)


def read(settings: Settings, name: str) -> tuple[str, Wanted]:
    """Return a saved search's library and what it looks for; raises UsageError."""
    with _saved(settings) as searches:
        saved = searches.get(LOCAL.name, name)
    address = saved.address
    beyond = {"picture", "like", "less_like", "not_like"} & set(address)
    if beyond or not address.get("q"):
        raise UsageError(
            f"The saved search {name} looks for more than a sentence.",
            f"Open its link in the dashboard: {_link(saved)}",
        )
    first = {key: values[0] for key, values in address.items()}
    where = Filter(
        cameras=tuple(address.get("camera", ())),
        after=_moment(first.get("after")),
        before=_moment(first.get("before")),
        tags=tuple(address.get("tag", ())),
        media_type=_KINDS.get(first.get("type", "")),
        hours=_hours(first.get("hour_from"), first.get("hour_until")),
    )
    least = float(first["min_score"]) if "min_score" in first else None
    wanted = Wanted(
        first["q"],
        where,
        tuple(address.get("without", ())),
        int(first.get("k", DEFAULT_K)),
        least,
        tuple(address.get("words", ())),
    )
    return saved.library, wanted


def _link(saved: SavedSearch) -> str:
    return f"/?{saved.query}"


def _written(moment: datetime | None) -> list[str]:
    """Return a moment as the page has it: local time, to the minute."""
    if moment is None:
        return []
    return [moment.astimezone(local_zone()).replace(tzinfo=None).isoformat(timespec="minutes")]


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written).replace(tzinfo=local_zone()) if written else None


def _hours(start: str | None, end: str | None) -> Hours | None:
    if start is None and end is None:
        return None
    first, last = (time.fromisoformat(text or "00:00") for text in (start, end))
    minutes = (first.hour * 60 + first.minute, last.hour * 60 + last.minute)
    return Hours(*minutes, getattr(local_zone(), "key", "UTC"))


@contextmanager
def _saved(settings: Settings) -> Iterator[SavedSearches]:
    with closing(SavedSearches(settings.saved_searches_path)) as searches:
        yield searches
