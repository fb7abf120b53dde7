"""The login and the gate before everything: asked as browsers ask."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard import resources
from dashboard.auth import identity, provider_login
from dashboard.auth import media_access as media_owners
from dashboard.auth.gate import refuse_other_addresses
from search_core.access.login import Patience
from search_core.access.roles import Access
from search_core.access.users import Users
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.asking import ELSEWHERE, LOOPBACK, OWN, PASSWORD, ask, post


def test_without_users_only_the_loopback_address_answers(settings: Settings) -> None:
    assert ask("/", server=LOOPBACK).body == "a page"
    assert ask("/", server=("::1", 1)).status == 200
    for elsewhere in (ELSEWHERE, ("2001:db8::1", 1), None):
        refused = ask("/", server=elsewhere)
        assert (refused.status, "sightline users add" in refused.body) == (403, True)
        assert ask("/_stcore/stream", kind="websocket", server=elsewhere).kinds == [
            "websocket.close"
        ]


def test_it_does_not_start_at_another_address_without_users(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "0.0.0.0"
    monkeypatch.setattr(st, "get_option", lambda name: address)
    with pytest.raises(SystemExit, match="sightline users add"):
        refuse_other_addresses()
    address = "127.0.0.1"
    refuse_other_addresses()
    address = "0.0.0.0"
    monkeypatch.setenv("SIGHTLINE_ACCESS_WITHOUT_LOGIN", "true")
    refuse_other_addresses()
    assert ask("/").status == 200


@pytest.mark.parametrize("server", [LOOPBACK, ELSEWHERE])
def test_nothing_passes_without_a_login_but_the_login(
    users: Users, server: tuple[str, int]
) -> None:
    for path in ("/", "/index?library=main", "/footage/main/source1-0000000000"):
        answer = ask(path, server=server)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/login")
    for path in ("/media/x.jpg", "/_stcore/metrics", "/footage/main/source1-0000000000"):
        assert ask(path, accept="*/*", server=server).status == 401
    assert ask("/", "POST", server=server).status == 401
    assert ask("/_stcore/stream", kind="websocket", server=server).kinds == ["websocket.close"]
    assert ask("/_stcore/health", server=server).status == 200
    assert ask("/login", server=server).status == 200


def test_a_broken_file_of_users_lets_nobody_in(users: Users) -> None:
    token = post("anna").token
    users.path.write_text("{")

    answer = ask("/", token=token)
    assert (answer.status, "cannot be read" in answer.body) == (503, True)
    assert ask("/login").status == 503
    assert post("anna").status == 503


# Logging in


def test_a_login_leads_back_to_what_was_wanted(users: Users) -> None:
    sent = ask("/?q=a+car&camera=gate").headers["location"]
    wanted = urllib.parse.parse_qs(urllib.parse.urlsplit(sent).query)["next"][0]
    assert wanted == "/?q=a+car&camera=gate"
    assert "/?q=a+car&amp;camera=gate" in ask(sent).body

    answer = post("Anna", wanted=wanted)
    assert (answer.status, answer.headers["location"]) == (303, wanted)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert ask("/", token=answer.token).body == "a page"
    assert ask("/_stcore/stream", kind="websocket", token=answer.token).kinds[0] == (
        "websocket.accept"
    )
    assert ask("/login", token=answer.token).status == 303
    assert ask("/", token=answer.token[:-1]).status == 303


def test_over_https_the_cookie_is_for_https_only(users: Users) -> None:
    assert (
        "secure" in post("anna", origin="https://sightline.example").headers["set-cookie"].lower()
    )


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "/\r\nX: y"],
)
def test_a_login_leads_nowhere_else(users: Users, wanted: str) -> None:
    assert post("anna", wanted=wanted).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}],
)
def test_another_site_cannot_log_anybody_in(users: Users, headers: dict[str, str]) -> None:
    assert post("anna", **headers).status == 403
    assert post("anna", **headers, **{"sec-fetch-site": "cross-site"}).status == 403


def test_what_is_wrong_is_said_and_nothing_of_it_is_markup(users: Users) -> None:
    answer = post('"><b>x', "wrong password", wanted='/"><b>')

    assert answer.status == 401
    assert "do not belong together" in answer.body
    assert "<b>" not in answer.body
    assert "wrong password" not in answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ask("/login", "POST", b"x" * 20_000, **OWN).status == 413
    assert ask("/login", "POST", b"\xff\xfe=&&%zz", **OWN).status == 401


def test_the_login_is_in_the_browsers_language_or_the_chosen_one(users: Users) -> None:
    chinese = {"accept-language": "zh-CN,zh;q=0.9"}

    assert "<h1>登录</h1>" in ask("/login", "GET", b"", **chinese).body
    assert "用户名或密码不正确" in post("anna", "wrong password", **chinese).body
    chosen = ask("/login?language=en", "GET", b"", **chinese)
    assert "<h1>Log in</h1>" in chosen.body
    assert chosen.headers["set-cookie"].startswith("sightline_language=en;")
    assert "set-cookie" not in ask("/login?language=x'", "GET", b"", **chinese).headers


def test_too_many_attempts_wait(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_s(patience: Patience, failures: int) -> float:
        return 60.0 if failures >= patience.free else 0.0

    monkeypatch.setattr(Patience, "wait_s", wait_s)
    answers = [post("anna", "wrong password", client=f"198.51.100.{n}") for n in range(7)]

    assert [answer.status for answer in answers] == [401] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert post("otto").status == 303


def test_sessions_end_at_once(users: Users) -> None:
    tokens = [post("anna").token, post("otto").token, post("vera").token]
    users.set_password("anna", "another long one")
    users.remove("otto")
    identity.login().log_out(tokens[2])

    assert [ask("/", token=token).status for token in tokens] == [303, 303, 303]


# A provider


@pytest.fixture
def provider(users: Users, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that makes Streamlit's cookie for the claims of a provider."""
    from streamlit import auth_util
    from streamlit.web.server import server_util
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    section = {
        "redirect_uri": "https://sightline.example/oauth2callback",
        "cookie_secret": "a secret of this test, long enough",
        "client_id": "x",
        "client_secret": "x",
        "server_metadata_url": "https://provider.example/.well-known/openid-configuration",
    }

    class Secrets(dict[str, Any]):
        def load_if_toml_exists(self) -> bool:
            return True

    for module in (auth_util, server_util, provider_login):
        monkeypatch.setattr(module, "secrets_singleton", Secrets(auth=section))
    assert auth_util.get_origin_from_redirect_uri() == "https://sightline.example"

    def cookie(secret: str = section["cookie_secret"], **claims: Any) -> str:
        told = {"is_logged_in": True, "origin": "https://sightline.example", **claims}
        signed = create_signed_value(secret, USER_COOKIE_NAME, json.dumps(told))
        return f"{USER_COOKIE_NAME}={signed.decode()}"

    return cookie


def test_whom_a_provider_vouches_for_comes_in(users: Users, provider: Callable[..., str]) -> None:
    users.add("bob@example.com", "viewer", ["cam-1"])
    bob = provider(email="Bob@example.com", email_verified=True)

    assert ask("/", cookie=bob).body == "a page"
    assert "/auth/login?provider=" in ask("/login").body
    users.remove("bob@example.com")
    assert ask("/", cookie=bob).status == 303


def test_nobody_else_does(users: Users, provider: Callable[..., str]) -> None:
    users.add("bob@example.com", "viewer")
    users.add("carl@example.com", "admin", None, PASSWORD)  # a password is his way in
    for cookie in (
        provider(email="eve@example.com"),
        provider(email="carl@example.com"),
        provider(email="bob@example.com", email_verified=False),
        provider(email="bob@example.com", is_logged_in=False),
        provider(email="bob@example.com", origin="https://evil.example"),
        provider("another secret, also long enough", email="bob@example.com"),
        provider(),
        provider(email=None),
        "_streamlit_user=x",
        "_streamlit_user=\xe9",
    ):
        assert ask("/", cookie=cookie).status == 303, cookie


def test_without_a_provider_its_cookie_is_nothing(users: Users) -> None:
    assert provider_login.providers() == []
    assert provider_login.mail_in({"_streamlit_user": "x"}) == ""


# Footage and files


def test_footage_is_only_of_cameras_that_may_be_seen(
    users: Users, library: list[MediaEntity], settings: Settings, tmp_path: Path
) -> None:
    from dataclasses import replace

    from ingest.media.files import content_of

    video = tmp_path / "gate.mp4"
    video.write_bytes(bytes(100))
    store = resources.store_for(Access("test", "admin"))
    vectors = store.embedding("main", library[0].id)[None]
    source_id = content_of(video).source_id
    for number in (0, 1):
        entity = replace(library[number], uri=str(video), source_id=source_id)
        store.upsert("main", [entity], vectors)
    store.settle("main")
    hidden, shown = (f"/footage/main/{library[number].id}" for number in (0, 1))
    vera, anna = post("vera").token, post("anna").token

    assert ask(shown, token=vera).status == 200
    assert "no-cache" in ask(shown, token=vera).headers["cache-control"]
    refused = ask(hidden, token=vera)
    assert (refused.status, refused.body) == (404, ask("/footage/main/none", token=vera).body)
    assert ask(hidden, token=anna).status == 200
    users.set_cameras("vera", ["cam-0"])
    assert [ask(path, token=vera).status for path in (shown, hidden)] == [404, 200]
    users.set_cameras("vera", [])
    assert [ask(path, token=vera).status for path in (shown, hidden)] == [404, 404]

    played = [(e.who, e.detail["camera"]) for e in identity.audit_log().events(action="play")]
    assert played == [("vera", "cam-0"), ("anna", "cam-0"), ("vera", "cam-1")]


def test_files_are_for_those_whose_page_shows_them(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {"page of vera": {"a"}, "page of anna": {"b"}}
    monkeypatch.setattr(media_owners, "_files_of", lambda session: shown.get(session, set()))
    looking = [("page of vera", Access("vera", "viewer", ("cam-1",))), ("page of anna", None)]
    looking[1] = ("page of anna", Access("anna", "admin"))
    for session, access in looking:
        monkeypatch.setattr(
            media_owners,
            "get_script_run_ctx",
            lambda session=session, **_: type("Context", (), {"session_id": session}),
        )
        media_owners.remember(access)
    vera, anna = post("vera").token, post("anna").token

    assert [ask(f"/media/{name}.jpg", token=vera).status for name in "abc"] == [200, 404, 404]
    assert [ask(f"/media/{name}.jpg", token=anna).status for name in "abc"] == [404, 200, 404]
    assert "private" in ask("/media/a.jpg", token=vera).headers["cache-control"]
    users.set_cameras("vera", ["cam-2"])  # what the page shows was for who she was
    assert ask("/media/a.jpg", token=vera).status == 404
