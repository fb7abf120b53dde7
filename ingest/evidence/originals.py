"""The media that an entity was made of: its file with the content that was taken in, and pictures.

Messages of the errors it raises are predicates ("is gone"), to be put after a file's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFilter

from ingest.ledger import Ledger
from ingest.media.decoding import open_media
from ingest.sources.media_locator import Whereabouts
from ingest.sources.remote.fetching import fetched
from ingest.sources.remote.files import RemoteFiles
from search_core.errors import MediaError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings

_CHANGED = "has changed since it was taken in"
_GONE = "is gone"
#: A region that is blurred keeps so many colours across: nothing that a face is told by.
_MOSAIC = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a picture, in shares of its width and height from the upper left corner.

    Raises ValueError for one that is empty or outside of it.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError("a box lies within 0 to 1, from left to right and top to bottom")

    def pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom) in a picture of this size, never empty."""
        width, height = size
        left, top = min(int(self.left * width), width - 1), min(int(self.top * height), height - 1)
        right = max(left + 1, min(width, round(self.right * width)))
        return left, top, right, max(top + 1, min(height, round(self.bottom * height)))


def blurred(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Return a picture whose boxes cannot be recognised any more."""
    if not boxes:
        return image
    made = image.copy()
    for box in boxes:
        corners = box.pixels(image.size)
        region = image.crop(corners)
        small = region.resize((_MOSAIC, _MOSAIC), Image.Resampling.BOX)
        soft = small.resize(region.size, Image.Resampling.BICUBIC)
        made.paste(soft.filter(ImageFilter.GaussianBlur(2)), corners[:2])
    return made


class Originals:
    """Finds the files of entities; with the content that was taken in, or not at all."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._places = Whereabouts(settings, ledger)

    @contextmanager
    def file(self, library: str, entity: MediaEntity) -> Iterator[Path]:
        """Yield where an entity's file is, fetched where it has to be.

        Raises MediaError where it is gone, away, or has other content now.
        """
        if entity.is_live:
            yield self._still(entity)
            return
        if entity.is_remote:
            with self._fetched(entity) as path:
                yield path
            return
        yield Path(self._local(library, entity))

    def picture(self, library: str, entity: MediaEntity) -> Image.Image:
        """Return what an entity shows at its full size, upright RGB; raises MediaError."""
        with self.file(library, entity) as path:
            return self.picture_of(entity, path)

    def picture_of(self, entity: MediaEntity, path: Path) -> Image.Image:
        """Return what an entity shows at its full size, from its file; raises MediaError."""
        most = self._settings.media.max_pixels
        with closing(open_media(path, max_pixels=most, track=entity.track)) as media:
            return media.frame_at(0 if entity.is_live else entity.pts_ms).image

    def _still(self, entity: MediaEntity) -> Path:
        path = Path(entity.uri)
        if not path.is_file():
            raise MediaError(_GONE)
        return path

    def _local(self, library: str, entity: MediaEntity) -> str:
        state, why = self._places.look(entity.uri, entity.source_id)
        if state == "there":
            return entity.uri
        if elsewhere := self._places.elsewhere(library, entity.source_id, entity.uri):
            return elsewhere
        raise MediaError(why or (_CHANGED if state == "changed" else _GONE))

    @contextmanager
    def _fetched(self, entity: MediaEntity) -> Iterator[Path]:
        with fetched(self._settings, RemoteFiles(self._settings.remote), entity.uri) as found:
            path, content = found
            if content.source_id != entity.source_id:
                raise MediaError(_CHANGED)
            yield path
