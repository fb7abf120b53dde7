"""The gate on embeddings: what shows nothing new is left out; the keyframe before stands for it.

A source's latest keyframe is held back until the next one that shows something new, so that it is
written once, with the span it stands for.
"""

from __future__ import annotations

from dataclasses import replace

from ingest.keyframes.distinct import NearDuplicates
from search_core.encoders.base import Embeddings
from search_core.entities import MediaEntity

#: An entity and its embedding (dim,).
Row = tuple[MediaEntity, Embeddings]


class Gate:
    """Lets through keyframes of several sources; with ``least_distance`` 0, all as they come."""

    def __init__(self, least_distance: float) -> None:
        self._all = not least_distance
        self._judge = NearDuplicates(least_distance)
        self._held: dict[str, Row] = {}
        self._left_out: dict[str, list[MediaEntity]] = {}

    def offer(self, entity: MediaEntity, embedding: Embeddings) -> list[Row]:
        """Take a source's next keyframe; return what is to be written now."""
        if self._all:
            return [(entity, embedding)]
        held = self._held.get(entity.source_id)
        if held is not None and held[0].track != entity.track:
            self._judge.forget(entity.source_id)
        near = self._judge.is_near(entity.source_id, embedding)
        if held is not None and near:
            kept, its = held
            span_ms = entity.pts_ms + entity.span_ms - kept.pts_ms
            self._held[entity.source_id] = replace(kept, span_ms=max(kept.span_ms, span_ms)), its
            self._left_out.setdefault(entity.source_id, []).append(entity)
            return []
        self._held[entity.source_id] = entity, embedding
        return [held] if held is not None else []

    def end(self, source_id: str) -> tuple[list[Row], list[MediaEntity]]:
        """End a source; return what of it is still to be written, and what was left out."""
        self._judge.forget(source_id)
        held = self._held.pop(source_id, None)
        return [held] if held is not None else [], self._left_out.pop(source_id, [])
