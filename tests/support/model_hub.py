"""A model hub of the tests' own: it serves files as huggingface.co does, to its own client."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 40
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+|[^/]+)/resolve/[^/]+/(?P<file>.+)")


@dataclass
class ModelHub:
    """What it serves by repository and name, and what was asked of it.

    ``break_after`` is after how many bytes the next answer with a body ends, None for never.
    """

    url: str = ""
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    break_after: int | None = None


@contextmanager
def model_hub() -> Iterator[ModelHub]:
    """Run a hub on a port of its own."""
    hub = ModelHub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, *, body: bool) -> None:
            found = _FILE.fullmatch(self.path)
            key = (found["repo"], found["file"]) if found else ("", "")
            hub.asked.append((self.command, key[1], self.headers.get("Range", "")))
            content = hub.files.get(key)
            if content is None:
                self._refuse(key[0])
                return
            start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") :].split("-")[0])
            part = content[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if body:
                cut, hub.break_after = hub.break_after, None
                self.wfile.write(part[:cut])

        def _refuse(self, repository: str) -> None:
            known = any(repository == name for name, _ in hub.files)
            self.send_response(404)
            code = "EntryNotFound" if known else "RepoNotFound"
            self.send_header("X-Error-Code", code)
            said = json.dumps({"error": code}).encode()
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
