"""What a grid shows: an entity with its number, and its score where something was searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.wording import local_time, plain, position, viewer_zone
from search_core.entities import MediaEntity
from search_core.search import Hit


@dataclass(frozen=True, slots=True)
class Card:
    """One entity of a grid, numbered from 1; ``score`` is None when nothing was searched for."""

    number: int
    entity: MediaEntity
    score: float | None = None


def cards_of_hits(hits: Sequence[Hit]) -> list[Card]:
    """Return a search's hits as cards."""
    return [Card(hit.rank, hit.entity, hit.score) for hit in hits]


def cards_of_entities(entities: Sequence[MediaEntity]) -> list[Card]:
    """Return entities as cards, in their order."""
    return [Card(number, entity) for number, entity in enumerate(entities, start=1)]


def card_text(card: Card) -> str:
    """Return a card's two lines as Markdown: which, how well, where; the position, and when."""
    camera = plain(card.entity.camera) or "no camera"
    score = "" if card.score is None else f"{card.score:.3f} · "
    when = plain(local_time(card.entity.captured_at, viewer_zone()))
    return (
        f"**{card.number}** · {score}{camera}  \n"
        f":small[:gray[{plain(position(card.entity))} · {when}]]"
    )
