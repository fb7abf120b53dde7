"""The worker: performs queued jobs, of each kind, with one warm store and encoder.

Between a running job and its place in the table progress goes out, and a wish to stop comes in.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ingest.curation.known_sources import correct_known, find_known, leave_known
from ingest.curation.reembedding import reembed
from ingest.curation.regions import give_regions
from ingest.jobs.client import BELIEVED_MS, Claim, Claims
from ingest.jobs.requests import (
    CompareRequest,
    IndexRequest,
    IngestRequest,
    ReembedRequest,
    Request,
    request_of,
)
from ingest.jobs.table import JobState
from ingest.pipeline import ingest
from ingest.report import IngestReport, Progress
from search_core.encoders.base import Encoder
from search_core.errors import (
    DiskFull,
    EncoderUnavailable,
    QueueUnavailable,
    ServeError,
    SightlineError,
    UsageError,
    in_words,
)
from search_core.lab.plan import Progress as LabProgress
from search_core.messages import Message, joined
from search_core.schema.entity import is_address
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.library import Store
from search_core.system.cancellation import Interrupted, Stop, StopFlag
from search_core.system.locks import file_lock


class Watch:
    """What a running job tells and asks; it looks and writes once in ``look_s`` seconds.

    A queue that cannot be reached for a while does not disturb the job.
    """

    def __init__(self, claim: Claim, stop: Stop, look_s: float) -> None:
        self._claim = claim
        self._stop = stop
        self._look_s = look_s
        self._looked_s = self._wrote_s = float("-inf")
        self._latest: tuple[float, str, dict[str, int]] | None = None
        self._cancelled = False

    def report(self, share: float, message: str, counts: dict[str, int] | None = None) -> None:
        """Tell how far the job is: a share from 0 to 1, in words, and in numbers."""
        self._latest = (share, message, counts or {})
        if time.monotonic() - self._wrote_s >= self._look_s:
            self.flush()

    @property
    def counts(self) -> dict[str, int]:
        """What was told last, in numbers."""
        return self._latest[2] if self._latest else {}

    def flush(self) -> None:
        """Write what was told last."""
        if self._latest is not None:
            with suppress(QueueUnavailable, DiskFull):
                self._claim.report_progress(*self._latest)
            self._wrote_s = time.monotonic()

    def should_stop(self) -> bool:
        """Whether the job was cancelled, its worker is to stop, or another worker has it."""
        if time.monotonic() - self._looked_s >= self._look_s:
            self._looked_s = time.monotonic()
            self.is_cancelled()
        return self._cancelled or self._claim.is_lost or self._stop.is_set()

    def check(self) -> None:
        """Raise Interrupted where the job is not to go on."""
        if self.should_stop():
            raise Interrupted(is_put_off=not self._cancelled)

    def is_cancelled(self) -> bool:
        """Look now whether somebody cancelled the job."""
        with suppress(QueueUnavailable, DiskFull):
            self._cancelled = self._cancelled or self._claim.is_cancelled()
        return self._cancelled


@contextmanager
def beating(claim: Claim, every_s: float) -> Iterator[None]:
    """Say every so many seconds, in a thread, that the job's worker lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every_s):
            with suppress(QueueUnavailable, DiskFull):
                claim.beat()

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


#: How many files' outcomes a job keeps; the ledger has all of them.
RESULTS = 500
#: How much of building an index each step is taken to be, from where to where.
_INDEX_STEPS = {
    "copying": (0.0, 0.5),
    "building": (0.5, 0.9),
    "comparing": (0.9, 1.0),
    "switching": (1.0, 1.0),
}
_DOING = {
    "copying": Message("copying"),
    "building": Message("building"),
    "comparing": Message("comparing"),
    "switching": Message("switching"),
}
#: The same of a comparison's steps, by how they begin. Where not all indexes fit beside each other
#: they are measured in lots, and the steps come again.
_COMPARE_STEPS = {
    "reading": (0.0, 0.05),
    "finding the exact": (0.05, 0.15),
    "copying": (0.15, 0.25),
    "building": (0.25, 0.4),
    "first pass: finding": (0.4, 0.43),
    "first pass: timing": (0.43, 0.46),
    "finding neighbours": (0.46, 0.52),
    "timing": (0.52, 1.0),
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a job did, in a sentence and as its report."""

    message: str
    report: dict[str, Any]


#: Returns an encoder by its model and pretrained tag; raises EncoderUnavailable.
LoadEncoder = Callable[[str, str | None], Encoder]


def other_encoders_refused(model: str, pretrained: str | None) -> Encoder:
    """Raise EncoderUnavailable: this worker has one encoder."""
    raise EncoderUnavailable("This worker cannot load the encoder {model}.", model=model)


class Performer:
    """Performs jobs with a worker's store and encoder; loads another encoder where one is asked."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        encoder_of: Callable[[str], Encoder],
        load_encoder: LoadEncoder,
    ) -> None:
        self._settings = settings
        self._store = store
        self._library_encoder = encoder_of
        self._load_encoder = load_encoder

    def perform(self, job_id: str, request: Request, watch: Watch) -> Done:
        """Do what a request asks for; raises Interrupted, SightlineError."""
        match request:
            case IngestRequest():
                return self._ingest(request, watch)
            case IndexRequest():
                return self._index(request, watch)
            case CompareRequest():
                return self._compare(job_id, request, watch)
            case ReembedRequest():
                return self._reembed(job_id, request, watch)
        raise NotImplementedError(request.kind)

    def _ingest(self, request: IngestRequest, watch: Watch) -> Done:
        if not self._settings.remote.allow_jobs and any(map(is_address, request.paths)):
            raise UsageError(
                "Jobs fetch nothing from addresses here.",
                "`sightline ingest` does; SIGHTLINE_REMOTE_ALLOW_JOBS=true lets jobs do it too.",
            )

        def tell(progress: Progress) -> None:
            counts = {
                "total": progress.sources_total,
                "finished": progress.sources_finished,
                "done": progress.done,
                "skipped": progress.skipped,
                "failed": progress.failed,
                "keyframes": progress.keyframes,
            }
            share = progress.sources_finished / max(1, progress.sources_total)
            watch.report(share, progress.waiting or progress.current, counts)
            if progress.waiting:
                watch.flush()  # nothing else may be told for long

        asked = request.options
        report = ingest(
            request.paths,
            asked,
            settings=self._settings,
            store=self._store,
            encoder=self._library_encoder(request.library),
            library=request.library,
            on_progress=tell,
            should_stop=watch.should_stop,
        )
        if request.correct_known and not report.interrupted:
            known = find_known(self._store, request.library, report, asked.camera, asked.tags)
            correct_known(self._settings, self._store, known, report)
        elif asked.describes_sources:
            leave_known(report)
        told = {**report.to_json(), "results": report.results(RESULTS)}
        if report.interrupted:
            raise Interrupted(
                Message("cancelled; what was done is kept: {what}", what=_summary(report)), told
            )
        return Done(_summary(report), told)

    def _index(self, request: IndexRequest, watch: Watch) -> Done:
        spec = request.spec

        def tell(doing: str, share: float) -> None:
            if doing != "done":  # switched to: it is too late to stop
                watch.check()
            begins, ends = _INDEX_STEPS.get(doing, (1.0, 1.0))
            said = Message("{doing}, {share:.0%}", doing=_DOING.get(doing, doing), share=share)
            watch.report(begins + share * (ends - begins), said)

        info = self._store.rebuild(request.library, spec, request.params, on_progress=tell)
        return Done(Message("{index} answers now", index=spec.index_type), info.to_dict())

    def _compare(self, job_id: str, request: CompareRequest, watch: Watch) -> Done:
        from search_core.lab.benchmark import IndexBenchmark
        from search_core.lab.recommendation import recommend
        from search_core.lab.records import (
            FIRST_FILE,
            Comparison,
            IndexRun,
            RunContext,
            write_jsonl,
        )
        from search_core.lab.report.writer import write_report
        from search_core.search.query_log import QueryLog

        info = self._store.library(request.library)
        options = request.options
        log = QueryLog(self._settings.searches_path)
        recorded = log.recent(info.name, info.encoder, 20 * options.queries)
        log.close()
        folder = self._settings.comparisons_dir / job_id
        shutil.rmtree(folder, ignore_errors=True)  # what a worker that died had measured
        folder.mkdir(parents=True)

        def keep(context: RunContext, run: IndexRun) -> None:
            write_jsonl(folder / "runs.jsonl", context, [run])

        def keep_first(first: Comparison) -> None:
            write_jsonl(folder / FIRST_FILE, first.context, first.runs)

        furthest = 0.0

        def tell(progress: LabProgress) -> None:
            nonlocal furthest
            watch.check()
            furthest = max(furthest, _share_of_comparison(progress))
            watch.report(furthest, progress.doing)

        encoder = self._library_encoder(info.name)
        same = info.encoder.same_space(encoder.identity)
        benchmark = IndexBenchmark(
            self._store,
            info.name,
            options,
            encode=encoder.encode_texts if request.text and same else None,
            recorded=recorded,
        )
        comparison = benchmark.run(on_run=keep, on_progress=tell, on_first=keep_first)
        write_report(folder, [comparison])
        advice = recommend(comparison.runs, options.target_recall)
        said = (
            advice.sentence
            if advice
            else Message("None of them gave numbers; none can be advised.")
        )
        return Done(
            said,
            {
                "folder": str(folder),
                "sentence": said,
                "command": advice.command if advice else None,
            },
        )

    def _reembed(self, job_id: str, request: ReembedRequest, watch: Watch) -> Done:
        encoder = self._encoder_of(request)

        def tell(done: int, total: int, current: str) -> None:
            watch.report(done / max(1, total), current, {"keyframes": done, "total": total})

        if request.regions is not None:
            given = give_regions(
                *(self._settings, self._store, request.library, encoder, request.regions),
                on_progress=tell,
                check=watch.check,
            )
            return Done(given.summary, given.to_json())
        if self._store.library(request.library).encoder.same_space(encoder.identity):
            return Done(
                Message("it holds vectors of {encoder} already", encoder=encoder.identity.label), {}
            )

        report = reembed(
            self._settings,
            self._store,
            request.library,
            encoder,
            on_progress=tell,
            check=watch.check,
            work=job_id,
        )
        return Done(report.summary, report.to_json())

    def _encoder_of(self, request: ReembedRequest) -> Encoder:
        """Return the encoder asked for: the library's own, or another that is loaded for this."""
        named = (request.model, request.pretrained)
        if named in ((AUTO_MODEL, None), (self._settings.model, self._settings.pretrained)):
            return self._library_encoder(request.library)
        return self._load_encoder(request.model, request.pretrained)


def _share_of_comparison(progress: LabProgress) -> float:
    """Return how much of a comparison is done, 0 to 1, by the step it is at."""
    begins, ends = next(
        (steps for doing, steps in _COMPARE_STEPS.items() if progress.doing.startswith(doing)),
        (0.0, 0.0),
    )
    return begins + (ends - begins) * progress.done / max(1, progress.total)


def _summary(report: IngestReport) -> str:
    left_out, replaced = report.left_out, report.replaced
    return joined(
        Message(
            "{done} done, {skipped} skipped, {failed} failed, {keyframes} keyframes",
            done=report.done,
            skipped=report.skipped,
            failed=report.failed,
            keyframes=report.keyframes,
        ),
        Message("{count} frames left out", count=left_out) if left_out else "",
        Message("{count} earlier keyframes removed", count=replaced) if replaced else "",
        separator=", ",
    )


LOCK_FILE = "worker.lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a worker looks for jobs, for cancelling, and says that it lives, in seconds.

    ``believed_ms`` is how long a worker that is not heard of is taken to live.
    """

    idle_s: float = 0.5
    look_s: float = 0.5
    beat_s: float = 10.0
    believed_ms: int = BELIEVED_MS


def run_worker(
    settings: Settings,
    *,
    store: Store,
    encoder: Encoder,
    load_encoder: LoadEncoder = other_encoders_refused,
    encoder_of: Callable[[str], Encoder] | None = None,
    stop: Stop | None = None,
    until_idle: bool = False,
    timing: Timing | None = None,
) -> None:
    """Perform jobs until ``stop`` is set, or with ``until_idle`` until there are none.

    ``encoder_of`` returns the encoder of a library; without it ``encoder`` is that of all.
    When it is stopped in the middle of a job, what is done of it stays done, and the job is taken
    up again by the next worker. Raises ServeError when a worker runs on this data directory
    already (workers that share a queue may), and QueueUnavailable when the queue cannot be reached
    at the start.
    """
    stop, timing = stop or StopFlag(), timing or Timing()
    with _only_worker(settings), closing(Claims(settings, timing.believed_ms)) as claims:
        performer = Performer(settings, store, encoder_of or (lambda _: encoder), load_encoder)
        _Worker(claims, performer, stop, timing).work(until_idle)


class _Worker:
    """What performs jobs, one after the other."""

    def __init__(self, claims: Claims, performer: Performer, stop: Stop, timing: Timing) -> None:
        self._claims = claims
        self._performer = performer
        self._stop = stop
        self._timing = timing

    def work(self, until_idle: bool) -> None:
        while not self._stop.is_set():
            claim = self._next()
            if claim is not None:
                with beating(claim, self._timing.beat_s):
                    self._perform(claim)
            elif until_idle:
                return
            else:
                self._stop.wait(self._timing.idle_s)

    def _next(self) -> Claim | None:
        try:
            return self._claims.next()
        except (QueueUnavailable, DiskFull) as error:  # a server that restarts is waited for
            _log.warning("%s %s", error.message, error.hint)
            return None

    def _perform(self, claim: Claim) -> None:
        job = claim.job
        watch = Watch(claim, self._stop, self._timing.look_s)
        state: JobState
        report: dict[str, Any] | None = None
        try:
            done = self._performer.perform(job.id, request_of(job), watch)
            state, message, report = "done", done.message, done.report
        except Interrupted as cut:
            if not watch.is_cancelled():
                self._settle(
                    partial(claim.give_back, Message("interrupted; it goes on at the next start"))
                )
                return
            state, message, report = "cancelled", cut.message, cut.report
        except SightlineError as error:
            state, message = "failed", joined(error.message, error.hint, separator=" ")
        except Exception as error:  # a job that fails must not end the worker
            _log.exception("job %s failed", job.id)
            state = "failed"
            message = Message(
                "Failed unexpectedly: {reason}. The worker's log says more.", reason=in_words(error)
            )
        self._settle(partial(claim.finish, state, message, report, watch.counts))

    def _settle(self, write: Callable[[], None]) -> None:
        """Write how a job ended, as soon as the queue can be reached and has room for it.

        Asked to stop before, it leaves the job to who finds that nobody is heard of there.
        """
        while True:
            try:
                write()
                return
            except (QueueUnavailable, DiskFull) as error:
                _log.warning("%s %s", error.message, error.hint)
                if self._stop.wait(self._timing.idle_s):
                    return


@contextmanager
def _only_worker(settings: Settings) -> Iterator[None]:
    """Hold a data directory whose queue is its own; many workers may share one on Redis."""
    if settings.queue is not None:
        yield
        return
    busy = ServeError(
        "A worker runs on {data_dir} already.",
        "`sightline serve` runs one. Several can share a queue on Redis: SIGHTLINE_QUEUE.",
        data_dir=settings.data_dir,
    )
    with file_lock(settings.data_dir / LOCK_FILE, busy=busy):
        yield
