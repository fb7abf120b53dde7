"""Which Milvus a data directory uses: a server that was named, a running serve, or Milvus Lite.

``sightline serve`` writes its state to ``serve.json`` in the data directory and holds a lock on
``serve.lock`` for as long as it lives, so that a state left by a crash is never believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from search_core.errors import ServeError
from search_core.settings import Settings
from search_core.store.lite.layout import read_only
from search_core.system.locks import file_lock, is_held

STATE_FILE = "serve.json"
LOCK_FILE = "serve.lock"
WRITE_LOCK_FILE = "write.lock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Milvus to connect to.

    ``embedded`` says that it is Milvus Lite, in this process or behind a running serve: then
    ``write_lock`` names the file that serialises writers, which Lite does not do itself, and
    ``lite_dir`` where a running serve's keeps its files. ``probes`` is where what probes of servers
    found is kept. ``read_only`` names a folder that cannot be written, of which ``uri`` is a view.
    """

    uri: str
    token: str = ""
    timeout_s: float = 60.0
    embedded: bool = True
    write_lock: Path | None = None
    lite_dir: Path | None = None
    probes: Path | None = None
    read_only: Path | None = None

    @property
    def folder(self) -> Path | None:
        """Where Milvus Lite keeps its files; None of a server."""
        return self.lite_dir if "://" in self.uri else Path(self.uri)


@dataclass(frozen=True, slots=True)
class ServeState:
    """What a running ``sightline serve`` says of itself.

    ``embedded`` says that the Milvus at ``milvus_uri`` is its own Milvus Lite.
    """

    pid: int
    milvus_uri: str
    dashboard_url: str
    started_at: str
    embedded: bool = True


def resolve_endpoint(settings: Settings) -> Endpoint:
    """Return the Milvus these settings mean; a running serve's where there is one."""
    milvus, state = settings.milvus, running_serve(settings)
    served = state.milvus_uri if state is not None and "://" in state.milvus_uri else ""
    uri = milvus.uri or served or str(settings.milvus_lite_dir)
    # A serve on this data directory hands its own embedded Milvus to its children by its address.
    is_serves = state is not None and state.embedded and uri == served
    embedded = is_serves or "://" not in uri
    return Endpoint(
        uri,
        milvus.token.get_secret_value() if milvus.token else "",
        milvus.timeout_s,
        embedded,
        write_lock=settings.data_dir / WRITE_LOCK_FILE if embedded else None,
        lite_dir=settings.milvus_lite_dir if is_serves else None,
        probes=settings.probes_path,
    )


def running_serve(settings: Settings) -> ServeState | None:
    """Return the state of the serve that runs on this data directory, or None."""
    held = is_held(settings.data_dir / LOCK_FILE)
    return _read_state(settings.data_dir / STATE_FILE) if held else None


@contextmanager
def serve_lock(settings: Settings) -> Iterator[None]:
    """Hold this data directory for one serve; its state is removed at the end.

    Raises ServeError when another serve holds it.
    """
    state = _read_state(settings.data_dir / STATE_FILE)
    busy = ServeError(
        "Sightline is already serving {data_dir} at {url} (process {pid})."
        if state
        else "Sightline is already serving {data_dir}.",
        "Open that address, or stop it with Ctrl-C in its terminal first.",
        data_dir=settings.data_dir,
        url=state.dashboard_url if state else "",
        pid=state.pid if state else 0,
    )
    with file_lock(settings.data_dir / LOCK_FILE, busy=busy):
        (settings.data_dir / STATE_FILE).unlink(missing_ok=True)
        try:
            yield
        finally:
            (settings.data_dir / STATE_FILE).unlink(missing_ok=True)


@contextmanager
def write_lock(endpoint: Endpoint) -> Iterator[None]:
    """Serialise writers: the embedded Milvus is not safe with several at once.

    Raises StoreReadOnly where it cannot be written.
    """
    if endpoint.read_only is not None:
        raise read_only(endpoint.read_only)
    with file_lock(endpoint.write_lock) if endpoint.write_lock else nullcontext():
        yield


def is_running(endpoint: Endpoint) -> bool:
    """Whether a Milvus answers there already: a server, or Milvus Lite, also in this process."""
    return "://" in endpoint.uri or is_locked(Path(endpoint.uri))


def is_locked(lite_dir: Path) -> bool:
    """Whether a process holds the embedded Milvus in ``lite_dir``."""
    return is_held(lite_dir / "LOCK")


def write_serve_state(settings: Settings, state: ServeState) -> None:
    """Publish where a serve's Milvus and dashboard are, in one step."""
    path = settings.data_dir / STATE_FILE
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(state), indent=2), encoding="utf-8")
    draft.replace(path)


def _read_state(path: Path) -> ServeState | None:
    try:
        return ServeState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
