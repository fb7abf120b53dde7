"""What Milvus Lite would do twice after it was killed."""

from __future__ import annotations

import json
import re
from pathlib import Path

_LOG = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")


def remove_flushed_logs(lite_dir: Path) -> None:
    """Remove logs of rows that a killed Milvus Lite had put into its files already.

    When it starts it replays each log that it finds. Killed after its manifest named the files and
    before their log was gone, it would have every one of those rows twice. What the manifest still
    needs is left, so this is safe at any time.
    """
    for manifest in lite_dir.glob("collections/*/manifest.json"):
        try:
            active = json.loads(manifest.read_text(encoding="utf-8"))["active_wal_number"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # Milvus Lite has its ways with it
        for log in manifest.parent.glob("wal/*.arrow"):
            named = _LOG.fullmatch(log.name)
            if named and active is not None and int(named.group(1)) < active:
                log.unlink(missing_ok=True)
