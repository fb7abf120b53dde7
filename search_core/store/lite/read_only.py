"""Read an embedded Milvus where its folder cannot be written.

Milvus Lite takes a lock in its folder, and writes logs and indexes there. So it is started on a
view: a temporary folder that holds copies of the small files, and links to the vectors and indexes,
which are never changed once they are written. Whatever is written to a view is lost with it;
`write_lock` (endpoint.py) refuses every write before that.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from search_core.errors import StoreReadOnly, in_words

_LINKED = (".parquet", ".idx", ".sidx")


def is_read_only(lite_dir: Path) -> bool:
    """Whether an embedded Milvus is there that this user cannot write to."""
    if not lite_dir.is_dir():
        return False
    places = (lite_dir, lite_dir / "LOCK", lite_dir / "collections")
    return any(place.exists() and not os.access(place, os.W_OK) for place in places)


def make_view(lite_dir: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a view of a folder, removed when it is closed; raises StoreReadOnly."""
    try:
        view = tempfile.TemporaryDirectory(prefix="sightline-view-")
        _fill(lite_dir, Path(view.name) / lite_dir.name)
    except OSError as error:
        raise StoreReadOnly(
            "The embedded Milvus in {lite_dir} cannot be written, and not be read from a view "
            "either: {path}: {reason}.",
            "Give this user the right to read the data directory, or copy it and name the copy "
            "with --data-dir.",
            lite_dir=lite_dir,
            path=str(error.filename),
            reason=in_words(error),
        ) from error
    return view


def _fill(lite_dir: Path, view: Path) -> None:
    def refused(error: OSError) -> None:
        raise error

    for folder, _, names in os.walk(lite_dir, onerror=refused):
        place = view / Path(folder).relative_to(lite_dir)
        place.mkdir(parents=True)
        for name in names:
            path = Path(folder).resolve() / name
            if path.suffix in _LINKED:
                (place / name).symlink_to(path)
            elif name != "LOCK":
                shutil.copyfile(path, place / name)


def read_only(data_dir: Path) -> StoreReadOnly:
    """Return the error for something that writes to a data directory that cannot be written."""
    return StoreReadOnly(
        "The data directory {data_dir} cannot be written by this user: it can be searched only.",
        "Change its permissions, or choose another with --data-dir.",
        data_dir=data_dir,
    )
