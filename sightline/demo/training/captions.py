"""The grammar: claims about a scene put into varied English, and captions drawn from what a scene
holds.

Every caption is a :class:`~..scenes.facts.Sentence`: its text comes with the claims it makes, and
the claims are taken from the scene, so a caption never speaks of what is absent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from sightline.demo.scenes.facts import ANY, ATTRIBUTES, Facts, Sentence, ThingClaim, claim_of
from sightline.demo.scenes.scenes import Scene, Thing, Weather
from sightline.demo.training.chinese import chinese_words, written
from sightline.demo.training.words import (
    ACTIONS,
    BAGS,
    DOG_ACTIONS,
    EMPTY_PLACES,
    HATS,
    LETTERED,
    LIGHTS,
    NOUNS,
    NUMBERS,
    OPENINGS,
    PLACES,
    PLURALS,
    TOPS,
    TROUSERS,
    WEATHERS,
)

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_ARTICLE = re.compile(r"\b(?:a|an|the) ")


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _clothing(rng: np.random.Generator, has: dict[str, str]) -> str:
    top, trousers = has.get("top"), has.get("trousers")
    parts: list[str] = []
    draw = rng.random()
    if top and not trousers and draw < 0.18:
        return f"in {top}" if draw < 0.13 else f"dressed in {top}"
    if top:
        parts.append(_article(f"{top} {_one(rng, TOPS)}"))
    if trousers:
        parts.append(f"{trousers} {_one(rng, TROUSERS)}")
    if not parts:
        return ""
    return f"{_one(rng, ('in', 'in', 'in', 'wearing', 'wearing', 'with'))} {' and '.join(parts)}"


def _person(rng: np.random.Generator, has: dict[str, str], noun: str) -> str:
    action = has.get("action")
    tail: list[str] = []
    doing = ""
    if action == "bicycle" and noun not in ("people",) and rng.random() < 0.15:
        noun = "cyclist"
    elif action == "motorcycle" and noun not in ("people",) and rng.random() < 0.12:
        noun = "motorcyclist"
    elif (
        action in ("running", "walking", "standing", "fallen")
        and noun not in ("someone",)
        and rng.random() < 0.1
    ):
        noun = f"{action} {noun}"
    elif action:
        doing = _one(rng, ACTIONS[action])
        if noun == "people":
            doing = doing.replace("who is ", "").replace("who has ", "who have ")
    clothing = _clothing(rng, has)
    pieces = [clothing, doing] if rng.random() < 0.8 or not doing else [doing, clothing]
    if hat := has.get("hat"):
        word = _one(rng, HATS)
        worn = _article(word if hat == ANY else f"{hat} {word}")
        tail.append(f"{_one(rng, ('wearing', 'with', 'in'))} {worn}")
    if "bag" in has:
        tail.append(_one(rng, BAGS))
    if umbrella := has.get("umbrella"):
        word = "umbrella" if umbrella == ANY else f"{umbrella} umbrella"
        tail.append(f"{_one(rng, ('with', 'holding', 'under', 'carrying'))} {_article(word)}")
    return " ".join(piece for piece in (noun, *pieces, *tail) if piece)


def _vehicle(rng: np.random.Generator, has: dict[str, str], noun: str) -> str:
    colour, word = has.get("colour"), has.get("lettering")
    if word and rng.random() < 0.12:
        noun, word = f"{word} {noun}", None
    text = f"{colour} {noun}" if colour else noun
    return f"{text} {_one(rng, LETTERED).format(word)}" if word else text


def say_thing(rng: np.random.Generator, claim: ThingClaim) -> str:
    """One claim as a noun phrase with its article or number."""
    has = dict(claim.attributes)
    noun = _one(rng, NOUNS[claim.kind])
    if claim.count > 1:
        noun = PLURALS.get(noun, noun + "s")
    if claim.kind == "person":
        text = _person(rng, has, noun)
    elif claim.kind == "dog":
        text = f"{has['colour']} {noun}" if "colour" in has else noun
        if "action" in has:
            doing = _one(rng, DOG_ACTIONS[has["action"]])
            text = (
                f"{doing} {text}" if " " not in doing and rng.random() < 0.2 else f"{text} {doing}"
            )
    else:
        text = _vehicle(rng, has, noun)
    if claim.count > 1:
        return f"{_one(rng, NUMBERS[claim.count])} {text}"
    return text if text.startswith("someone") else _article(text)


def plain_phrase(claim: ThingClaim) -> str:
    """The claim in the grammar's plainest words, always the same: "a white lorry lettered JCN"."""
    has = dict(claim.attributes)
    worn = [f"{has['top']} top"] if "top" in has else []
    worn += [f"{has['trousers']} trousers"] if "trousers" in has else []
    first = [has["colour"]] if "colour" in has else []
    parts = [*first, NOUNS[claim.kind][0]]
    if worn:
        parts.append("in " + " and ".join([_article(worn[0]), *worn[1:]]))
    if "action" in has:
        parts.append((DOG_ACTIONS if claim.kind == "dog" else ACTIONS)[has["action"]][0])
    if "lettering" in has:
        parts.append(LETTERED[0].format(has["lettering"]))
    if "hat" in has:
        parts.append(f"with {_article('hat' if has['hat'] == ANY else has['hat'] + ' hat')}")
    if "bag" in has:
        parts.append(BAGS[0])
    if "umbrella" in has:
        colour = "" if has["umbrella"] == ANY else has["umbrella"] + " "
        parts.append(f"with {_article(colour + 'umbrella')}")
    return _article(" ".join(parts))


def say(
    rng: np.random.Generator, facts: Facts, *, plain: bool = False, language: Language = "en"
) -> Sentence:
    """The claims as one sentence; ``plain`` keeps its articles and leaves out openings such as "a
    photo of".
    """
    if language == "zh":
        return Sentence(written(rng, chinese_words(rng, facts, plain=plain)), facts)
    where = [_one(rng, PLACES[facts.place])] if facts.place and not facts.empty else []
    if facts.weather and facts.weather != "clear":
        where.append(_one(rng, WEATHERS[facts.weather]))
    if facts.light:
        where.append(_one(rng, LIGHTS[facts.light]))
    if facts.empty:
        if facts.place and rng.random() < 0.7:
            text = f"{_one(rng, ('an empty', 'a deserted'))} {_one(rng, EMPTY_PLACES[facts.place])}"
        else:
            text = _one(rng, ("nobody", "nothing", "no one"))
            where = ([_one(rng, PLACES[facts.place])] if facts.place else []) + where
    else:
        things = [say_thing(rng, claim) for claim in facts.things]
        text = _one(rng, (" and ", " and ", " with ", " next to ", ", ")).join(things)
    text = " ".join([text, *where])
    if not plain:
        if rng.random() < 0.2 and not facts.empty:
            text = _one(rng, OPENINGS) + text
        if rng.random() < 0.2:
            text = _ARTICLE.sub("", text)
    return Sentence(text, facts)


_CHANCES = {
    "top": 0.75,
    "trousers": 0.18,
    "action": 0.62,
    "hat": 0.35,
    "bag": 0.35,
    "umbrella": 0.55,
    "lettering": 0.65,
    "colour": 0.75,
}


def _claim(
    rng: np.random.Generator, thing: Thing, must: str | None, alone: bool, told: frozenset[str]
) -> ThingClaim:
    names = (
        set()
        if alone
        else {name for name in ATTRIBUTES[type(thing)] if rng.random() < _CHANCES[name]} & told
    )
    if must:
        names.add(must)
    claim = claim_of(thing, names)
    spare = [pair for pair in claim.attributes if pair[0] != must]
    while len(claim.attributes) > 3 and spare:
        gone = spare.pop(int(rng.integers(len(spare))))
        claim = ThingClaim(claim.kind, tuple(pair for pair in claim.attributes if pair != gone))
    vague = tuple(
        (
            name,
            ANY if name in ("hat", "umbrella") and name != must and rng.random() < 0.3 else value,
        )
        for name, value in claim.attributes
    )
    kind = claim.kind
    if (
        kind in ("car", "taxi", "van", "pickup", "bus", "lorry")
        and must is None
        and rng.random() < 0.04
    ):
        kind = "vehicle"
    return ThingClaim(kind, vague)


def _counted(
    rng: np.random.Generator, scene: Scene, told: Sequence[frozenset[str]]
) -> ThingClaim | None:
    """A claim about several things of one kind, with an attribute they share, if the scene has
    such.
    """
    for kind in ("dog", "person", *NOUNS):
        same = [place for place, thing in enumerate(scene.things) if thing.kind == kind]
        if len(same) < 2:
            continue
        names = {"colour", "action", "top"}.intersection(*(told[place] for place in same))
        shared: list[tuple[str, str]] = []
        for name, value in claim_of(scene.things[same[0]], names).attributes:
            if (
                all(
                    (name, value) in claim_of(scene.things[place], {name}).attributes
                    for place in same
                )
                and rng.random() < 0.6
            ):
                shared.append((name, value))
        return ThingClaim(kind, tuple(shared), len(same))
    return None


_EVERYTHING = frozenset(_CHANCES)


def caption(
    rng: np.random.Generator,
    scene: Scene,
    focus: tuple[int, str] | None = None,
    *,
    alone: bool = False,
    language: Language = "en",
) -> Sentence:
    """A sentence true of the scene, drawn at random; the arguments are those of :func:`facts`."""
    return say(rng, facts(rng, scene, focus, alone=alone), language=language)


def facts(
    rng: np.random.Generator,
    scene: Scene,
    focus: tuple[int, str] | None = None,
    *,
    alone: bool = False,
    told: Sequence[frozenset[str]] | None = None,
    is_part: bool = False,
) -> Facts:
    """Claims that are true of the scene, drawn at random.

    ``focus`` is (index of a thing or -1 for the scene, attribute): what must be mentioned where it
    can be, so that sibling scenes are told apart; ``alone``, nothing else of any thing is. ``told``
    are the attributes of each thing that may be; a small part of a scene (``is_part``) does not
    tell the place.
    """
    index, must = focus if focus is not None else (-2, "")
    told = [_EVERYTHING] * len(scene.things) if told is None else told
    place = scene.place if rng.random() < (0.25 if scene.things else 0.9) else None
    place = None if is_part else place
    weather: Weather | None = None
    if scene.weather != "clear" or scene.place == "snow_field":
        spoken: Weather = "snow" if scene.place == "snow_field" else scene.weather
        weather = spoken if must == "weather" or rng.random() < 0.3 else None
    chance = {"day": 0.07, "dusk": 0.2, "night": 0.28}[scene.light]
    light = (
        scene.light
        if scene.place != "shop_aisle" and (must == "light" or rng.random() < chance)
        else None
    )
    if not scene.things:
        return Facts((), place, light, weather, empty=True)
    if index < 0 and rng.random() < 0.45:
        counted = _counted(rng, scene, told)
        if counted is not None:
            return Facts((counted,), place, light, weather)
    order = [int(i) for i in rng.permutation(len(scene.things))]
    if index >= 0:
        order.remove(index)
        order.insert(0, index)
    count = 1 if alone or rng.random() < 0.6 else min(2, len(order))
    claims = [
        _claim(rng, scene.things[i], must if i == index else None, alone, told[i])
        for i in order[:count]
    ]
    if rng.random() < 0.5:
        claims.reverse()
    return Facts(tuple(claims), place, light, weather)
