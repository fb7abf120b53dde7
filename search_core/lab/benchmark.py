"""The comparison: a library's own vectors under several indexes, against exact neighbours.

The vectors are copied to scratch collections that are always removed; the library is only read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from search_core.errors import EncoderError, UsageError
from search_core.lab import first_pass
from search_core.lab.ground_truth import Mask, find_masks, make_cases
from search_core.lab.plan import (
    CompareOptions,
    FilterCase,
    PlannedIndex,
    Progress,
    make_plan,
    thinned,
)
from search_core.lab.queries import (
    Encode,
    QuerySet,
    VectorSpool,
    how_many_held_out,
    image_queries,
    spool_library,
    text_queries,
)
from search_core.lab.records import Comparison, IndexRun, RunContext, machine, versions
from search_core.lab.session import (
    Session,
    chunks_of,
    filled_trials,
    reference_job,
    refusal,
)
from search_core.messages import Message
from search_core.search.query_log import RecordedQuery
from search_core.store.library import EVERY_ROW, LibraryInfo, Store

OnRun = Callable[[RunContext, IndexRun], None]
OnProgress = Callable[[Progress], None]
OnFirst = Callable[[Comparison], None]


class IndexBenchmark:
    """Compares indexes over one library's vectors.

    ``encode`` makes embeddings of sentences with the library's encoder, ``recorded`` are searches
    made of it lately; without both, no sentences are asked.
    """

    def __init__(
        self,
        store: Store,
        library: str,
        options: CompareOptions | None = None,
        *,
        encode: Encode | None = None,
        recorded: Sequence[RecordedQuery] = (),
    ) -> None:
        self._store = store
        self._library = library
        self._options = options or CompareOptions()
        self._encode = encode
        self._recorded = recorded

    def run(
        self,
        plan: Sequence[PlannedIndex] | None = None,
        *,
        on_run: OnRun = lambda context, run: None,
        on_progress: OnProgress = lambda progress: None,
        on_first: OnFirst | None = None,
    ) -> Comparison:
        """Build each index, ask each setting, and return all measurements.

        ``plan`` replaces what the options choose. ``on_run`` hears each measurement as it is made.
        ``on_first`` hears of a first pass, whose remarks say what it leaves open.
        An index that fails is recorded and the others go on. Raises UsageError for a library with
        too few vectors, IndexParameterError for types and sweeps that do not exist.
        """
        info = self._store.library(self._library)
        count = self._store.count(self._library, EVERY_ROW)
        if count <= self._options.k:
            raise UsageError(
                "The library {name} has {count} vectors, too few to compare indexes.",
                "Ingest more images or footage first, or ask for fewer neighbours.",
                name=self._library,
                count=count,
            )
        remarks: list[str] = []
        sentences = self._sentences(remarks)
        with VectorSpool(info.encoder.dim) as spool:
            asked = [self._read(spool, count, on_progress), *sentences]
            remarks = [
                *(Message("Queries: {queries}.", queries=queries.label) for queries in asked),
                *remarks,
            ]
            filters, masks = self._filters(spool, remarks)
            planned = list(plan) if plan is not None else self._plan(spool)
            remarks += dict.fromkeys(remark for item in planned for remark in item.remarks)
            if spool.rows + how_many_held_out(self._options.queries, count) < count:
                remarks.append(
                    Message(
                        "Measured on {count:,} of the library's {all:,} vectors, by chance: "
                        "over all of them searches take longer and find less.",
                        count=spool.rows,
                        all=count,
                    )
                )
            context = self._context(info, spool, count, remarks)
            runs: list[IndexRun] = []

            def tell(run: IndexRun) -> None:
                runs.append(run)
                on_run(context, run)

            def tell_first(timed: list[IndexRun], all_asked: list[IndexRun]) -> None:
                left_open = first_pass.remarks(planned, self._options, all_asked)
                if on_first is not None:
                    on_first(Comparison(replace(context, remarks=left_open), tuple(timed)))

            session = Session(
                spool, self._options, tell, on_progress, tell_first if on_first else None
            )
            self._measure(session, info, spool, planned, asked, filters, masks, on_progress)
        return Comparison(context, tuple(runs))

    # Within

    def _sentences(self, remarks: list[str]) -> list[QuerySet]:
        options = self._options
        try:
            found = text_queries(options.queries, self._encode, self._recorded, options.seed)
        except EncoderError as error:
            remarks.append(Message("No sentences were asked: {reason}", reason=error.message))
            return []
        if found is None:
            remarks.append(Message("No sentences were asked, pictures only."))
            return []
        return [found]

    def _read(self, spool: VectorSpool, count: int, on_progress: OnProgress) -> QuerySet:
        """Copy the vectors out of the library, and return the pictures to ask."""
        options = self._options
        held_out = how_many_held_out(options.queries, count)
        left = count - held_out
        kept = spool_library(
            self._store,
            self._library,
            spool,
            limit=left if options.max_rows is None else min(options.max_rows, left),
            held_out=held_out,
            seed=options.seed,
            on_progress=lambda done, total: on_progress(
                Progress(Message("reading vectors"), done, total)
            ),
        )
        return image_queries(options.queries, kept, spool, self._recorded, options.seed)

    def _filters(
        self, spool: VectorSpool, remarks: list[str]
    ) -> tuple[list[FilterCase], dict[str, Mask]]:
        """Return the filters that let anything through, and what they let through."""
        masks = find_masks(spool, self._options.filters)
        for label in [label for label, mask in masks.items() if not mask.any()]:
            remarks.append(
                Message(
                    "None of the {count:,} vectors passes {filter}: not measured.",
                    count=spool.rows,
                    filter=label,
                )
            )
            del masks[label]
        return [case for case in self._options.filters if case.label in masks], masks

    def _plan(self, spool: VectorSpool) -> list[PlannedIndex]:
        options = self._options
        planned = make_plan(
            spool.rows,
            spool.dim,
            k=options.k,
            types=options.types,
            sweeps=options.sweeps,
            server=self._store.server(),
        )
        return planned if options.settings is None else thinned(planned, options.settings)

    def _context(
        self, info: LibraryInfo, spool: VectorSpool, count: int, remarks: Sequence[str]
    ) -> RunContext:
        options = self._options
        return RunContext(
            run_id=secrets.token_hex(4),
            started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            library=info.name,
            encoder=info.encoder.label,
            metric=info.metric,
            dim=spool.dim,
            rows=spool.rows,
            library_rows=count,
            k=options.k,
            seed=options.seed,
            repeats=options.repeats,
            versions=versions(self._store.server()),
            machine=machine(),
            target_recall=options.target_recall,
            remarks=tuple(remarks),
            identity=info.encoder.to_dict(),
            asked=options.to_dict(),
        )

    def _measure(
        self,
        session: Session,
        info: LibraryInfo,
        spool: VectorSpool,
        planned: Sequence[PlannedIndex],
        asked: Sequence[QuerySet],
        filters: Sequence[FilterCase],
        masks: dict[str, Mask],
        on_progress: OnProgress,
    ) -> None:
        """Measure the indexes, those together that compare vectors alike."""
        options, server = self._options, self._store.server()
        for metric, group in _by_metric(planned, info.metric):
            wanted: list[PlannedIndex] = []
            for item in group:
                if why := refusal(item, server, spool.rows, spool.dim, options.k, metric):
                    session.tell_failure(item, why, metric)
                else:
                    wanted.append(item)
            if not wanted:
                continue
            cases = make_cases(
                spool,
                asked,
                filters,
                masks,
                k=options.k,
                metric=metric,
                on_progress=lambda done, total: on_progress(
                    Progress(Message("finding the exact neighbours"), done, total)
                ),
            )
            chunks = chunks_of(wanted, spool.rows, spool.dim, embedded=server.embedded)
            with filled_trials(
                self._store,
                spool,
                len(chunks[0]),
                metric=metric,
                binary=wanted[0].spec.vector_kind == "binary",
                timeout_s=options.time_limit_s,
                facets=list(dict.fromkeys(name for case in filters for name in case.facets)),
                on_progress=lambda done, total: on_progress(
                    Progress(Message("copying vectors"), done, total)
                ),
            ) as trials:
                one_lot = len(chunks) == 1
                again = reference_job(self._store, spool, cases[0], metric, options.k)
                with nullcontext() if one_lot else again as reference:
                    for chunk in chunks:
                        session.measure(chunk, trials, metric, cases, reference)


def _by_metric(
    planned: Sequence[PlannedIndex], metric: str
) -> Iterator[tuple[str, list[PlannedIndex]]]:
    """Yield the indexes by the metric they compare by; those of bits by each they have."""
    groups: dict[str, list[PlannedIndex]] = {}
    for item in dict.fromkeys(planned):
        spec = item.spec
        if spec.vector_kind == "binary":
            names: Sequence[str] = spec.metrics
        else:
            falls_back = metric not in spec.metrics and metric == "COSINE" and "IP" in spec.metrics
            names = ("IP",) if falls_back else (metric,)
        for name in names:
            groups.setdefault(name, []).append(item)
    yield from groups.items()
