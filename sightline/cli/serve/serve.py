"""`sightline serve`: dashboard, worker, cameras, watched folders and Milvus, until Ctrl-C.

The dashboard listens at no address but loopback without a login.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import signal
import socket
import time
import webbrowser
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from search_core.access.users import Users
from search_core.errors import ServeError, SettingsError, StoreBusy, StoreError, UsageError
from search_core.settings import Settings
from search_core.store.endpoint import (
    Endpoint,
    ServeState,
    is_locked,
    serve_lock,
    write_serve_state,
)
from search_core.system.cancellation import Stop, stopped_by
from sightline.cli.options import JsonOption, LibraryOption, settings_of
from sightline.cli.serve.children import Child, Children
from sightline.cli.terminal import err, note, open_workspace, print_json, say_done, warn

DEFAULT_PORT = 8501
START_TIMEOUT_S = 120.0
_POLL_S = 0.2
#: Ctrl-C, a polite kill, and a terminal that closes.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PortOption = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="Where the dashboard listens.")
]
LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100


def serve(
    ctx: typer.Context,
    port: PortOption = DEFAULT_PORT,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="What the dashboard listens at: this machine only, unless there are users "
            "(`sightline users add`). 0.0.0.0 is every network this machine is in.",
        ),
    ] = LOOPBACK,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the dashboard in a browser.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Run the dashboard, and all it needs, on this machine until Ctrl-C.

    It runs the ingest worker and the embedded Milvus too, watches the cameras and folders of
    sightline.toml and those added meanwhile (`sightline cameras add`, `sightline folders add`);
    other commands use that Milvus while it runs. With SIGHTLINE_MILVUS_URI naming a server, that
    one is used. The dashboard listens on the loopback address, or at --address where there are
    users, who must log in; all else on the loopback address only. Logs are in the data directory,
    under logs.
    """
    run_serve(settings_of(ctx, library), port, address=address, browser=browser, json=json)


def run_serve(
    settings: Settings,
    port: int = DEFAULT_PORT,
    *,
    address: str = LOOPBACK,
    browser: bool = False,
    json: bool = False,
) -> None:
    """Serve until a signal asks to stop; raises ServeError when a part does not start or ends.

    With ``json``, what is printed when all is ready is one JSON object: the state in serve.json.
    """
    open_workspace(settings).require_writable()
    app = _dashboard_app()
    listening = listening_at(address, settings)
    roster, folder_roster = Roster(settings), FolderRoster(settings)
    cameras = [camera.name for camera in roster.watched()]  # refused before anything is started
    folders = [str(folder.path) for folder in folder_roster.watched()]

    def wanted() -> bool:
        return bool(roster.watched() or folder_roster.watched())

    with serve_lock(settings), stopped_by(*STOP_SIGNALS) as stop:
        children = Children(settings.data_dir / "logs", _environment(settings))
        try:
            state = _start(settings, wanted, children, app, listening, port, stop)
            if state and json:
                print_json(asdict(state))
            elif state:
                _print_ready(settings, state.dashboard_url, cameras, folders)
            if state and browser:
                webbrowser.open(state.dashboard_url)
            while state and not stop.wait(_POLL_S):
                _check_alive(children)
                _start_watching(children, wanted)
        finally:
            with err().status("Stopping …"):
                children.end_all()
    note("Stopped.")


def _start(
    settings: Settings,
    wanted: Callable[[], bool],
    children: Children,
    app: Path,
    listening: Listening,
    port: int,
    stop: Stop,
) -> ServeState | None:
    """Start the parts in order; return what they are, or None if asked to stop before."""
    chosen = listening.free_port_from(port)
    if chosen != port:
        warn(f"Port {port} is taken; the dashboard uses {chosen}.")
    url = listening.url(chosen)
    with err().status("Starting Milvus …") as line:
        milvus_uri = settings.milvus.uri or ""
        embedded = "://" not in milvus_uri
        if embedded:
            milvus_uri = _start_lite(settings, children)
        token = settings.milvus.token.get_secret_value() if settings.milvus.token else ""
        endpoint = Endpoint(milvus_uri, token, settings.milvus.timeout_s, embedded)
        if embedded and not _wait(lambda: _milvus_answers(endpoint), children, stop, "Milvus"):
            return None
        from search_core.store.milvus.store import MilvusStore

        with closing(MilvusStore(endpoint)) as store:
            store.server()  # a server is there or it is not
            store.remove_leftovers()  # of comparisons and rebuilds that were killed
        # From here on other commands use this Milvus.
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        state = ServeState(os.getpid(), milvus_uri, url, started_at, embedded)
        write_serve_state(settings, state)
        children.set_environment(SIGHTLINE_MILVUS_URI=milvus_uri)
        line.update("Starting the ingest worker and the dashboard …")
        children.start("worker", ["-m", "sightline.cli.main", "worker"], grace_s=20.0)
        _start_watching(children, wanted)
        options = {
            "server.port": str(chosen),
            "server.headless": "true",
            "browser.gatherUsageStats": "false",
            **listening.options,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        children.start("dashboard", ["-m", "streamlit", "run", str(app), *arguments])
        if not _wait(
            lambda: _is_healthy(listening.reached_at, chosen), children, stop, "The dashboard"
        ):
            return None
    return state


def _start_watching(children: Children, wanted: Callable[[], bool]) -> None:
    """Start what watches cameras and folders when there is one; it follows the rosters itself."""
    if any(child.name == "cameras" for child in children):
        return
    with suppress(SettingsError):  # an unreadable file of cameras or folders: pages say so
        if wanted():
            children.start("cameras", ["-m", "sightline.cli.serve.cameras"], grace_s=20.0)


def _start_lite(settings: Settings, children: Children) -> str:
    lite_dir = Path(settings.milvus.uri or settings.milvus_lite_dir)
    if is_locked(lite_dir):
        raise StoreBusy(
            f"Another Sightline command is using {lite_dir}.",
            "Wait for it to end, then run `sightline serve` again.",
        )
    from search_core.store.lite.inspection import Health
    from search_core.store.lite.layout import remove_flushed_logs
    from search_core.store.milvus.scratch import remove_unlisted

    Health(lite_dir).require_all()
    remove_unlisted(lite_dir)
    remove_flushed_logs(lite_dir)
    port = _free_port()
    arguments = ["--data-dir", str(lite_dir), "--host", LOOPBACK, "--port", str(port)]
    children.start(
        "milvus",
        ["-m", "milvus_lite", "server", *arguments],
        end_signal=signal.SIGINT,  # what it closes its files on
        grace_s=20.0,
    )
    return f"http://{LOOPBACK}:{port}"


def _wait(ready: Callable[[], bool], children: Children, stop: Stop, what: str) -> bool:
    """Return True when ready, False when asked to stop; raises ServeError when it never is."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not stop.is_set():
        _check_alive(children)
        if ready():
            return True
        if time.monotonic() > deadline:
            raise ServeError(
                f"{what} did not answer within {START_TIMEOUT_S:.0f} seconds.",
                "Its log is in the data directory, under logs.",
            )
        stop.wait(_POLL_S)
    return False


def _check_alive(children: Children) -> None:
    ended = children.first_ended()
    if ended is not None:
        raise ServeError(
            f"The {ended.name} ended by itself ({_how(ended)}). Its last lines:\n"
            f"{ended.last_words() or '(none)'}",
            f"The whole log: {ended.log}",
        )


def _how(child: Child) -> str:
    code = child.process.returncode
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _milvus_answers(endpoint: Endpoint) -> bool:
    from search_core.store.milvus.store import MilvusStore

    port = int(endpoint.uri.rpartition(":")[2])
    try:
        # Asked first, for pymilvus tries for long.
        socket.create_connection((LOOPBACK, port), timeout=2.0).close()
        with closing(MilvusStore(endpoint)) as store:
            store.server()
    except (OSError, StoreError):
        return False
    return True


def _is_healthy(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=2.0)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def _environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with the settings the children must share."""
    given = {
        "SIGHTLINE_DATA_DIR": str(settings.data_dir),
        "SIGHTLINE_LIBRARY": settings.library,
        "SIGHTLINE_MODEL": settings.model,
        "SIGHTLINE_PRETRAINED": settings.pretrained,
    }
    return {**os.environ, **{name: value for name, value in given.items() if value}}


def _dashboard_app() -> Path:
    found = find_spec("dashboard")
    for folder in (found.submodule_search_locations or []) if found else []:
        if (app := Path(folder) / "app.py").is_file():
            return app
    raise ServeError(
        "The dashboard is not installed.", "Install Sightline from its repository: `make setup`."
    )


def _print_ready(settings: Settings, url: str, cameras: list[str], folders: list[str]) -> None:
    say_done("Sightline is at ", (url, "bold"))
    if cameras:
        note(f"  Watching {', '.join(cameras)}; `sightline cameras` shows them.")
    if folders:
        note(f"  Watching {', '.join(folders)}; `sightline folders` shows them.")
    note(f"  Data: {settings.data_dir}   Ctrl-C stops it.")


@dataclass(frozen=True, slots=True)
class Listening:
    """An IP address of this machine to listen at; ``reached_at`` is where this machine asks."""

    address: str
    reached_at: str
    has_login: bool

    @property
    def options(self) -> dict[str, str]:
        """Streamlit's options.

        Under which names browsers may ask is limited where there is no login: a hostile page must
        not have its own name lead here. With one that gains it nothing: a cookie is for one name.
        """
        options = {"server.address": self.address, "browser.serverAddress": self.reached_at}
        return options if not self.has_login else {**options, "server.allowedHosts": "*"}

    def url(self, port: int) -> str:
        """Return where a browser on this machine finds the dashboard."""
        host = f"[{self.reached_at}]" if ":" in self.reached_at else self.reached_at
        return f"http://{host}:{port}"

    def free_port_from(self, first: int) -> int:
        """Return the first free port from one on; raises ServeError, also for another's address."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        for port in range(first, min(first + PORTS_TRIED, 65536)):
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.address, port))
                except OSError:
                    continue
                return port
        raise ServeError(
            f"No port from {first} on is free at {self.address}.",
            "Choose another with --port, or an --address of this machine.",
        )


def listening_at(address: str, settings: Settings) -> Listening:
    """Return where to listen.

    Raises UsageError for what is not an address, and for any but the loopback address while
    there is no login.
    """
    try:
        ip = ipaddress.ip_address(LOOPBACK if address == "localhost" else address.strip("[]"))
    except ValueError:
        raise UsageError(
            f"{address!r} is not an IP address.", "Use one of this machine, or 0.0.0.0 for all."
        ) from None
    users = Users(settings.users_path)
    if not (ip.is_loopback or settings.access.without_login or users.all()):
        raise UsageError(
            f"Without users the dashboard listens on {LOOPBACK} only, not at {address}.",
            "`sightline users add NAME --role admin` adds one, who then has to log in.",
        )
    anywhere = LOOPBACK if ip.version == 4 else "::1"
    return Listening(str(ip), anywhere if ip.is_unspecified else str(ip), users.exist)
