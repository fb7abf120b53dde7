"""Choosing the encoder of a new library, and downloading it."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.i18n.formatting import megabytes, plain
from dashboard.i18n.gettext import _
from search_core.encoders.catalogue import EncoderSpec, recommended
from search_core.encoders.choice import demo_encoder, for_this_machine
from search_core.encoders.hub import download, is_here
from search_core.settings import AUTO_MODEL


def offered_encoders() -> list[EncoderSpec]:
    """Return what a new library may be made with: for footage, for many languages, to try.

    Weights that are not here are offered where they may be downloaded.
    """
    many = recommended(language="Chinese")
    specs = [for_this_machine()[0], *([] if many.missing_extra else [many]), demo_encoder()]
    return [spec for spec in specs if is_here(spec) or _may_download()]


def pick_encoder(key: str) -> EncoderSpec | None:
    """Draw the choice of an encoder; None where the settings name that of all libraries."""
    if resources.settings().model != AUTO_MODEL:
        return None
    return st.selectbox(
        _("Encoder"),
        offered_encoders(),
        format_func=_in_words,
        help=_(
            "It decides what searches of the library find, and in which languages. The library "
            "keeps it until it is embedded anew. One with a size is downloaded first, under the "
            "licence that is named."
        ),
        key=key,
    )


def _in_words(spec: EncoderSpec) -> str:
    if spec.is_demo:
        return _("To try the sample footage: {encoder}").format(encoder=spec.name)
    words = (
        _("Real footage, many languages: {encoder}")
        if spec.languages == "many"
        else _("Real footage: {encoder}")
    )
    if is_here(spec):
        return words.format(encoder=spec.name)
    size = megabytes(spec.weights_bytes)
    return words.format(encoder=f"{spec.name} ({size}, {spec.licence})")


def make_library(name: str, spec: EncoderSpec | None) -> None:
    """Make a library with an encoder, None for the usual one; raises EncoderUnavailable.

    Weights that are not here are downloaded, with a bar. A page that is closed meanwhile ends that;
    it is resumed the next time.
    """
    if spec is None:
        encoder = resources.encoder()
    else:
        _fetch(spec)
        encoder = resources.encoder_named(spec.name, spec.pretrained)
    resources.store().ensure_library(name, encoder.identity)


def _fetch(spec: EncoderSpec) -> None:
    if is_here(spec):
        return
    text = _("Downloading {encoder} …").format(encoder=plain(spec.name))
    bar = st.progress(0.0, text)

    def show(done: int, total: int | None) -> None:
        bar.progress(min(1.0, done / (total or done or 1)), text)

    try:
        download(spec, show)
    finally:
        bar.empty()


def _may_download() -> bool:
    return resources.settings().encoder.download != "never"
