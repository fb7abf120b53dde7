"""What ingests and re-embeddings tell: progress while they run, and their reports at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingest.ledger import Status
from search_core.messages import Message, joined
from search_core.schema.entity import CapturedFrom


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """The outcome of one source; ``reason`` and ``warning`` are predicates about it.

    ``stage`` is where it ended: find, wait (it is still being written), read, fetch, archive,
    decode, write, or empty when done. ``left_out`` is how many frames show nothing new and were
    left out for that. ``source_id`` is the content hash of a file that was skipped for its content,
    or that the library held already with other keyframes; ``given_ms`` is the start that was given
    for it (epoch ms). ``captured_from`` is where the time of what was taken in comes from;
    ``time_warning``, which ``warning`` holds too, says that its sources of time contradict each
    other.
    """

    uri: str
    status: Status
    reason: str = ""
    stage: str = ""
    keyframes: int = 0
    warning: str = ""
    left_out: int = 0
    source_id: str = ""
    captured_from: CapturedFrom | None = None
    time_warning: str = ""
    given_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is; ``current`` is the name of the file it last heard of.

    ``waiting`` says what it waits for while Milvus is away, and is empty otherwise.
    """

    sources_total: int
    sources_finished: int
    keyframes: int
    current: str
    done: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: str = ""


@dataclass(slots=True)
class ReadReport:
    """What reading lettering came to: keyframes read, and on how many of them there was some.

    ``failed`` keyframes stay unread; ``reasons`` (predicates) say why, by uri. ``dated`` are the
    uris of sources that have their time from the clock burned into them now, ``time_warnings``
    predicates about those whose clock contradicts it, by uri.
    """

    keyframes: int = 0
    lettered: int = 0
    failed: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    dated: list[str] = field(default_factory=list)
    time_warnings: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        each = self.seconds / self.keyframes if self.keyframes else 0.0
        done = Message(
            "lettering read on {count:,} keyframes in {seconds:.1f} s ({each:.2f} s each): "
            "{lettered:,} have some",
            count=self.keyframes,
            seconds=self.seconds,
            each=each,
            lettered=self.lettered,
        )
        failed = Message("{count:,} could not be read", count=self.failed) if self.failed else ""
        dated = Message("{count:,} dated by a burned-in clock", count=len(self.dated))
        return joined(done, dated if self.dated else "", failed, separator=", ")

    def add(self, other: ReadReport) -> None:
        """Count what was read after it as well."""
        self.keyframes += other.keyframes
        self.lettered += other.lettered
        self.failed += other.failed
        self.seconds += other.seconds
        self.interrupted = self.interrupted or other.interrupted
        self.reasons |= other.reasons
        self.dated += other.dated
        self.time_warnings |= other.time_warnings

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "keyframes": self.keyframes,
            "lettered": self.lettered,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "reasons": [{"uri": uri, "reason": why} for uri, why in self.reasons.items()],
            "dated": self.dated,
            "time_warnings": [
                {"uri": uri, "warning": why} for uri, why in self.time_warnings.items()
            ],
        }


@dataclass(slots=True)
class IngestReport:
    """What an ingest did. ``keyframes`` counts those of sources that are done, ``left_out`` the
    frames of theirs that show nothing new. ``replaced`` counts the keyframes that were removed
    because the file they are of has other content now. ``corrected`` counts sources that were there
    already and were given another camera, time or tags, ``corrected_keyframes`` those of theirs.
    ``captured_from`` counts sources that were taken in, by where their times come from.

    ``stages`` are seconds: waiting for decoded frames, embedding, and writing to Milvus, which
    overlap. ``read`` is what reading lettering came to after that, None where nothing was to be
    read; ``unread`` says why where it could not be.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    keyframes: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    outcomes: list[SourceOutcome] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    left_out: int = 0
    replaced: int = 0
    captured_from: Counter[CapturedFrom] = field(default_factory=Counter)
    corrected: int = 0
    corrected_keyframes: int = 0
    read: ReadReport | None = None
    unread: str = ""

    @property
    def keyframes_per_s(self) -> float:
        """Keyframes per second of the whole ingest."""
        return self.keyframes / self.seconds if self.seconds > 0 else 0.0

    def results(self, limit: int) -> list[dict[str, Any]]:
        """Return outcomes of sources, at most ``limit``: failed ones, then skipped, then done."""
        order = {"failed": 0, "skipped": 1, "done": 2}
        ordered = sorted(self.outcomes, key=lambda outcome: order[outcome.status])
        return [
            {
                "uri": outcome.uri,
                "status": outcome.status,
                "why": outcome.reason or outcome.warning,
                "keyframes": outcome.keyframes,
                "left_out": outcome.left_out,
            }
            for outcome in ordered[:limit]
        ]

    def _reasons(self, status: Status) -> list[dict[str, str]]:
        return [
            {"uri": o.uri, "stage": o.stage, "reason": o.reason}
            for o in self.outcomes
            if o.status == status
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and what failed, was skipped or was kept with a warning."""
        return {
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "keyframes": self.keyframes,
            "left_out": self.left_out,
            "replaced": self.replaced,
            "corrected": {"sources": self.corrected, "keyframes": self.corrected_keyframes},
            "seconds": round(self.seconds, 3),
            "keyframes_per_s": round(self.keyframes_per_s, 2),
            "interrupted": self.interrupted,
            "captured_from": dict(self.captured_from),
            "failures": self._reasons("failed"),
            "skips": self._reasons("skipped"),
            "warnings": [{"uri": o.uri, "warning": o.warning} for o in self.outcomes if o.warning],
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
            "read": self.read.to_json() if self.read else None,
            "unread": self.unread,
        }


@dataclass(slots=True)
class ReembedReport:
    """How a library's keyframes were re-embedded.

    ``thumbnails`` of the ``keyframes`` were embedded from their thumbnails; ``reasons`` says why,
    by source. ``left_out`` are the uris of keyframes of which nothing is left, as often as they
    had some. ``kept`` more keyframes, and how they came, are an earlier run's, which was ended.
    """

    keyframes: int = 0
    kept: int = 0
    thumbnails: int = 0
    left_out: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        done = Message("{count:,} keyframes embedded again", count=self.keyframes)
        if self.kept:
            done = Message(
                "{what} after {count:,} of a run that was ended", what=done, count=self.kept
            )
        few, lost = self.thumbnails, len(self.left_out)
        return joined(
            done,
            Message("{count:,} of them from their thumbnails", count=few) if few else "",
            Message("{count:,} left out: nothing is left of them", count=lost) if lost else "",
            separator=", ",
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "keyframes": self.keyframes,
            "kept": self.kept,
            "from_thumbnails": self.thumbnails,
            "left_out": self.left_out,
            "reasons": [{"uri": uri, "reason": why} for uri, why in self.reasons.items()],
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class RegionsReport:
    """How a library's keyframes were given regions.

    ``keyframes`` have them now, ``regions`` of them in all; ``had_them`` more had them before.
    ``without_source`` are keyframes that kept what they had: nothing is left to take regions from.
    ``reasons`` says why, by source.
    """

    kind: str
    keyframes: int = 0
    regions: int = 0
    had_them: int = 0
    without_source: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        few, had = self.without_source, self.had_them
        return joined(
            Message(
                "{count:,} keyframes with {regions:,} regions ({kind})",
                count=self.keyframes,
                regions=self.regions,
                kind=self.kind,
            ),
            Message("{count:,} had theirs before", count=had) if had else "",
            Message("{count:,} without a source to take them from", count=few) if few else "",
            separator=", ",
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "kind": self.kind,
            "keyframes": self.keyframes,
            "regions": self.regions,
            "had_them": self.had_them,
            "without_source": self.without_source,
            "reasons": [{"uri": uri, "reason": why} for uri, why in self.reasons.items()],
            "seconds": round(self.seconds, 3),
        }
