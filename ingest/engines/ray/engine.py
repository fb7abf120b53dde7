"""An ingest on a Ray cluster: Ray Data decodes on all its machines and embeds in actors.

What comes back is written by the process that runs the ingest, and accounted for there: embeddings
are small, a server takes them faster than encoders make them, Milvus Lite lets one process write,
and a source is done only once its rows are acknowledged. The machines of the cluster must see the
sources and the data directory (where they write thumbnails) at the same paths.

Ray runs a task again when the machine it was on is lost. Then rows come late, or twice: they are
put in order here, source by source, each taken once. Bounded: the sources under way are, and Ray
holds decoding back when its object store fills, down to the pipe of the decoding process.
"""

from __future__ import annotations

import pickle
import threading
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ingest.engines.base import (
    ENTRY,
    HANG_S,
    WORKER_BYTES,
    DecodeOptions,
    DecodeTask,
    Failed,
    Finished,
    Prepared,
    Threads,
    Told,
)
from ingest.engines.ray.cluster import encoder_share, joined, require_ray
from ingest.engines.ray.stages import (
    DecodeStage,
    Encode,
    Feed,
    Group,
    InOrder,
    decode,
    feed,
    unpacked,
)
from ingest.report import SourceOutcome
from search_core.encoders.base import Encoder, EncoderIdentity
from search_core.encoders.loading import load, options_of
from search_core.errors import EngineError, SightlineError, in_words
from search_core.messages import Message
from search_core.settings import AUTO_MODEL, Settings

_LOOK_EVERY_S = 0.1


class UnderWay:
    """Numbers sources as they are given out, never more than ``most`` at once; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: dict[int, DecodeTask] = {}
        self._begun = 0
        self._group_of: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._groups = 0
        self._changed = threading.Condition()

    def begin(self, task: DecodeTask, should_stop: Callable[[], bool]) -> int:
        """Return a number for a source, once there is room for it or all is to stop."""
        with self._changed:
            while len(self._tasks) >= self._most and not should_stop():
                self._changed.wait(_LOOK_EVERY_S)
            number, self._begun = self._begun, self._begun + 1
            self._tasks[number] = task
        return number

    def group(self, numbers: Iterable[int]) -> None:
        """Say which sources are given out together; groups count from 0."""
        with self._changed:
            index, self._groups = self._groups, self._groups + 1
            together = list(numbers)
            self._group_of |= dict.fromkeys(together, index)
            self._left[index] = len(together)

    def task(self, number: int) -> DecodeTask | None:
        """Return a source that has not ended."""
        with self._changed:
            return self._tasks.get(number)

    def tasks(self) -> list[DecodeTask]:
        """Return all sources that have not ended."""
        with self._changed:
            return list(self._tasks.values())

    def end(self, number: int) -> int | None:
        """Take note that a source has ended; return its group when that was the last of it."""
        with self._changed:
            del self._tasks[number]
            group = self._group_of.pop(number)
            self._left[group] -= 1
            self._changed.notify_all()
            if self._left[group]:
                return None
            del self._left[group]
            return group


_STOPPING_S = 15.0
#: Sources of one task: as many pictures, or a long video alone.
_GROUP_SOURCES = 8
_GROUP_BYTES = 32 * 1024**2
#: How many sources may be under way for each core of the cluster.
_SOURCES_PER_CORE = 32


class RayEngine:
    """Decodes and embeds on a Ray cluster: the one at ``address``, or one of its own.

    ``workers`` is how many tasks decode at a time, one per core when not given. ``load_encoder``
    makes the encoder on any machine; it has to be picklable and is that of the settings when not
    given. ``hang_s`` and ``entry`` are those of Decoder. Raises EngineError without Ray.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        address: str | None = None,
        workers: int | None = None,
        load_encoder: Callable[[], Encoder] | None = None,
        hang_s: float = HANG_S,
        entry: str = ENTRY,
    ) -> None:
        require_ray(alone=address is None)
        self._address = address
        self.workers = workers
        self._settings = settings
        self._load_encoder = load_encoder
        self.use_gpus = settings.encoder.device != "cpu"
        self.parcel = settings.encoder.batch_size
        self.hang_s = hang_s
        self.entry = entry

    def loads(self, encoder: EncoderIdentity | None) -> Callable[[], Encoder]:
        """Return what makes the encoder of an ingest on any machine."""
        return self._load_encoder or _encoder_of(self._settings, encoder)

    def decode(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        """Yield outcomes and events as they come, None while waiting; closing it stops all.

        Raises EngineError when there is no cluster or it fails, and what loading encoders raises.
        """
        for item in prepared:  # what needs no decoding needs no cluster
            if isinstance(item, DecodeTask):
                break
            yield item
        else:
            return
        with joined(self._address), _mark(item.options.data_dir) as mark:
            flow = _Flow(self, item.options, mark)
            yield from flow.told(chain([item], prepared))


def _encoder_of(settings: Settings, encoder: EncoderIdentity | None) -> Callable[[], Encoder]:
    """Return what loads the settings' encoder elsewhere, on the device that it finds there.

    Where the settings leave it to the library, it is the one that this machine has loaded.
    """
    options = options_of(settings)
    if options.model == AUTO_MODEL and encoder is not None:
        pretrained = encoder.pretrained or None
        options = replace(options, model=encoder.name, pretrained=pretrained)
    return partial(load, replace(options, device="cpu" if options.device == "cpu" else "auto"))


@contextmanager
def _mark(data_dir: Path) -> Iterator[Path]:
    """Put a file into the data directory by which other machines see that it is the same one."""
    mark = data_dir / f".ray-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


class _Flow:
    """One ingest on the cluster: a thread gives sources out, another takes rows in."""

    def __init__(self, engine: RayEngine, options: DecodeOptions, mark: Path) -> None:
        self._ray = require_ray()
        self._engine = engine
        self._options = options
        self._stage = DecodeStage(engine.entry, engine.hang_s, engine.parcel, mark)
        self._threads = Threads()
        self._under_way = UnderWay(
            _SOURCES_PER_CORE * max(2, int(self._ray.cluster_resources().get("CPU", 0)))
        )
        here = self._ray.get_runtime_context().get_node_id()
        pinned = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, False)
        actor = self._ray.remote(num_cpus=0, scheduling_strategy=pinned)(Feed)
        self._feed = actor.remote()

    def told(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        """Yield outcomes and events as they come; closing it stops all."""
        work: dict[str, Callable[[], None]] = {
            "ray-feed": partial(self._give_out, prepared),
            "ray-rows": self._take_in,
        }
        try:
            yield from self._threads.told(work, self._stop_feed, _STOPPING_S)
        except Exception as error:
            raise _explained(error) from error
        for task in self._under_way.tasks():
            yield task, Failed("decode", Message("was lost on the Ray cluster; run again"))

    def _stop_feed(self) -> None:
        with suppress(Exception):  # the cluster may be gone
            self._ray.get(self._feed.stop.remote(), timeout=_STOPPING_S)

    def _give_out(self, prepared: Iterator[Prepared]) -> None:
        """Put sources into the feed, in groups, and never too many."""
        group: Group = []
        size = 0
        for item in prepared:
            if self._threads.stop.is_set():
                return
            if isinstance(item, SourceOutcome):
                self._threads.tell(item)
                continue
            numbered = (self._under_way.begin(item, self._threads.stop.is_set), item)
            if item.spooled:
                # Its copy is removed when it ends: then no other source can be done again with it.
                self._put([numbered])
                continue
            group.append(numbered)
            size += item.version[0]
            if len(group) == _GROUP_SOURCES or size >= _GROUP_BYTES:
                self._put(group)
                group, size = [], 0
        if group:
            self._put(group)
        self._ray.get(self._feed.complete.remote())

    def _put(self, group: Group) -> None:
        self._under_way.group(number for number, _ in group)
        self._ray.get(self._feed.put.remote(pickle.dumps(group, protocol=5)))

    def _take_in(self) -> None:
        """Run the stages and tell what comes of each source, in its order."""
        in_order = InOrder()
        rows = self._dataset().iter_batches(batch_size=None, batch_format="pyarrow")
        for table in rows:
            if self._threads.stop.is_set():
                return
            for row in chain.from_iterable(unpacked(table)):
                task = self._under_way.task(row.number)
                if task is None:
                    continue  # it has ended; Ray made this row once more
                for ready in in_order.add(row):
                    for event in ready.events():
                        self._threads.tell((task, event))
                        if isinstance(event, Finished | Failed):
                            in_order.forget(row.number)
                            self._end(row.number)

    def _end(self, number: int) -> None:
        emptied = self._under_way.end(number)
        if emptied is not None:
            self._feed.forget.remote(emptied)

    def _dataset(self) -> Any:
        """Return the stages, put together; nothing runs yet."""
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.raise_original_map_exception = True
        context.target_max_block_size = 1  # blocks are what the stages yield, one row each
        share = encoder_share(self._engine.use_gpus)
        given = {"batch_size": 1, "batch_format": "pyarrow"}
        # Stages that ask for other resources are never fused into one.
        groups = data.from_items([0]).map_batches(
            feed,
            **given,
            fn_kwargs={"actor": self._feed},
            num_cpus=0,
        )
        parcels = groups.map_batches(
            decode,
            **given,
            fn_kwargs={"actor": self._feed, "stage": self._stage},
            compute=data.TaskPoolStrategy(self._engine.workers),
            num_cpus=1,
            memory=WORKER_BYTES,
        )
        return parcels.map_batches(
            Encode,
            **given,
            fn_constructor_args=(
                self._engine.loads(self._options.encoder),
                self._options.encoder,
            ),
            compute=data.ActorPoolStrategy(min_size=1, max_size=share.most),
            num_cpus=0,
            num_gpus=share.gpus,
            label_selector=share.elsewhere or None,
        )


def _explained(error: BaseException) -> BaseException:
    """Return what a stage raised on the cluster, or that the cluster failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SightlineError):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    last = str(error).strip().splitlines()[-1:]  # the cluster's own traceback comes before
    return EngineError(
        "The Ray cluster failed: {reason}.",
        "What was done is kept; run the same command again to go on.",
        reason=in_words(RuntimeError(*last)),
    )
