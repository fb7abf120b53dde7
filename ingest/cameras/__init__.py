"""Live cameras: one process each for decoding, watched; reconnected, embedded, kept for a while.

``service`` composes it: ``supervisor`` (a thread and a process a camera) -> ``live_writer``
(embeds and writes small batches) with ``status_log``, the status and events of each camera.
Keyframes expire by :mod:`ingest.rows.retention`; watched folders are in
:mod:`ingest.cameras.folders`.
"""
