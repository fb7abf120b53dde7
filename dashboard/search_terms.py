"""What a session is looking for: the sentence, the picture, the entity to find more like."""

from __future__ import annotations

import streamlit as st

from dashboard.query_image import QueryPicture

MAX_CHARACTERS = 1000
SENTENCE = "q"
LIKE = "like"
_PICTURE = "picture"
_UPLOADS = "picture_uploads"
_FROM = "picture_from_uploader"


def sentence() -> str:
    """Return the sentence in the box; no encoder reads more than its beginning."""
    return str(st.session_state.get(SENTENCE) or "")[:MAX_CHARACTERS]


def picture() -> QueryPicture | None:
    """Return the uploaded picture."""
    found: QueryPicture | None = st.session_state.get(_PICTURE)
    return found


def like() -> str:
    """Return the id of the entity to find more like, "" for none; it is in the address."""
    return st.query_params.get(LIKE, "")


def look_for(text: str) -> None:
    """Put a sentence into the box in place of everything else."""
    st.session_state[SENTENCE] = text
    remove_picture()
    stop_looking_like()


def look_for_more_like(entity_id: str) -> None:
    """Search by a stored entity in place of everything else."""
    look_for("")
    st.query_params[LIKE] = entity_id


def stop_looking_like() -> None:
    """Search without the stored entity."""
    st.query_params.pop(LIKE, None)


def set_picture(found: QueryPicture) -> None:
    """Search by an uploaded picture; one entity at a time is looked for."""
    st.session_state[_PICTURE] = found
    st.session_state[_FROM] = uploader_number()
    stop_looking_like()


def remove_picture() -> None:
    """Search without the uploaded picture, its uploader empty again."""
    st.session_state.pop(_PICTURE, None)
    st.session_state[_UPLOADS] = uploader_number() + 1


def forget_removed_picture() -> None:
    """Search without the picture when it was taken out of the uploader it came from."""
    if st.session_state.get(_FROM) == uploader_number():
        st.session_state.pop(_PICTURE, None)


def uploader_number() -> int:
    """Return a number that changes when the uploader must be empty again."""
    return int(st.session_state.get(_UPLOADS, 0))
