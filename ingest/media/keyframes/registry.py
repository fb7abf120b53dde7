"""The names of the ways to choose keyframes, as they are typed."""

from __future__ import annotations

from ingest.media.keyframe_selector import KeyframeSelector
from ingest.media.keyframes.auto import Auto
from ingest.media.keyframes.distinct import LEAST_DISTANCE, MOST_DISTANCE, Distinct
from ingest.media.keyframes.iframe import CodecKeyframes
from ingest.media.keyframes.interval import LONGEST_S, SHORTEST_S, Interval
from ingest.media.keyframes.motion import LEAST_PERCENT, MOST_PERCENT, Motion
from ingest.media.keyframes.scene import LEAST_THRESHOLD, MOST_THRESHOLD, Scene
from search_core.errors import UsageError

_HINT = (
    "Use auto, iframe, interval:SECONDS such as interval:2 (0.001 to 86400), scene[:THRESHOLD] "
    "(1 to 255), or motion[:PERCENT] (0.04 to 50). Any of them may end in +distinct[:DISTANCE] "
    "(0.0001 to 0.5), which leaves near-duplicates out."
)


def parse_selector(text: str) -> KeyframeSelector:
    """Return the selector named by ``auto``, ``iframe``, ``interval:SECONDS`` and so on.

    Raises UsageError, with all the ways there are, for anything else.
    """
    way, plus, distinct = text.strip().lower().partition("+")
    found = _way(way)
    if found is not None and plus:
        found = _distinct(found, distinct)
    if found is None:
        raise UsageError("{text!r} is no way to choose keyframes.", _HINT, text=text)
    return found


def _distinct(way: KeyframeSelector, text: str) -> KeyframeSelector | None:
    if text == "distinct":
        return Distinct(way)
    name, _, argument = text.partition(":")
    number = _number(argument)
    if name == "distinct" and number is not None and LEAST_DISTANCE <= number <= MOST_DISTANCE:
        return Distinct(way, number)
    return None


def _way(text: str) -> KeyframeSelector | None:
    name, colon, argument = text.partition(":")
    if not colon:
        plain: dict[str, KeyframeSelector] = {
            "auto": Auto(),
            "iframe": CodecKeyframes(),
            "scene": Scene(),
            "motion": Motion(),
        }
        return plain.get(name)
    if (number := _number(argument)) is not None:
        if name == "interval" and SHORTEST_S <= number <= LONGEST_S:
            return Interval(round(number * 1000))
        if name == "scene" and LEAST_THRESHOLD <= number <= MOST_THRESHOLD:
            return Scene(number)
        if name == "motion" and LEAST_PERCENT <= number <= MOST_PERCENT:
            return Motion(number)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
