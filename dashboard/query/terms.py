"""What a session is looking for: the sentence, the picture or the stored pictures to find more
like, the region of it, and what is to be left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.components.image_input import Box, QueryPicture, box_from_text, box_to_text
from search_core.search.lettering import split_quoted
from search_core.search.query_text.reader import Reading

MAX_CHARACTERS = 1000
SENTENCE = "q"
WITHOUT = "without"
#: Stored pictures, by their ids: to find more like them, to rank what is like them lower, and to
#: leave out what is.
LIKE, LESS_LIKE, NOT_LIKE = "like", "less_like", "not_like"
#: How many of each; the address carries them.
MOST_PICTURES = 30
#: Phrases of the sentence that stay words, and the sentence as it was read last.
AS_WORDS, READ = "words", "sentence_read"
PICTURE = "picture"
REGION = "region"
#: Which page of the results is shown.
PAGE = "page"
#: The time that was gone to among the newest pictures.
AT = "at"
MOST_LEFT_OUT = 8
_HELD = "held_picture"
_KEPT = "held_picture_is_kept"
_WAS_NAMED = "held_picture_was_named"
_ELSEWHERE = "another_page_was_shown"
_LAST = "last_searched_by"
_UPLOADS = "picture_uploads"
_WITHOUT = re.compile(r"(?:^|\s+)(?:but\s+)?(?:without|with no|but no|but not)\s+", re.IGNORECASE)
_OR = re.compile(r"\s*,\s*(?:or\s+)?|\s+(?:or|nor)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as people say it, taken apart: what is wanted, what is to be left out."""

    wanted: str
    unwanted: tuple[str, ...] = ()


def said(text: str) -> Said:
    """Take apart “a person without a hat or an umbrella”: encoders hear the hat, not the without.

    A sentence that begins with what is to be left out wants nothing. What stands in quotation
    marks is wanted as it is: it has to be read on what is found.
    """
    sentence, quoted = split_quoted(text)
    first, *rest = _WITHOUT.split(sentence)
    unwanted = [part.strip(" .") for clause in rest for part in _OR.split(clause)]
    wanted = " ".join([first, *(f"“{words}”" for words in quoted)]).strip()
    return Said(wanted, tuple(part for part in unwanted if part))


def typed() -> str:
    """Return the sentence in the box as it is; no encoder reads more than its beginning."""
    return str(st.session_state.get(SENTENCE) or "")[:MAX_CHARACTERS]


def sentence() -> Said:
    """Return the sentence in the box without what it was read as: times and cameras."""
    read: Reading | None = st.session_state.get(READ)
    text = typed()
    return said(read.rest if read is not None and read.sentence == text else text)


def left_out() -> tuple[str, ...]:
    """Return all that is to be left out, from the sentence and from the list, each once."""
    listed = [str(text).strip() for text in st.session_state.get(WITHOUT) or ()]
    every = dict.fromkeys([*sentence().unwanted, *filter(None, listed)])
    return tuple(text[:MAX_CHARACTERS] for text in every)[:MOST_LEFT_OUT]


def picture() -> QueryPicture | None:
    """Return the picture to search by, however it came."""
    found: QueryPicture | None = st.session_state.get(_HELD)
    return found


def named_picture() -> str:
    """Return what the address calls the picture to search by, "" for none."""
    return st.query_params.get(PICTURE, "")


def leave() -> None:
    """Note that another page is shown: coming back from it, the address says less."""
    st.session_state[_ELSEWHERE] = True


def come_back() -> None:
    """Search by what was searched by before another page was shown, or what the address says."""
    names = (PICTURE, LIKE, LESS_LIKE, NOT_LIKE, REGION, AT, AS_WORDS)
    if st.session_state.pop(_ELSEWHERE, False) and not any(map(st.query_params.get, names)):
        st.query_params.update(st.session_state.get(_LAST, {}))
    st.session_state[_LAST] = {
        name: st.query_params.get_all(name) for name in names if name in st.query_params
    }


def follow_address() -> None:
    """Hold no picture any more that the address named and does not name now."""
    if named_picture():
        st.session_state[_WAS_NAMED] = True
    elif st.session_state.get(_WAS_NAMED):
        let_go_of_picture()
    elif st.session_state.get(_KEPT):
        _name_picture()  # the browser asked for this before it heard of the name


def like() -> tuple[str, ...]:
    """Return the ids of the stored pictures to find more like; they are in the address."""
    return _stored(LIKE)


def less_like() -> tuple[str, ...]:
    """Return the ids of the stored pictures that what is found is to be less like."""
    return _stored(LESS_LIKE)


def not_like() -> tuple[str, ...]:
    """Return the ids of the stored pictures that are left out, with what looks like them."""
    return _stored(NOT_LIKE)


def region() -> Box | None:
    """Return the part of the picture or the one stored picture to search by, None for all of it."""
    if picture() is None and len(like()) != 1:
        return None
    return box_from_text(st.query_params.get(REGION, ""))


def _stored(name: str) -> tuple[str, ...]:
    found = dict.fromkeys(filter(None, st.query_params.get_all(name)))
    return tuple(found)[:MOST_PICTURES]


def look_for(text: str) -> None:
    """Put a sentence into the box in place of everything else."""
    st.session_state[SENTENCE] = text
    st.query_params.pop(AS_WORDS, None)
    if WITHOUT in st.session_state:
        st.session_state[WITHOUT] = []
    remove_picture()
    for name in (LIKE, LESS_LIKE, NOT_LIKE):
        stop_looking_like(name)
    _begin_at_first_page()


def look_for_more_like(*ids: str, part: Box | None = None) -> None:
    """Search by stored pictures, or a part of the one, in place of everything else."""
    look_for("")
    st.query_params[LIKE] = list(ids)
    set_region(part)


def look_for_less_like(name: str, ids: Sequence[str]) -> None:
    """Look for the same and less like stored pictures, or without what looks like them.

    ``name`` says which: LESS_LIKE or NOT_LIKE.
    """
    every = dict.fromkeys([*ids, *_stored(name)])
    st.query_params[name] = list(every)[:MOST_PICTURES]
    _begin_at_first_page()


def stop_looking_like(name: str = LIKE) -> None:
    """Search without the stored pictures of a name: LIKE, LESS_LIKE or NOT_LIKE."""
    st.query_params.pop(name, None)
    if name == LIKE:
        set_region(None)


def _begin_at_first_page() -> None:
    """Show the first page of what is found, though the address that changes names another."""
    if PAGE in st.session_state:
        st.session_state[PAGE] = 1


def set_region(part: Box | None) -> None:
    """Search by a part of the picture, None for all of it."""
    if part is None:
        st.query_params.pop(REGION, None)
    else:
        st.query_params[REGION] = box_to_text(part)


def set_picture(found: QueryPicture, *, kept: bool, uploaded: bool = False) -> None:
    """Search by a picture that just came; one entity at a time is looked for.

    ``kept`` says that a link can carry it. The uploader is emptied unless it came from there.
    """
    if not uploaded:
        remove_picture()
    _hold(found, kept)
    stop_looking_like()


def set_linked_picture(found: QueryPicture) -> None:
    """Search by the picture that the address names, with the region it has there."""
    let_go_of_picture()
    _hold(found, kept=True)
    follow_address()
    st.query_params.pop(LIKE, None)


def remove_picture() -> None:
    """Search without the picture, the uploader empty again."""
    if picture() is not None or named_picture():
        set_region(None)
    let_go_of_picture()
    st.query_params.pop(PICTURE, None)


def let_go_of_picture() -> None:
    """Hold no picture, whatever the address names; the uploader is empty again."""
    st.session_state.pop(_HELD, None)
    st.session_state[_UPLOADS] = uploader_number() + 1


def _hold(found: QueryPicture, kept: bool) -> None:
    st.session_state[_HELD] = found
    st.session_state[_KEPT] = kept
    st.session_state[_WAS_NAMED] = False
    _name_picture()


def _name_picture() -> None:
    """Let the address name the picture searched by, where it is kept for links to find it."""
    found = picture()
    if found is None or not st.session_state.get(_KEPT):
        st.query_params.pop(PICTURE, None)
    elif named_picture() != found.digest:
        st.query_params[PICTURE] = found.digest


def uploader_number() -> int:
    """Return a number that changes when the uploader must be empty again."""
    return int(st.session_state.get(_UPLOADS, 0))
