"""What a session is looking for: the sentence, the picture or the entity to find more like, the
region of it, and what is to be left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import streamlit as st

from dashboard.query_image import Box, QueryPicture, box_from_text, box_to_text

MAX_CHARACTERS = 1000
SENTENCE = "q"
WITHOUT = "without"
LIKE = "like"
REGION = "region"
MOST_LEFT_OUT = 8
_PICTURE = "picture"
_UPLOADS = "picture_uploads"
_FROM = "picture_from_uploader"
_WITHOUT = re.compile(r"\s+(?:but\s+)?(?:without|with no|but no|but not)\s+", re.IGNORECASE)
_OR = re.compile(r"\s*,\s*(?:or\s+)?|\s+(?:or|nor)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as people say it, taken apart: what is wanted, what is to be left out."""

    wanted: str
    unwanted: tuple[str, ...] = ()


def said(text: str) -> Said:
    """Take apart “a person without a hat or an umbrella”: encoders hear the hat, not the without.

    A sentence that begins with what is to be left out wants nothing, and stays as it is.
    """
    first, *rest = _WITHOUT.split(text.strip())
    if not first:
        return Said(text.strip())
    unwanted = [part.strip(" .") for clause in rest for part in _OR.split(clause)]
    return Said(first, tuple(part for part in unwanted if part))


def sentence() -> Said:
    """Return the sentence in the box; no encoder reads more than its beginning."""
    return said(str(st.session_state.get(SENTENCE) or "")[:MAX_CHARACTERS])


def left_out() -> tuple[str, ...]:
    """Return all that is to be left out, from the sentence and from the list, each once."""
    listed = [str(text).strip() for text in st.session_state.get(WITHOUT) or ()]
    every = dict.fromkeys([*sentence().unwanted, *filter(None, listed)])
    return tuple(text[:MAX_CHARACTERS] for text in every)[:MOST_LEFT_OUT]


def picture() -> QueryPicture | None:
    """Return the uploaded picture."""
    found: QueryPicture | None = st.session_state.get(_PICTURE)
    return found


def like() -> str:
    """Return the id of the entity to find more like, "" for none; it is in the address."""
    return st.query_params.get(LIKE, "")


def region() -> Box | None:
    """Return the part of the picture or the entity to search by, None for all of it."""
    return box_from_text(st.query_params.get(REGION, ""))


def look_for(text: str) -> None:
    """Put a sentence into the box in place of everything else."""
    st.session_state[SENTENCE] = text
    if WITHOUT in st.session_state:
        st.session_state[WITHOUT] = []
    remove_picture()
    stop_looking_like()


def look_for_more_like(entity_id: str, part: Box | None = None) -> None:
    """Search by a stored entity, or a part of it, in place of everything else."""
    look_for("")
    st.query_params[LIKE] = entity_id
    set_region(part)


def stop_looking_like() -> None:
    """Search without the stored entity."""
    st.query_params.pop(LIKE, None)
    set_region(None)


def set_region(part: Box | None) -> None:
    """Search by a part of the picture, None for all of it."""
    if part is None:
        st.query_params.pop(REGION, None)
    else:
        st.query_params[REGION] = box_to_text(part)


def set_picture(found: QueryPicture) -> None:
    """Search by an uploaded picture; one entity at a time is looked for."""
    st.session_state[_PICTURE] = found
    st.session_state[_FROM] = uploader_number()
    stop_looking_like()


def set_pasted_picture(found: QueryPicture) -> None:
    """Search by a picture that came without the uploader, which is emptied."""
    remove_picture()
    st.session_state[_PICTURE] = found
    st.session_state[_FROM] = -1
    stop_looking_like()


def remove_picture() -> None:
    """Search without the uploaded picture, its uploader empty again."""
    if st.session_state.pop(_PICTURE, None) is not None:
        set_region(None)
    st.session_state[_UPLOADS] = uploader_number() + 1


def forget_removed_picture() -> None:
    """Search without the picture when it was taken out of the uploader it came from."""
    if st.session_state.get(_FROM) == uploader_number() and _PICTURE in st.session_state:
        del st.session_state[_PICTURE]
        set_region(None)


def uploader_number() -> int:
    """Return a number that changes when the uploader must be empty again."""
    return int(st.session_state.get(_UPLOADS, 0))
