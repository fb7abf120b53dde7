"""Reading a sentence: which of its words are a filter, and what is left to look for.

A word is taken only where it cannot well mean anything else; all others stay, so that "may", "the
second car" or "a fall" are looked for. What is taken is returned with its words: whoever reads a
sentence shows them. What is in quotes, and what a sign or a shirt says, is never taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from search_core.messages import Message
from search_core.schema.filters import Filter, Hours
from search_core.search.query_text.calendar import Calendar
from search_core.search.query_text.cameras import after_a_time, may_name_camera, named_cameras
from search_core.search.query_text.candidate import Candidate
from search_core.search.query_text.chinese import Chinese
from search_core.search.query_text.english import English
from search_core.search.query_text.sequence import read_sequence

NO_FILTER = Filter()

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》")
#: What is written on something: after "says" the whole clause, after "lettered" a word and those
#: after it that begin with capitals or digits, in Chinese up to 的.
_WRITTEN = re.compile(
    r"\b(?:says?|saying|reads?|reading|with\s+the\s+words?)\b[^,，;；。]*"
    r"|\b(?:lettered|labell?ed|marked|named|called|titled|printed|logo)\s+\S+"
    r"(?-i:(?:\s+[A-Z0-9]\S*)*)"
    r"|(?:写着|写有|印着|印有|标有|名叫|名为)[^,，;；。的]*",
    re.IGNORECASE,
)
#: Right before a phrase these turn it into something else.
_TURNED = re.compile(
    r"(?:\b(?:not|never|no|except(?:\s+for)?|excluding|other\s+than|without|than|like|as|every|each|"
    r"an?|the|his|her|their|my|your|our|its|that|built|made|born|founded|established|black|good|"
    r"next|second|this|last)"
    r"|\w+n['’]t)\s+$|(?:不是|不在|除了|除|像|非|没有|每天?|每个?|天天)\s*$",
    re.IGNORECASE,
)
_DENIED = re.compile(r"(?:\b(?:not|never)|\w+n['’]t)\s+(?:\w+\s+){1,2}$", re.IGNORECASE)
#: A phrase that may belong to the word after it ends a clause before one of these.
_NEXT = re.compile(
    r"\s*(?:$|[,，.;；:：!！?？)）。、\"“]|(?:an?|the|some|any|no|two|three|four|five|several|many|someone|"
    r"somebody|people|person|at|in|on|near|by|with|without|from|to|and|or|but|then|while|when|who|"
    r"which|that|where|wearing|carrying|riding|driving|walking|running|before|after|between|during|"
    r"within|since|until|i|we)(?![\w'’-])|[\u3400-\u9fff])",
    re.IGNORECASE,
)
#: Phrases about times with only this between them say one thing together, which is not understood.
_JOINT = re.compile(r"\s*(?:,|and|or|&|,\s*(?:and|or)|和|或者?|与|、)\s*", re.IGNORECASE)
_MORE_TIMES = re.compile(
    r"\s*(?:,|and|or|&|和|或)\s*(?:at\s+)?\d{1,2}(?::\d\d)?\s*(?:[ap]\.?m\b|o.?clock|点)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Words of a sentence and the part of a filter that they say: a camera, a time, or hours."""

    words: str
    where: Filter

    @property
    def meaning(self) -> Message:
        """What the words were taken for, as people read it."""
        where = self.where
        if where.cameras:
            return Message("camera {name}", name=", ".join(where.cameras))
        if where.hours is not None:
            return _hours_in_words(where.hours)
        if where.after is not None and where.before is not None:
            return _time_in_words(where.after, where.before)
        if where.after is not None:
            return Message("since {moment}", moment=_moment(where.after))
        assert where.before is not None
        return Message("before {moment}", moment=_moment(where.before))


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence taken apart: the ``rest`` is to be looked for, the ``parts`` to be filtered by."""

    sentence: str
    rest: str
    parts: tuple[Part, ...] = ()

    @property
    def where(self) -> Filter:
        """All parts as one filter; with several cameras, any of them."""
        return combined(part.where for part in self.parts)


def read_sentence(
    sentence: str,
    now: datetime,
    zone: tzinfo,
    cameras: Callable[[], Sequence[str]] | Sequence[str] = (),
    *,
    beside: Filter = NO_FILTER,
    literal: Collection[str] = (),
) -> Reading:
    """Take the words about times and cameras out of a sentence, English or Chinese.

    ``now`` and ``zone`` are those of who asks. ``cameras`` are the names that a sentence may mean:
    a function is asked for them only where the sentence can name one. ``literal`` are phrases that
    stay words. What is found holds ``beside`` another filter: where that has hours of the day,
    those of the sentence stay words. Reading what is left finds nothing more.
    """
    calendar = Calendar(now, zone)
    kept = {_plain(words) for words in literal}
    names: Sequence[str] = () if callable(cameras) else cameras
    if callable(cameras) and may_name_camera(sentence):
        names = cameras()
    text, parts = sentence, list[Part]()
    while found := _taken(text, calendar, names, kept):
        parts += [Part(_tidy(text[one.start : one.end]), one.where or Filter()) for one in found]
        text = _without(text, found)
    if clash := _contradictory(parts, beside, read_sequence(text) is not None):
        stay = [*literal, *clash]
        other = read_sentence(sentence, now, zone, names, beside=beside, literal=stay)
        if not other.parts:
            return other
        # What was taken between words that clash may have been what kept them from being read.
        again = read_sentence(other.rest, now, zone, names, beside=beside, literal=literal)
        return Reading(sentence, sentence.strip()) if again.parts else other
    return Reading(sentence, text if parts else sentence.strip(), tuple(parts))


def combined(filters: Iterator[Filter]) -> Filter:
    """Return filters as one: any of their cameras, the time that is in all of them."""
    whole = Filter()
    for one in filters:
        after = [moment for moment in (whole.after, one.after) if moment is not None]
        before = [moment for moment in (whole.before, one.before) if moment is not None]
        whole = replace(
            whole,
            cameras=tuple(dict.fromkeys([*whole.cameras, *one.cameras])),
            after=max(after, default=None),
            before=min(before, default=None),
            hours=whole.hours or one.hours,
        )
    return whole


def _taken(
    text: str, calendar: Calendar, names: Sequence[str], literal: Collection[str]
) -> list[Candidate]:
    """Return the phrases of a text that are taken, in order."""
    times = [*English(text, calendar).candidates(), *Chinese(text, calendar).candidates()]
    places = [*named_cameras(text, names)]
    places += after_a_time(text, names, [one.end for one in times if one.where is not None])
    opaque = _opaque(text, literal)
    ordered = sorted([*times, *places], key=lambda one: (one.start, -one.end))
    starts = {one.start for one in ordered}
    kept: list[Candidate] = []
    until = 0
    for one in ordered:
        if one.start < until:
            continue
        until = one.end
        is_opaque = any(one.start < end and start < one.end for start, end in opaque)
        if is_opaque or one.where is None or _is_turned(text, one):
            kept.append(replace(one, where=None))
        elif one.soft and not _ends_clause(text, one, starts):
            until = one.start + 1  # something shorter may begin here or in it
        else:
            kept.append(one)
    return [one for one in _apart(text, kept) if one.where is not None]


def _apart(text: str, found: Sequence[Candidate]) -> list[Candidate]:
    """Return phrases, those not to be taken that are joined to another time."""
    kept = list(found)
    for place, one in enumerate(found):
        is_time = one.where is not None and not one.where.cameras
        if is_time and _MORE_TIMES.match(text, one.end):
            kept[place] = replace(one, where=None)
        if place == 0 or not _JOINT.fullmatch(text, found[place - 1].end, one.start):
            continue
        before = found[place - 1]
        are_cameras = all(each.where is None or each.where.cameras for each in (before, one))
        if not are_cameras and _says(before) == _says(one):
            kept[place - 1 : place + 1] = [replace(before, where=None), replace(one, where=None)]
    return kept


def _says(one: Candidate) -> str:
    """Return what a phrase is about."""
    if one.where is None:
        return "nothing"
    return "camera" if one.where.cameras else "hours" if one.where.hours else "time"


def _opaque(text: str, literal: Collection[str]) -> list[tuple[int, int]]:
    """Return the spans of a text in which nothing is read."""
    spans = [match.span() for pattern in (_QUOTED, _WRITTEN) for match in pattern.finditer(text)]
    for words in literal:
        pattern = r"\s*".join(re.escape(word) for word in words.split())
        if pattern:
            spans += [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return spans


def _is_turned(text: str, one: Candidate) -> bool:
    """Whether the words before a phrase make something else of it: "not yesterday"."""
    before = text[: one.start]
    return _TURNED.search(before) is not None or _DENIED.search(before) is not None


def _ends_clause(text: str, one: Candidate, starts: Collection[int]) -> bool:
    """Whether the word after a phrase does not go with it: "in the morning sun"."""
    following = re.compile(r"\s*").match(text, one.end)
    assert following is not None
    return following.end() in starts or _NEXT.match(text, one.end) is not None


def _contradictory(parts: Sequence[Part], beside: Filter, are_two: bool) -> list[str]:
    """Return the words of what cannot all be meant, or all be filtered by.

    Of two things one after the other (``are_two``) several cameras are each of one of them.
    """
    cameras = [part.words for part in parts if part.where.cameras]
    hours = [part.words for part in parts if part.where.hours is not None]
    times = [part for part in parts if part.where.after or part.where.before]
    whole = combined(part.where for part in times)
    is_empty = whole.after is not None and whole.before is not None and whole.after >= whole.before
    is_too_much = len(hours) + (beside.hours is not None) > 1
    hours = hours if is_too_much else []
    cameras = cameras if are_two and len(cameras) > 1 else []
    return [*cameras, *hours, *(part.words for part in times if is_empty)]


def _without(text: str, found: Sequence[Candidate]) -> str:
    """Return a text without phrases, its blanks and commas in order."""
    pieces, at = [], 0
    for one in found:
        pieces.append(text[at : one.start])
        at = one.end
    pieces.append(text[at:])
    joined = " ".join(pieces)
    joined = re.sub(r"\s+([,，.;；。、?？!！])", r"\1", re.sub(r"\s+", " ", joined))
    joined = re.sub(r"([,，;；、])(?:\s*[,，;；、])+", r"\1", joined)
    return joined.strip(" ,，;；、。.")


def _tidy(words: str) -> str:
    return " ".join(words.split()).strip(" ,，")


def _plain(words: str) -> str:
    return " ".join(words.split()).casefold()


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _time_in_words(after: datetime, before: datetime) -> Message:
    """Return a time as its days where it is whole days, as its day and hours within one."""
    is_days = (after.hour, after.minute, before.hour, before.minute) == (0, 0, 0, 0)
    if is_days:
        last = before.date().toordinal() - 1
        first = f"{after:%Y-%m-%d}"
        if last == after.date().toordinal():
            return Message("{day}, all day", day=first)
        until = f"{after.date().fromordinal(last):%Y-%m-%d}"
        return Message("{first} to {last}", first=first, last=until)
    is_one = after.date() == before.date()
    until = f"{before:%H:%M}" if is_one else _moment(before)
    return Message("{first} to {last}", first=_moment(after), last=until)


def _hours_in_words(hours: Hours) -> Message:
    minutes = hours.start_minute, hours.end_minute or 1440
    start, end = (f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes)
    return Message("daily {start} to {end}", start=start, end=end)
