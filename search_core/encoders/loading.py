"""Loading an encoder: one list of the runtimes that compute them, and the first that takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_core.encoders.base import Encoder, EncoderOptions, EncoderRuntime
from search_core.encoders.openclip import OpenClipEncoder
from search_core.errors import EncoderUnavailable

if TYPE_CHECKING:
    from search_core.settings import Settings

#: Every runtime by its name; asked in this order, so that one that takes everything is the last.
RUNTIMES: dict[str, type[EncoderRuntime]] = {
    runtime.runtime: runtime for runtime in (OpenClipEncoder,)
}


def options_of(settings: Settings) -> EncoderOptions:
    """Return which encoder the settings name, and how it is to run."""
    return EncoderOptions(
        settings.model,
        settings.pretrained,
        device=settings.encoder.device,
        precision=settings.encoder.precision,
        batch_size=settings.encoder.batch_size,
    )


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder the settings name.

    Raises EncoderUnavailable when the model is unknown or its weights cannot be had.
    """
    return load(options_of(settings))


def load(options: EncoderOptions) -> Encoder:
    """Load an encoder with the first runtime that takes it.

    Raises EncoderUnavailable when the model is unknown or its weights cannot be had.
    """
    for runtime in RUNTIMES.values():
        if runtime.takes(options):
            return runtime.load(options)
    raise EncoderUnavailable(
        "No runtime of {runtimes} computes the encoder {model}.",
        "`sightline models` lists encoders.",
        runtimes=", ".join(RUNTIMES),
        model=options.model,
    )
