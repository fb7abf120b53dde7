"""What a grid shows: an entity with its number, and what a search says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.i18n.formatting import counted, local_time, plain, position, time_range, viewer_zone
from dashboard.i18n.gettext import _
from search_core.schema.entity import Box, MediaEntity
from search_core.schema.lettering import Line
from search_core.search.grouping import Moment
from search_core.search.pairs import Pair

#: How many of the hits that a card stands for are shown below its picture.
MOST_FOLDED = 4
#: And how many of the lines that were read.
MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of a grid, numbered from 1; what a search found has its ``moment``.

    One that ``is_pair`` shows both of the moment's hits: one thing, and then another.
    """

    number: int
    entity: MediaEntity
    moment: Moment | None = None
    is_pair: bool = False

    @property
    def then(self) -> MediaEntity | None:
        """The second picture of a pair, which came after the card's own."""
        return self.moment.hits[1].entity if self.is_pair and self.moment is not None else None

    @property
    def key(self) -> str:
        """What tells it from the others of a grid; one picture may be in several pairs."""
        return "-".join(entity.id for entity in (self.entity, self.then) if entity is not None)

    @property
    def entities(self) -> tuple[MediaEntity, ...]:
        """All pictures that it stands for, its own first."""
        if self.moment is None:
            return (self.entity,)
        return tuple(hit.entity for hit in self.moment.hits)

    @property
    def box(self) -> Box | None:
        """The region that its picture was found by, None for the whole of it."""
        return None if self.moment is None else self.moment.best.box

    @property
    def is_less_sure(self) -> bool:
        """Whether it stands below the line between matches and the rest."""
        shown = self.moment.hits[: 2 if self.is_pair else 1] if self.moment is not None else ()
        return any(hit.is_less_sure for hit in shown)


def cards_of_moments(moments: Sequence[Moment]) -> list[Card]:
    """Return moments as cards, in their order; the best hit of each is its picture."""
    return [
        Card(number, moment.best.entity, moment) for number, moment in enumerate(moments, start=1)
    ]


def cards_of_pairs(pairs: Sequence[Pair]) -> list[Card]:
    """Return pairs as cards of two pictures, in their order."""
    return [
        Card(pair.rank, pair.first.entity, Moment((pair.first, pair.second)), is_pair=True)
        for pair in pairs
    ]


def cards_of_entities(entities: Sequence[MediaEntity]) -> list[Card]:
    """Return entities as cards, in their order."""
    return [Card(number, entity) for number, entity in enumerate(entities, start=1)]


def card_text(card: Card) -> str:
    """Return a card's lines as Markdown: its camera, its time, its rank and how well it fits, the
    words that it was found by, its tags."""
    cameras = dict.fromkeys(entity.camera for entity in filter(None, (card.entity, card.then)))
    camera = " → ".join(plain(name) or _("no camera") for name in cameras)
    lines = [
        f"**{camera}**",
        f"{plain(_when(card))} :small[:gray[{plain(position(card.entity))}]]",
    ]
    if card.moment is not None:
        facts = " · ".join(filter(None, (str(card.number), folded_text(card))))
        lines.append(f":small[:gray[{plain(facts)}]]")
    if card.moment is not None and card.moment.best.lines:
        lines.append(_("read: {words}").format(words=words_read(card.moment.best.lines)))
    if card.entity.tags:
        lines.append(" ".join(f":gray-badge[{plain(tag)}]" for tag in card.entity.tags))
    return "  \n".join(lines)


def words_read(lines: Sequence[Line]) -> str:
    """Return lines that were read, as Markdown; a picture may have a great many."""
    shown = [f"**{plain(line.text)}**" for line in lines[:MOST_LINES]]
    more = ["…"] if len(lines) > MOST_LINES else []
    return " · ".join([*shown, *more])


def picture_name(card: Card) -> str:
    """Return what a card's picture is called where it is not seen: its camera and its time."""
    return _(", ").join((card.entity.camera or _("no camera"), _when(card)))


def then_name(entity: MediaEntity) -> str:
    """Return what the second picture of a pair is called where it is not seen."""
    when = local_time(entity.captured_at, viewer_zone())
    return _("Then: {what}").format(what=_(", ").join((entity.camera or _("no camera"), when)))


def folded_pictures(card: Card) -> dict[str, str]:
    """Return the thumbnails of a card's other hits and their times, the best of them by time."""
    if card.moment is None or card.is_pair:
        return {}
    others = sorted(card.moment.hits[1 : MOST_FOLDED + 1], key=lambda hit: hit.entity.captured_at)
    zone = viewer_zone()
    return {hit.entity.thumbnail: local_time(hit.entity.captured_at, zone) for hit in others}


def folded_text(card: Card) -> str:
    """Return how sure a card's match is and what it stands for besides its picture, or ""."""
    moment, parts = card.moment, []
    if moment is None:
        return ""
    if moment.best.strength is not None and moment.best.found_by != "read":
        text = _("weak, {share}") if moment.best.is_weak else _("match {share}")
        parts.append(text.format(share=f"{moment.best.strength:.0%}"))
    if card.is_pair:
        apart = _duration((moment.last_ms - moment.first_ms) / 1000)
        return _("{time} apart").format(time=apart)
    if len(moment.hits) > 1:
        time = _duration((moment.last_ms - moment.first_ms) / 1000)
        parts.append(_("{hits} in {time}").format(hits=counted(len(moment.hits), "hit"), time=time))
    if moment.alike:
        parts.append(_("{count} alike").format(count=f"{moment.alike:,}"))
    return _(", ").join(parts)


def _when(card: Card) -> str:
    if card.moment is None or len(card.moment.hits) == 1:
        when = local_time(card.entity.captured_at, viewer_zone())
    else:
        when = time_range(card.moment.first_ms, card.moment.last_ms)
    if card.entity.captured_from == "file":
        return _("{time} (file's time)").format(time=when)
    return when


def _duration(seconds: float) -> str:
    if seconds < 90:
        return _("{count} s").format(count=f"{seconds:.0f}")
    if seconds < 90 * 60:
        return _("{count} min").format(count=f"{seconds / 60:.0f}")
    return _("{count} h").format(count=f"{seconds / 3600:.1f}")
