"""What of a fixed camera's footage is worth decoding, by packet sizes.

Which codec keyframes are; which moments between them are to be looked at, and how deep to decode
for those.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ingest.media.keyframe_selector import SeenFrame, SmallPicture
from ingest.media.keyframes.analysis.background import changed_blocks
from ingest.media.keyframes.analysis.packet_activity import PacketActivity, Sizes
from ingest.media.video.gop import Stretch


class Moments:
    """The moments of one video that are wanted beside its codec keyframes, in order of time."""

    def __init__(self) -> None:
        self._wanted_ms: list[int] = []
        self._step_ms = 0
        self._steps_until_ms = -1
        self._served_ms: int | None = None

    def add(self, moments_ms: Iterable[int]) -> None:
        """Want the first frame at or after each of these moments."""
        self._wanted_ms.extend(moments_ms)

    def every(self, step_ms: int, stretch: Stretch[Any]) -> int:
        """Want a frame of this stretch every ``step_ms``; return how deep to decode: all of it."""
        known = [time for time in stretch.times_ms if time is not None]
        self._step_ms = step_ms
        # Where packets carry no times, the frames' own decide.
        self._steps_until_ms = max(known) if len(known) == len(stretch) else 1 << 62
        return len(stretch)

    def depth(self, stretch: Stretch[Any]) -> int:
        """Return how many packets have to be decoded for the moments within the stretch."""
        depth = 0
        for wanted_ms in self._wanted_ms:
            later = [
                (time, index)
                for index, time in enumerate(stretch.times_ms)
                if time is not None and time >= wanted_ms
            ]
            if later:
                depth = max(depth, min(later)[1] + 1)
        return depth

    def serves(self, frame: SeenFrame) -> bool:
        """Whether a decoded frame is one that is wanted; codec keyframes always are."""
        pts_ms = frame.pts_ms
        wanted = frame.is_keyframe
        if self._wanted_ms and pts_ms >= self._wanted_ms[0]:
            self._wanted_ms = [moment for moment in self._wanted_ms if moment > pts_ms]
            wanted = True
        if pts_ms <= self._steps_until_ms:
            waited_ms = None if self._served_ms is None else pts_ms - self._served_ms
            wanted = wanted or waited_ms is None or not 0 <= waited_ms < self._step_ms
        if wanted:
            self._served_ms = pts_ms
        return wanted


#: All-intra footage has a keyframe in every frame; five a second are plenty.
MIN_SPACING_MS = 200
#: Sizes that missed a change are not believed for this many stretches, the next time for four
#: times as many, and so on.
_DOUBT = 16
_MOST_WAITING = 4096


class Lookout:
    """Looks at every keyframe until sizes and pictures agree that nothing moves, then less often.

    A keyframe is looked at when the sizes say that something moves before or after it, or when none
    was for a while. That while doubles with every look that finds nothing, up to ``longest_ms``. A
    look that finds what the sizes did not tell starts all over, with less belief in them.
    ``least_blocks`` of the low-resolution picture have to change for anything to have moved.
    """

    def __init__(self, longest_ms: int, least_blocks: int) -> None:
        self.activity = PacketActivity()
        self._longest_ms = longest_ms
        self._least_blocks = least_blocks
        self._waiting: deque[tuple[Sizes, bool]] = deque(maxlen=_MOST_WAITING)
        self._picture: SmallPicture | None = None
        self._moved_before = True
        self._looked_ms: int | None = None
        self._wait_ms = 0
        self._doubt = self._surprises = 0

    @property
    def trusts(self) -> bool:
        """Whether the sizes of this footage are believed."""
        return self.activity.trusted and not self._doubt

    def is_quiet(self, sizes: Sizes) -> bool:
        """Whether the sizes of a stretch are believed, and say that nothing moves in it."""
        return self.trusts and not any(self.activity.moves(sizes))

    def looks_at(self, stretch: Stretch[Any], sizes: Sizes | None) -> bool:
        """Whether the keyframe of this stretch has to be decoded."""
        if sizes is None:
            return True
        since_ms = None if self._looked_ms is None else sizes.start_ms - self._looked_ms
        if since_ms is not None and 0 <= since_ms < MIN_SPACING_MS:
            return False
        moves = self.activity.moves(sizes)
        moving = moves.first or self._moved_before
        due = since_ms is None or since_ms < 0 or since_ms >= self._wait_ms
        looks = due or moving or not self.trusts
        self._moved_before = moves.last
        self._doubt = max(0, self._doubt - 1)
        self._waiting.append((sizes, any(moves)))
        if looks:
            self._looked_ms = sizes.start_ms
        return looks

    def note(self, frame: SeenFrame) -> None:
        """Compare a keyframe that was looked at with the one before, and learn from it."""
        picture, before = frame.small(), self._picture
        self._picture = picture
        between: list[tuple[Sizes, bool]] = []
        while self._waiting and self._waiting[0][0].start_ms < frame.pts_ms:
            between.append(self._waiting.popleft())
        if before is None or not between:
            return
        if changed_blocks(before, picture) >= self._least_blocks:
            after = [moves for sizes, moves in self._waiting if sizes.start_ms == frame.pts_ms]
            if not any(after) and not any(moves for _, moves in between):
                self._be_surprised()
            return
        for sizes, moves in between:
            if not moves:
                self.activity.learn_quiet(sizes)
        if self.trusts:
            step_ms = frame.pts_ms - between[0][0].start_ms
            self._wait_ms = min(self._longest_ms, max(2 * self._wait_ms, step_ms))

    def _be_surprised(self) -> None:
        self._wait_ms = 0
        if self.trusts:
            self._doubt = _DOUBT * 4**self._surprises
            self._surprises += 1
