"""A model hub of the tests' own: it serves files as huggingface.co does, to its own client."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from search_core.encoders import catalogue, choice
from search_core.encoders.catalogue import recommended
from search_core.encoders.open_clip_import import import_open_clip
from tests.conftest import make_tiny_model

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


@contextmanager
def asked_by_this_process(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[ModelHub]:
    """Run a hub that the hub's client asks in this process, with an empty cache."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    with model_hub() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served


@contextmanager
def recommended_small_model(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[ModelHub]:
    """Run a hub with a small model of open_clip, which the catalogue then recommends."""
    made = folder / "small"
    made.mkdir()
    make_tiny_model(made)
    described = json.loads((made / "open_clip_config.json").read_text())["model_cfg"]
    open_clip = import_open_clip()
    configs = {**open_clip.factory._MODEL_CONFIGS, "small-clip": described}
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", configs)
    tags = {"made": open_clip.pretrained._pcfg(hf_hub="tests/small-clip/")}
    known = {**open_clip.pretrained._PRETRAINED, "small-clip": tags}
    monkeypatch.setattr(open_clip.pretrained, "_PRETRAINED", known)
    small = replace(
        recommended(), name="small-clip", pretrained="made", dim=32, hub="tests/small-clip"
    )
    monkeypatch.setattr(catalogue, "ENCODERS", (*catalogue.ENCODERS, small))
    monkeypatch.setattr(choice, "recommended", lambda **_: small)
    with asked_by_this_process(monkeypatch, folder / "cache") as served:
        weights = (made / "open_clip_model.safetensors").read_bytes()
        served.files[small.hub, "open_clip_model.safetensors"] = weights
        yield served
