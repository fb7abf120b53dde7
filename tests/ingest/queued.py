"""What tests of jobs share."""

from ingest.worker import Timing
from search_core.lab.options import CompareOptions
from tests.ingest.made_media import HistogramEncoder, make_photo

#: Looks at once, and takes up at once what another worker has.
EAGER = Timing(idle_s=0.01, look_s=0.0, believed_ms=0)


class Calls(HistogramEncoder):
    """Calls something at a batch."""

    def __init__(self, batches, call, digest="a" * 32):
        super().__init__(digest)
        self._left = batches
        self._call = call

    def encode_pixels(self, pixels):
        self._left -= 1
        if self._left == 0:
            self._call()
        return super().encode_pixels(pixels)


def many_photos(media, settings, count=30):
    for number in range(count):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    settings.encoder.batch_size = 1


def options(**changes):
    """Return a comparison that is soon done."""
    return CompareOptions(
        queries=5, repeats=2, types=("FLAT", "HNSW"), sweeps={"ef": (10, 20)}, **changes
    )
