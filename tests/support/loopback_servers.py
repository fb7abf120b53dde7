"""Servers on loopback: of S3 (moto's), of Google's buckets, and of the web."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import IO, TYPE_CHECKING, Protocol

from gcp_storage_emulator.server import create_server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class S3Client(Protocol):
    """What the tests ask of boto3's client."""

    def create_bucket(self, *, Bucket: str) -> object: ...

    def delete_bucket(self, *, Bucket: str) -> object: ...

    def list_buckets(self) -> dict[str, list[dict[str, str]]]: ...

    def list_objects_v2(self, *, Bucket: str) -> dict[str, list[dict[str, str]]]: ...

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object: ...

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, IO[bytes]]: ...

    def delete_object(self, *, Bucket: str, Key: str) -> object: ...


class _Quiet(WSGIRequestHandler):
    def log(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Let a server answer in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class S3Server:
    """``requests`` are (method, path) as they came; ``before`` is called with each, beforehand."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._counted, True, request_handler=_Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.requests: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda method, path: None

    def _counted(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        self.requests.append(request)
        self.before(*request)
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer

    def fetched(self) -> list[str]:
        """The keys whose content was asked for."""
        return [
            path.strip("/").partition("/")[2]
            for method, path in self.requests
            if method == "GET" and path.strip("/").count("/")
        ]

    @contextmanager
    def running(self) -> Iterator[S3Server]:
        with serving(self._server):
            yield self


@contextmanager
def gcs_server(bucket: str) -> Iterator[str]:
    """Serve an empty bucket as Google's storage does; yields the address."""
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
    server.start()
    server._api.is_running.wait()  # it tells its port to nobody
    try:
        yield f"http://127.0.0.1:{server._api._httpd.server_port}"
    finally:
        server.stop()


Answer = tuple[int, dict[str, str], bytes]


class WebServer:
    """Answers paths with what ``pages`` holds for them: status, headers, body."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.requests: list[tuple[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.requests.append((self.command, self.path))
                status, headers, body = owner.pages.get(self.path, (404, {}, b""))
                self.send_response(status)
                length = (
                    {} if "Transfer-Encoding" in headers else {"Content-Length": str(len(body))}
                )
                for name, value in (length | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                self.close_connection = len(body) != int(headers.get("Content-Length", len(body)))

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def bodies(self) -> list[str]:
        """The paths whose content was asked for."""
        return [path for method, path in self.requests if method == "GET"]

    @contextmanager
    def running(self) -> Iterator[WebServer]:
        with serving(self._server):
            yield self
