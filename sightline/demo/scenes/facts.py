"""The truth behind a sentence: what it claims of a scene, and whether the scene bears it out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from sightline.demo.scenes.scenes import Dog, Light, Person, Place, Scene, Thing, Vehicle, Weather

ANY = "any"
"""Value of an attribute that must only be present: an umbrella of whatever colour."""


@dataclass(frozen=True, slots=True)
class ThingClaim:
    """A claim that something of ``kind`` is there, with these (attribute, value) pairs, at least
    ``count`` times.

    ``kind`` is "person", "dog", "vehicle" (any of them) or a vehicle's kind; a taxi is also a car.
    Attributes: top, trousers, action, hat, bag, umbrella (person); colour, lettering (vehicle);
    colour, action (dog).
    """

    kind: str
    attributes: tuple[tuple[str, str], ...] = ()
    count: int = 1

    def fits(self, thing: Thing) -> bool:
        """Whether one thing bears the claim out."""
        if isinstance(thing, Vehicle):
            kinds = {thing.kind, "vehicle"} | ({"car"} if thing.kind == "taxi" else set())
        else:
            kinds = {thing.kind}
        return self.kind in kinds and all(
            _has(thing, name, value) for name, value in self.attributes
        )


def _has(thing: Thing, name: str, value: str) -> bool:
    held: str | None
    if isinstance(thing, Person):
        held = {
            "top": thing.top,
            "trousers": thing.trousers,
            "action": thing.action,
            "hat": thing.hat,
            "bag": ANY if thing.bag else None,
            "umbrella": thing.umbrella,
        }.get(name)
    elif isinstance(thing, Vehicle):
        held = {"colour": thing.colour, "lettering": thing.lettering}.get(name)
    else:
        held = {"colour": thing.colour, "action": thing.action}.get(name)
    return held is not None and value in (ANY, held)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a sentence claims: things (each a different one), place, light, weather, or that
    nothing is there.

    The weather "snow" is borne out by falling snow and by the snow field alike: both are "in the
    snow".
    """

    things: tuple[ThingClaim, ...] = ()
    place: Place | None = None
    light: Light | None = None
    weather: Weather | None = None
    empty: bool = False

    def holds(self, scene: Scene) -> bool:
        """Whether every claim is true of the scene."""
        if self.empty and scene.things:
            return False
        if self.place is not None and scene.place != self.place:
            return False
        if self.light is not None and scene.light != self.light:
            return False
        weathers = {scene.weather, "snow"} if scene.place == "snow_field" else {scene.weather}
        if self.weather is not None and self.weather not in weathers:
            return False
        return self._assignable(scene.things)

    def _assignable(self, things: tuple[Thing, ...]) -> bool:
        """Whether each claim finds things of its own."""
        wanted = [claim for claim in self.things for _ in range(claim.count)]
        if len(wanted) > len(things):
            return False
        return any(
            all(claim.fits(thing) for claim, thing in zip(wanted, chosen, strict=True))
            for chosen in permutations(things, len(wanted))
        )


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text and what it claims."""

    text: str
    facts: Facts

    def holds(self, scene: Scene) -> bool:
        """Whether the sentence is true of the scene."""
        return self.facts.holds(scene)


def claim_of(thing: Thing, names: frozenset[str] | set[str]) -> ThingClaim:
    """The claim that this thing bears out, with those of the named attributes that it has."""
    found: list[tuple[str, str]] = []
    for name in ATTRIBUTES[type(thing)]:
        if name not in names:
            continue
        value = getattr(thing, name)
        if name == "bag":
            value = ANY if value else None
        if value is not None:
            found.append((name, str(value)))
    return ThingClaim(thing.kind, tuple(found))


ATTRIBUTES: dict[type[Thing], tuple[str, ...]] = {
    Person: ("top", "trousers", "action", "hat", "bag", "umbrella"),
    Vehicle: ("colour", "lettering"),
    Dog: ("colour", "action"),
}
