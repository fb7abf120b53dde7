"""Files on the server: which of them the dashboard may take in, as the settings allow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dashboard.i18n.gettext import _
from search_core.errors import NotAllowed, UsageError
from search_core.schema.entity import is_address
from search_core.settings import Settings

_OFFERED = 200


def allowed_path(text: str, settings: Settings) -> str:
    """Return a file or folder of the server with its links followed, if it may be taken in.

    Raises NotAllowed, in the same words whether there is something at that path or not, for what
    is not below a folder of ``server_folders``; UsageError where there is nothing below one.
    """
    text = text.strip()
    try:
        path = Path(text).resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, no path at all
        raise UsageError(_("{path} is not a path.").format(path=repr(text))) from None
    folders = [folder for folder in _folders(settings) if path.is_relative_to(folder)]
    if not (Path(text).is_absolute() and folders) or path.is_relative_to(settings.data_dir):
        known = ", ".join(map(str, settings.media.server_folders))
        raise NotAllowed(
            _("{path} is not in a folder from which files may be added here.").format(path=text),
            _("Those folders are: {folders}.").format(folders=known)
            if known
            else _("SIGHTLINE_MEDIA_SERVER_FOLDERS names such folders."),
        )
    if not path.exists():
        raise UsageError(
            _("There is no {path} on the server.").format(path=text),
            _("Check the spelling."),
        )
    return str(path)


def allowed_address(address: str, settings: Settings) -> str:
    """Return an address if jobs may fetch from it; raises NotAllowed, UsageError."""
    address = address.strip()
    if not settings.remote.allow_jobs:
        raise NotAllowed(
            _("Files at web addresses cannot be added here."),
            _("The setting {setting} allows it.").format(
                setting="SIGHTLINE_REMOTE_ALLOW_JOBS=true"
            ),
        )
    if not is_address(address):
        raise UsageError(
            _("{address} is not an address.").format(address=address),
            _("Addresses begin with {schemes}.").format(schemes=schemes(settings)),
        )
    if address.lower().startswith("http") and not settings.remote.allow_urls:
        raise NotAllowed(
            _("Files on the web cannot be added here."),
            _("The setting {setting} allows it.").format(
                setting="SIGHTLINE_REMOTE_ALLOW_URLS=true"
            ),
        )
    return address


def schemes(settings: Settings) -> str:
    """Return with what the addresses begin that may be fetched, for people."""
    return _("s3://, gs:// or https://") if settings.remote.allow_urls else _("s3:// or gs://")


def choices(settings: Settings) -> list[str]:
    """Return the folders from which files may be added, each with what lies directly in it.

    Hidden files are left out, and all beyond the first few.
    """
    return list(islice(_choices(settings), _OFFERED))


def _choices(settings: Settings) -> Iterator[str]:
    for folder in _folders(settings):
        yield str(folder)
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            continue  # an ingest of it says why
        for path in paths:
            if not path.name.startswith(".") and path != settings.data_dir:
                yield str(path)


def _folders(settings: Settings) -> list[Path]:
    return [folder.expanduser().resolve() for folder in settings.media.server_folders]
