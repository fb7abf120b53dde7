"""The dashboard's own routes and the gate before them, asked as browsers ask."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dashboard.auth import identity, login
from dashboard.auth.gate import Gate
from dashboard.components import video_serving as footage

PASSWORD = "four words are long"
BROWSER = {"accept": "text/html,*/*", "host": "sightline.example"}
OWN = {**BROWSER, "origin": "http://sightline.example"}
LOOPBACK, ELSEWHERE = ("127.0.0.1", 8501), ("192.0.2.7", 8501)


class Answer:
    """What came back: status, headers, body."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status = sent[0].get("status")
        self.headers = {k.decode().lower(): v.decode() for k, v in sent[0].get("headers", [])}
        self.body = b"".join(part.get("body", b"") for part in sent[1:]).decode(errors="replace")
        self.kinds = [message["type"] for message in sent]

    @property
    def token(self) -> str:
        found = re.match(rf"{identity.COOKIE}=([^;]+);", self.headers.get("set-cookie", ""))
        assert found, self.headers
        return found[1]


def _app() -> Starlette:
    def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a page")

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    pages = [
        Route(path, page)
        for path in ("/", "/index", "/media/{name}", "/_stcore/health", "/_stcore/metrics")
    ]
    return Starlette(
        routes=[
            *footage.ROUTES,
            *login.ROUTES,
            WebSocketRoute("/_stcore/stream", stream),
            *pages,
        ],
        middleware=[Middleware(Gate)],
    )


def ask(
    path: str,
    method: str = "GET",
    body: bytes = b"",
    *,
    token: str = "",
    server: Any = ELSEWHERE,
    kind: str = "http",
    client: str = "198.51.100.1",
    **headers: str,
) -> Answer:
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body}]
    if kind == "websocket":
        waiting = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {**BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token:
        asked["cookie"] = f"{identity.COOKIE}={token}"
    path, _, query = path.partition("?")
    scope = {
        "type": kind,
        "method": method,
        "scheme": "ws" if kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in asked.items()],
        "server": server,
        "client": (client, 1234),
        "subprotocols": [],
    }
    asyncio.run(_app()(scope, receive, send))
    return Answer(sent)


def post(name: str, password: str = PASSWORD, wanted: str = "/", **asked: str) -> Answer:
    form = urllib.parse.urlencode({"name": name, "password": password, "next": wanted}).encode()
    return ask("/login", "POST", form, **{**OWN, **asked})
