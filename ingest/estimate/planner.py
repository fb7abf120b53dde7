"""What an ingest would come to, before it is begun: keyframes, time and disk, from a sample.

All headers are read, as far as the time for it goes; then stretches of video and some pictures are
decoded and embedded, spread so that wherever the time ends, the sample is an even one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, replace

from ingest.engines.base import Failed, Opened
from ingest.engines.decode_process import PART_MS, WHOLE_MS
from ingest.estimate.lettering import expected_reading_s
from ingest.estimate.probe import (
    Expected,
    FoldingEstimate,
    Prober,
    Sample,
    Sampled,
    extrapolate,
    spread,
)
from ingest.estimate.survey import Pending, Survey
from ingest.intake import Plan
from ingest.media.keyframes.auto import LONGEST_SPAN_MS, Auto
from ingest.report import SourceOutcome
from ingest.rows.embedding import folds
from ingest.sources.discovery import place_of
from ingest.sources.remote.fetching import fetched
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Encoder, Pixels
from search_core.errors import MediaError
from search_core.settings import Settings

#: How the time is shared: headers of videos, pictures, times in pictures' headers, and the rest
#: for videos; the encoder takes what it needs.
_HEADERS_SHARE, _PICTURES_SHARE, _TIMES_SHARE = 0.3, 0.2, 0.1
_MOST_SAMPLES = 512
#: Files elsewhere that are larger are not fetched to be sampled.
_FETCHED_BYTES = 256 * 1024**2
_EMBEDDED = 3
#: Of the time for samples, for reading pictures and for reading frames.
_READING_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plan is: ``share`` from 0 to 1, and what it does."""

    share: float
    doing: str


class Planner:
    """Samples what a survey found, as ``plan`` takes it in; ``budget_s`` is about how long that may
    take.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        plan: Plan,
        budget_s: float,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._plan = plan
        self._selector = plan.options.selector
        self._budget_s = budget_s
        self._on_progress = on_progress
        self._pixels: list[Pixels] = []
        self._longest_s = 0.0
        self._folded = 0.0
        self._header_of: dict[str, Opened] = {}

    def expect(self, found: Survey, workers: int, cores: int) -> Expected:
        """Return what taking in the pending sources would come to; raises SightlineError."""
        expected = Expected()
        with closing(Prober(max(1.0, self._budget_s / 5))) as prober:
            self._prober = prober
            here = [pending for pending in found.pending if pending.is_here]
            pictures = [pending for pending in here if pending.kind == "image"]
            times = _Times(self._plan, len(here))
            videos = self._headers([p for p in here if p.kind != "image"], expected, times)
            self._read_times(pictures, times)
            times.add_to(expected)
            self._sample_pictures(pictures, expected)
            self._sample_videos(videos, expected)
            self._sample_elsewhere([p for p in found.pending if not p.is_here], expected)
            start_s, slowed = prober.start_s, prober.slowed
        self._tell(0.95, "embedding")
        embed_cpu_s, embed_s = self._embedding()
        embedded = expected.keyframes + self._folded  # repeats are found after that
        expected.embed_s = embedded * embed_cpu_s
        decoders = min(workers, len(found.pending))
        expected.start_s = decoders * start_s
        busy_s = expected.start_s + expected.decode_s + expected.embed_s
        last_s = min(self._settings.encoder.batch_size, expected.keyframes) * embed_s
        expected.seconds = last_s + max(  # nothing is left to decode while it embeds the last batch
            slowed * busy_s / cores,  # what else runs here takes its share then too
            slowed * (start_s + expected.decode_s / max(1, decoders)),
            slowed * (start_s + self._longest_s),
            embedded * embed_s - last_s,
        )
        self._tell(0.97, "reading lettering")
        expected.reading_s = expected_reading_s(
            self._settings, pictures, videos, expected.keyframes, _READING_SHARE * self._budget_s
        )
        return expected

    def _headers(
        self, pendings: Sequence[Pending], expected: Expected, times: _Times
    ) -> list[tuple[Pending, int]]:
        """Return videos with their lengths (ms); of those there is no time for, by their sizes."""
        until_s = math.inf
        read: list[tuple[Pending, int]] = []
        unread: list[Pending] = []
        for number, pending in enumerate(_in_turns(pendings)):
            if time.monotonic() > until_s:
                unread.append(pending)
                continue
            if number == 1:  # the first waits for the decoding process to start
                until_s = time.monotonic() + _HEADERS_SHARE * self._budget_s
            self._tell(_HEADERS_SHARE * number / len(pendings), "reading headers")
            header = self._prober.header(pending.task)
            times.add(pending, header)
            if isinstance(header, Failed):
                outcome = SourceOutcome(pending.task.uri, "failed", header.reason, header.stage)
                expected.unreadable.append(outcome)
            else:
                read.append((pending, header.footage_ms * header.tracks))
                self._header_of[pending.task.uri] = header
        total_bytes = sum(pending.size for pending, _ in read)
        total_ms = sum(duration_ms for _, duration_ms in read)
        rate = total_ms / total_bytes if total_bytes else 0.0
        read += [(pending, round(pending.size * rate)) for pending in unread]
        return sorted(read, key=lambda video: video[0].task.uri)

    def _read_times(self, pictures: Sequence[Pending], times: _Times) -> None:
        """Read which pictures give a time of capture, as far as there is time for it."""
        until_s = time.monotonic() + _TIMES_SHARE * self._budget_s
        for picture in _in_turns(pictures):
            if time.monotonic() > until_s:
                return
            self._tell(_HEADERS_SHARE, "reading headers")
            times.add(picture, self._prober.header(picture.task))

    def _sample_pictures(self, pictures: Sequence[Pending], expected: Expected) -> None:
        """Sample pictures of each kind of name, the small groups whole."""
        groups: dict[str, list[Pending]] = {}
        for picture in pictures:
            groups.setdefault(place_of(picture.task.uri).suffix.lower(), []).append(picture)
        until_s = time.monotonic() + _PICTURES_SHARE * self._budget_s
        seen = {suffix: Sampled() for suffix in groups}
        waiting = {suffix: list(_in_turns(group)) for suffix, group in groups.items()}
        while waiting and time.monotonic() < until_s:
            for suffix in list(waiting):
                picture = waiting[suffix].pop(0)
                self._tell(_HEADERS_SHARE, "decoding pictures")
                self._add(seen[suffix], self._prober.sample(picture.task, 0), expected)
                if not waiting[suffix]:
                    del waiting[suffix]
        for suffix, group in groups.items():
            expected.images += len(group)
            extrapolate(seen[suffix], len(group) / max(1, seen[suffix].sources), expected)

    def _sample_videos(self, videos: Sequence[tuple[Pending, int]], expected: Expected) -> None:
        """Sample videos by their time: the sample's places are spread over all hours alike."""
        expected.videos += len(videos)
        total_ms = sum(duration_ms for _, duration_ms in videos)
        expected.video_ms += total_ms
        began_s = time.monotonic()
        limit_s = (1 - _HEADERS_SHARE - _PICTURES_SHARE - _TIMES_SHARE) * self._budget_s
        whole, parts, done = Sampled(), Sampled(), set[int]()
        tasks = [pending.task for pending, _ in videos]
        folding = FoldingEstimate(tasks, self._header_of, self._plan)
        rest_ms = total_ms
        for place in spread(_MOST_SAMPLES):
            used = (time.monotonic() - began_s) / limit_s
            enough = used >= 1 and (done or parts.sources)
            if enough or len(done) == len(videos) or parts.media_ms >= rest_ms:
                break
            self._tell(0.5 + 0.4 * used, "decoding stretches of video")
            index, at_ms = _at(videos, place * total_ms)
            if index in done:
                continue
            sample = self._prober.sample(tasks[index], at_ms)
            if not sample.whole:
                if sample.media_ms:
                    parts.add(sample, self._corrected(sample))
                    self._keep(sample)
                continue
            following = self._following(videos, folding, index, done, began_s + limit_s)
            for other, found in [(index, sample), *following]:
                done.add(other)
                rest_ms -= videos[other][1]
                self._add(whole, found, expected)
                folding.add(other, found)
        expected.sampled_ms += whole.media_ms + parts.media_ms
        repeated, share = folding.repeated()
        whole.keyframes -= repeated
        self._folded += repeated
        extrapolate(whole, 1.0, expected)
        pool = parts if parts.media_ms else whole
        if pool.media_ms and rest_ms:
            extrapolate(pool, rest_ms / pool.media_ms, expected)
            first = len(videos) - len(done)
            self._folded += first * share
            if pool is parts:  # which lack the first frame of each
                expected.keyframes += round(first * (1 - share))
            longest_ms = max((d for i, (_, d) in enumerate(videos) if i not in done), default=0)
            self._longest_s = max(self._longest_s, pool.cpu_s * longest_ms / pool.media_ms)

    def _following(
        self,
        videos: Sequence[tuple[Pending, int]],
        folding: FoldingEstimate,
        index: int,
        done: AbstractSet[int],
        until_s: float,
    ) -> Iterator[tuple[int, Sample]]:
        """Sample what follows a video as a recorder's files do, to see what an ingest would fold.

        It ends with the first that was sampled before, or is too long to be sampled whole.
        """
        if not folds(self._selector):
            return
        for other in folding.following(index):
            pending, duration_ms = videos[other]
            if other in done or duration_ms > WHOLE_MS or time.monotonic() > until_s:
                return
            found = self._prober.sample(pending.task, 0)
            if not found.whole:
                return
            yield other, found

    def _sample_elsewhere(self, pendings: Sequence[Pending], expected: Expected) -> None:
        """Fetch some of what is elsewhere and go by its bytes; archives' members are not opened."""
        if not pendings:
            return
        remote = RemoteFiles(self._settings.remote)
        seen, seen_bytes, videos = Sampled(), 0, 0
        until_s = time.monotonic() + _PICTURES_SHARE * self._budget_s
        for pending in _in_turns(pendings):
            if time.monotonic() > until_s:
                break
            file = pending.remote
            if file is None or pending.task.unpacked or pending.size > _FETCHED_BYTES:
                continue
            try:
                self._tell(0.9, "fetching a sample")
                with fetched(self._settings, remote, file.url) as (path, _):
                    status = path.stat()
                    version = (status.st_size, status.st_mtime_ns)
                    task = replace(pending.task, path=path, version=version)
                    sample = self._prober.sample(task, 0)
            except MediaError as error:
                seen.sources += 1
                outcome = SourceOutcome(pending.task.uri, "failed", error.message, "fetch")
                expected.unreadable.append(outcome)
                continue
            self._add(seen, sample, expected)
            if sample.failed is None:
                seen_bytes += pending.size
                videos += sample.media_ms > 0
        share = sum(pending.size for pending in pendings) / max(1, seen_bytes)
        extrapolate(seen, share, expected)
        count = round(len(pendings) * videos / max(1, seen.sources))
        expected.videos += count
        expected.images += len(pendings) - count
        expected.video_ms += round(seen.media_ms * share)
        expected.sampled_ms += seen.media_ms

    def _add(self, sampled: Sampled, sample: Sample, expected: Expected) -> None:
        """Add what came of a whole source; one that cannot be decoded counts as well."""
        sampled.add(sample, sample.keyframes)
        self._longest_s = max(self._longest_s, sample.cpu_s)
        self._keep(sample)
        if sample.failed is not None:
            expected.unreadable.append(sample.failed)

    def _keep(self, sample: Sample) -> None:
        if len(self._pixels) < self._settings.encoder.batch_size:
            self._pixels += sample.pixels

    def _corrected(self, sample: Sample) -> float:
        """Return the keyframes a part stands for, with those that are due after a long time.

        ``auto`` takes one at least every LONGEST_SPAN_MS, longer than a part is. If what happens
        comes at random at a rate r, the rate with those is r / (1 - exp(-r * LONGEST_SPAN)).
        """
        way = self._selector
        if not isinstance(getattr(way, "way", way), Auto):
            return sample.keyframes
        span = LONGEST_SPAN_MS / sample.media_ms
        if not sample.keyframes:
            return 1 / span
        return sample.keyframes / -math.expm1(-sample.keyframes * span)

    def _embedding(self) -> tuple[float, float]:
        """Return what embedding a keyframe takes: seconds of a core, and on the clock."""
        if not self._pixels:
            return 0.0, 0.0
        size = self._settings.encoder.batch_size
        batch = (self._pixels * math.ceil(size / len(self._pixels)))[:size]
        self._encoder.encode_pixels(batch)
        cpu_s, clock_s = time.process_time(), time.monotonic()
        for _ in range(_EMBEDDED):
            self._encoder.encode_pixels(batch)
        images = _EMBEDDED * size
        return (time.process_time() - cpu_s) / images, (time.monotonic() - clock_s) / images

    def _tell(self, share: float, doing: str) -> None:
        self._on_progress(Progress(share, doing))


@dataclass(slots=True)
class _Times:
    """Counts sources whose header and name give no time of capture, of ``sources`` in all."""

    plan: Plan
    sources: int
    read: int = 0
    undated: int = 0

    def add(self, pending: Pending, header: Opened | Failed) -> None:
        self.read += 1
        if isinstance(header, Opened):
            captured = self.plan.capture_time(pending.task, header)
            self.undated += captured.captured_from == "file"

    def add_to(self, expected: Expected) -> None:
        """Say how many sources have no time but the file's, those that were not read included."""
        if self.read:
            expected.file_times = round(self.sources * self.undated / self.read)
            expected.file_times_estimated = self.read < self.sources


def _in_turns(items: Sequence[Pending]) -> Iterator[Pending]:
    """Yield all items so that any first few are spread evenly over their order."""
    places = 1 << max(0, len(items) - 1).bit_length()
    for place in spread(places):
        if (index := round(place * places)) < len(items):
            yield items[index]


def _at(videos: Sequence[tuple[Pending, int]], at_ms: float) -> tuple[int, float]:
    """Return the video that a moment of all their time falls into, and where a part begins."""
    for index, (_, duration_ms) in enumerate(videos):
        if at_ms < duration_ms or index == len(videos) - 1:
            return index, max(0.0, min(at_ms, duration_ms - PART_MS))
        at_ms -= duration_ms
    raise IndexError("there is no video")
