"""What each kind of job does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.curation.known_sources import correct_known, find_known, leave_known
from ingest.curation.reembedding import reembed
from ingest.jobs.control import Watch
from ingest.jobs.requests import (
    CompareRequest,
    IndexRequest,
    IngestRequest,
    ReembedRequest,
    Request,
)
from ingest.pipeline import ingest
from ingest.report import IngestReport, Progress
from search_core.encoders.base import Encoder
from search_core.errors import EncoderUnavailable, UsageError
from search_core.lab.options import Progress as LabProgress
from search_core.messages import Message, joined
from search_core.schema.entity import is_address
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.cancellation import Interrupted

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
    "finding neighbours": (0.4, 0.5),
    "timing": (0.5, 1.0),
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
        self, settings: Settings, store: Store, encoder: Encoder, load_encoder: LoadEncoder
    ) -> None:
        self._settings = settings
        self._store = store
        self._encoder = encoder
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
            encoder=self._encoder,
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
        from search_core.lab.records import IndexRun, RunContext, write_jsonl
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

        furthest = 0.0

        def tell(progress: LabProgress) -> None:
            nonlocal furthest
            watch.check()
            furthest = max(furthest, _share_of_comparison(progress))
            watch.report(furthest, progress.doing)

        same = info.encoder.same_space(self._encoder.identity)
        benchmark = IndexBenchmark(
            self._store,
            info.name,
            options,
            encode=self._encoder.encode_texts if request.text and same else None,
            recorded=recorded,
        )
        comparison = benchmark.run(on_run=keep, on_progress=tell)
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
        if self._store.library(request.library).encoder.same_space(encoder.identity):
            return Done(
                Message("it holds vectors of {encoder} already", encoder=encoder.identity.label), {}
            )

        def tell(done: int, total: int, current: str) -> None:
            watch.report(done / max(1, total), current, {"keyframes": done, "total": total})

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
        """Return the encoder asked for: this worker's own, or another that is loaded for this."""
        settings = self._settings
        if (request.model, request.pretrained) == (settings.model, settings.pretrained):
            return self._encoder
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
