"""Weights of the model hub: whether they are on this machine, and downloading them.

Nothing here imports torch: what is asked before an encoder is chosen is answered quickly.
"""

from __future__ import annotations

import logging
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from search_core.encoders.catalogue import EncoderSpec, is_packaged_here
from search_core.errors import EncoderUnavailable, in_words

#: The names of open_clip's weights in a repository, in the order in which it looks for them.
WEIGHTS_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TOKENIZER_FILE = "tokenizer.json"
#: What a tokenizer and the configuration of a text tower consist of; not every one has all.
_TEXT_FILES = (
    *(TOKENIZER_FILE, "tokenizer_config.json", "special_tokens_map.json", "config.json"),
    "sentencepiece.bpe.model",
)
#: Asked once before a download: the hub's own client retries for most of a minute.
_CONNECT_S = 3.0


def is_here(spec: EncoderSpec) -> bool:
    """Whether an encoder can be loaded without the hub: it is installed, or was downloaded."""
    return is_packaged_here(spec) if spec.package else are_cached(spec.hub, spec.text_hub)


def are_cached(hub: str, text_hub: str = "") -> bool:
    """Whether the weights of a repository are in the hub's cache, with the tokenizer of another."""
    return is_cached(hub, WEIGHTS_FILES) and (
        not text_hub or is_cached(text_hub, (TOKENIZER_FILE,))
    )


def is_cached(repository: str, names: Sequence[str]) -> bool:
    """Whether the hub's cache has one of these files of a repository."""
    from huggingface_hub import constants, try_to_load_from_cache

    return any(
        isinstance(try_to_load_from_cache(repository, name, constants.HF_HUB_CACHE), str)
        for name in names
    )


def hub_answers() -> bool:
    """Whether the model hub's host takes a connection; behind a proxy, assume that it does.

    Where HF_HUB_OFFLINE is set nobody asks it.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


def hub_address(spec: EncoderSpec) -> str:
    """Return where an encoder's weights and their card are."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{spec.hub}"


def require_hub(spec: EncoderSpec) -> None:
    """Raise EncoderUnavailable where the hub does not answer, before anybody waits for it."""
    if not hub_answers():
        raise EncoderUnavailable(
            "The encoder {name} cannot be downloaded: the model hub cannot be reached.",
            "Copy its weights here, and give their path as --pretrained.",
            name=spec.label,
        )


def download(
    spec: EncoderSpec, on_progress: Callable[[int, int | None], None] = lambda done, total: None
) -> None:
    """Download an encoder's weights into the hub's cache, with its tokenizer where it needs one.

    One that was interrupted is resumed. ``on_progress`` gets bytes: so many of so many of the file
    at hand. Raises EncoderUnavailable.
    """
    require_hub(spec)
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what it says of each retry
    try:
        _fetch(spec.hub, WEIGHTS_FILES, on_progress, until_found=True)
        if spec.text_hub:
            _fetch(spec.text_hub, _TEXT_FILES, lambda done, total: None)
        if not is_here(spec):
            raise FileNotFoundError("the repository has no weights of open_clip, or no tokenizer")
    except Exception as error:  # of several packages, and of the operating system
        raise EncoderUnavailable(
            "The weights of {name} could not be downloaded: {reason}.",
            "`sightline models download {model}` resumes it where it stopped.",
            name=spec.label,
            reason=in_words(error),
            model=spec.name,
        ) from error
    finally:
        log.setLevel(level)


def _fetch(
    repository: str,
    names: Sequence[str],
    on_progress: Callable[[int, int | None], None],
    *,
    until_found: bool = False,
) -> None:
    """Download what a repository has of these files, or the first of them that it has."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        try:
            hf_hub_download(
                repository,
                name,
                cache_dir=constants.HF_HUB_CACHE,
                tqdm_class=_bar_telling(on_progress),
            )
        except EntryNotFoundError:
            continue
        if until_found:
            return


def _bar_telling(on_progress: Callable[[int, int | None], None]) -> Any:
    """Return a class for the hub's client, whose bars are not drawn but tell how far they are."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Bar(tqdm):
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any) -> None:
            super().__init__(disable=True)  # type: ignore[no-untyped-call]
            self._bytes, self._all = initial, total
            on_progress(self._bytes, self._all)

        def update(self, n: float | None = 1) -> bool | None:
            self._bytes += int(n or 0)
            on_progress(self._bytes, self._all)
            return None

    return Bar
