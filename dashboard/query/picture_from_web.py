"""A picture to search by from an address of the web, fetched where the settings allow it."""

from __future__ import annotations

import io

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.i18n.core_translation import said
from dashboard.i18n.gettext import _
from search_core.errors import MediaError, UnsupportedMedia

#: Somebody waits for it.
_SECONDS = 20.0


def may_be_fetched() -> bool:
    """Whether the settings let dashboard users name addresses."""
    remote = resources.settings().remote
    return remote.allow_urls and remote.allow_jobs


def fetch_picture(address: str) -> query_image.QueryPicture:
    """Return the picture at an http(s) address; raises MediaError with the address in its words.

    Addresses that lead into the network this machine is in are refused, as for ingest.
    """
    from ingest.sources.remote.addresses import WEB, without_secrets
    from ingest.sources.remote.files import RemoteFiles

    settings = resources.settings()
    shown = without_secrets(address)
    if not may_be_fetched():
        raise UnsupportedMedia(
            _("Pictures at addresses are not fetched here."),
            _("Download the picture, then upload or paste it."),
        )
    if address.partition("://")[0].lower() not in WEB:
        raise UnsupportedMedia(
            _("{address} is not a web address.").format(address=shown),
            _("It begins with {schemes}.").format(schemes="https://"),
        )
    files = RemoteFiles(settings.remote.model_copy(update={"max_seconds": _SECONDS}))
    try:
        with files.open(next(files.find(address))) as opened:
            data = io.BufferedReader(opened.stream).read(query_image.MAX_BYTES + 1)
    except MediaError as error:
        text = _("{address} {what}.").format(address=shown, what=said(error.message))
        raise type(error)(text, error.hint) from None
    return query_image.read_picture(data, settings.media.max_pixels)
