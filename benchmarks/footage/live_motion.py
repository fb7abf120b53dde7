"""What live cameras keep of the sample footage, of which is known what is to be seen when."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av

from ingest.cameras.live_stream import MotionGate, small_grey
from sightline.demo.footage import render_footage
from sightline.demo.training.truth import ground_truth

LEAST_APPEARANCE_MS = 2_000


def kept_of(path: Path) -> list[int]:
    """Return when, in milliseconds, a camera that shows this video would have made keyframes."""
    gate = MotionGate()
    kept = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            at_ms = round((frame.time or 0.0) * 1000)
            if gate.wants(small_grey(frame), at_ms):
                kept.append(at_ms)
    return kept


def main() -> None:
    """Print how many appearances of two seconds or more have a keyframe, and what that took."""
    found = shown = keyframes = seconds = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render_footage(folder)
        clips: list[dict[str, Any]] = ground_truth()["clips"]
        for clip in clips:
            kept = kept_of(folder / clip["file"])
            keyframes += len(kept)
            seconds += clip["duration_ms"] // 1000
            for one in clip["appearances"]:
                if one["end_ms"] - one["start_ms"] >= LEAST_APPEARANCE_MS:
                    shown += 1
                    found += any(one["start_ms"] <= at_ms < one["end_ms"] for at_ms in kept)
    print(f"{found} of {shown} appearances have a keyframe; {keyframes} keyframes in {seconds} s")


if __name__ == "__main__":
    main()
