"""Live cameras: one process each for decoding, watched; reconnected, embedded, kept for a while.

``watching`` composes it: ``supervisor`` (a thread and a process a camera) -> ``live_writer``
(embeds and writes small batches) with ``diary`` for what became of each camera, and ``retention``.
"""
